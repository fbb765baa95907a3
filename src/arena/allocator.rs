//! `Allocator` of allocator-api2 0.2 for `&Arena`, and for it alone: an arena by value could be reset under its blocks.
//!
//! Collections over `&Arena` are Send and Sync as their values are: they may be built on one thread and dropped on
//! another.
#![expect(unsafe_code, reason = "implements an unsafe trait")]

use core::alloc::Layout;
use core::ptr::NonNull;

use allocator_api2::alloc::{AllocError as ApiError, Allocator};

use crate::blocks::Blocks;

use super::Arena;

/// The block at `ptr`, as long as `layout` says.
fn block(ptr: NonNull<u8>, layout: Layout) -> NonNull<[u8]> {
    NonNull::slice_from_raw_parts(ptr, layout.size())
}

// SAFETY: a block stands until the arena is reset or dropped, which the borrow in every copy of `&Arena` rules out.
unsafe impl Allocator for &Arena {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, ApiError> {
        self.blocks().alloc(layout).map(|ptr| block(ptr, layout)).map_err(|_| ApiError)
    }

    #[inline]
    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: the trait's contract is `Blocks::free`'s.
        unsafe { self.blocks().free(ptr, layout) }
    }

    #[inline]
    unsafe fn grow(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, ApiError> {
        // SAFETY: the trait's contract is `Blocks::resize`'s.
        unsafe { self.blocks().resize(ptr, old, new) }.map(|ptr| block(ptr, new)).map_err(|_| ApiError)
    }

    unsafe fn grow_zeroed(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, ApiError> {
        // SAFETY: the trait's contract is `grow`'s.
        let grown = unsafe { self.grow(ptr, old, new) }?;
        // SAFETY: `NonNull::add`: the old length is at most the new one.
        let tail = unsafe { grown.cast::<u8>().add(old.size()) };
        // SAFETY: the rest of the grown block.
        unsafe { tail.write_bytes(0, new.size() - old.size()) };
        Ok(grown)
    }

    #[inline]
    unsafe fn shrink(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, ApiError> {
        // SAFETY: the trait's contract is `Blocks::resize`'s.
        unsafe { self.blocks().resize(ptr, old, new) }.map(|ptr| block(ptr, new)).map_err(|_| ApiError)
    }
}
