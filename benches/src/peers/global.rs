//! General allocators, used through `GlobalAlloc` and not as the process's own: glibc's (whatever the system's is),
//! mimalloc, jemalloc, snmalloc.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ptr::NonNull,
};

use mimalloc::MiMalloc;
use sharded_arena::allocator_api2::alloc::{AllocError, Allocator};
use snmalloc_rs::SnMalloc;
use tikv_jemallocator::Jemalloc;

use super::Contender;

pub const GLIBC: Global<System> = Global(&System);
pub const MIMALLOC: Global<MiMalloc> = Global(&MiMalloc);
pub const JEMALLOC: Global<Jemalloc> = Global(&Jemalloc);
pub const SNMALLOC: Global<SnMalloc> = Global(&SnMalloc);

pub struct Global<A: 'static>(&'static A);

impl<A> Clone for Global<A> {
    fn clone(&self) -> Self {
        Global(self.0)
    }
}

impl<A: GlobalAlloc> Contender for Global<A> {
    type Handle = NonNull<u8>;

    #[inline]
    fn alloc(&mut self, size: usize) -> Option<NonNull<u8>> {
        debug_assert!(size > 0);
        // SAFETY: no row asks for zero bytes.
        NonNull::new(unsafe { self.0.alloc(bytes(size)) })
    }

    #[inline]
    fn ptr(&self, block: NonNull<u8>) -> NonNull<u8> {
        block
    }

    #[inline]
    unsafe fn free(&mut self, block: NonNull<u8>, size: usize) {
        // SAFETY: allocated by this allocator with this layout (the trait's contract).
        unsafe { self.0.dealloc(block.as_ptr(), bytes(size)) };
    }
}

// SAFETY: `Allocator`'s contract is `GlobalAlloc`'s, to which every call goes with its own arguments; the allocators
// here are values without state, so a move or a clone is the same allocator.
unsafe impl<A: GlobalAlloc> Allocator for Global<A> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if layout.size() == 0 {
            return Ok(NonNull::slice_from_raw_parts(layout.dangling_ptr(), 0));
        }
        // SAFETY: not of zero bytes.
        let block = NonNull::new(unsafe { self.0.alloc(layout) }).ok_or(AllocError)?;
        Ok(NonNull::slice_from_raw_parts(block, layout.size()))
    }

    #[inline]
    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        if layout.size() > 0 {
            // SAFETY: a live block of this allocator with this layout (the trait's contract).
            unsafe { self.0.dealloc(ptr.as_ptr(), layout) };
        }
    }
}

/// The layout of every request in these rows: what a `Vec<u8>` of that many bytes asks for.
#[inline]
pub fn bytes(size: usize) -> Layout {
    // SAFETY: 1 is a power of two, and no size here comes near `isize::MAX`.
    unsafe { Layout::from_size_align_unchecked(size, 1) }
}
