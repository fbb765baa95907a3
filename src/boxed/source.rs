//! Every allocator as a source of blocks.
#![expect(unsafe_code, reason = "implements an unsafe trait over an allocator's")]

use core::alloc::Layout;
use core::ptr::NonNull;

use allocator_api2::alloc::Allocator;

use crate::alloc::block::{Header, Source};
use crate::base::layout::dangling;
use crate::base::refusal::ReserveError;

// SAFETY: the trait's contract is `Allocator`'s; a block of no size is none of the allocator's.
unsafe impl<A: Allocator> Source for A {
    type Error = ReserveError;

    #[inline]
    fn alloc(&self, layout: Layout) -> Result<NonNull<u8>, ReserveError> {
        if layout.size() == 0 {
            return Ok(dangling(layout));
        }
        self.allocate(layout).map(NonNull::cast).map_err(|_| ReserveError::by::<A>(layout))
    }

    #[inline]
    unsafe fn resize(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, ReserveError> {
        if old.size() == 0 || new.size() == 0 {
            // SAFETY: the caller's contract. One of the two has no memory, so the other's refusal changes nothing.
            unsafe { Source::free(self, ptr, old) };
            return Source::alloc(self, new);
        }
        let moved = if new.size() > old.size() {
            // SAFETY: a live block of the old layout, by the caller's contract; the new one is longer and aligned
            // alike.
            unsafe { self.grow(ptr, old, new) }
        } else {
            // SAFETY: as above; the new one is shorter.
            unsafe { self.shrink(ptr, old, new) }
        };
        moved.map(NonNull::cast).map_err(|_| ReserveError::by::<A>(new))
    }

    #[inline]
    unsafe fn free(&self, ptr: NonNull<u8>, layout: Layout) {
        if layout.size() != 0 {
            // SAFETY: the caller's contract.
            unsafe { self.deallocate(ptr, layout) };
        }
    }

    fn too_long(&self, _requested: usize, _align: usize) -> ReserveError {
        ReserveError::CapacityOverflow
    }
}

/// Takes a block for one value, and writes its head. No guard, for nothing can panic before the value is in its place.
#[inline]
pub(super) fn place<H: Header, T, A: Allocator>(alloc: &A) -> Result<NonNull<T>, ReserveError> {
    let value = const { Layout::new::<T>() };
    let (layout, offset) = H::around(value).ok_or(ReserveError::CapacityOverflow)?;
    let block = Source::alloc(alloc, layout)?;
    // SAFETY: `NonNull::add`: the value lies in the block of that layout.
    let place = unsafe { block.add(offset) };
    // SAFETY: where a value lies in a block of its layout, which is this call's alone.
    unsafe { H::write(place) };
    Ok(place.cast())
}
