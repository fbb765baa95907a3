//! `Allocator` of allocator-api2 0.2 for `Heap`; the trait's blanket gives `&Heap`.
//!
//! A collection over `Heap` keeps a handle, so it may outlive the name it was made from; one over `&Heap` clones for
//! nothing. Either may be dropped on any thread.
#![expect(unsafe_code, reason = "implements an unsafe trait")]

use core::alloc::Layout;
use core::ptr::NonNull;

use allocator_api2::alloc::{AllocError as ApiError, Allocator};

use super::Heap;

// SAFETY: a block stands until it is freed or the last handle goes; clones of a handle are one heap.
unsafe impl Allocator for Heap {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, ApiError> {
        self.alloc(layout).map_err(|_| ApiError)
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, ApiError> {
        self.alloc_zeroed(layout).map_err(|_| ApiError)
    }

    #[inline]
    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: the trait's contract is `free`'s.
        unsafe { self.free(ptr, layout) }
    }

    unsafe fn grow(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, ApiError> {
        // SAFETY: the trait's contract is `grow`'s.
        unsafe { Heap::grow(self, ptr, old, new) }.map_err(|_| ApiError)
    }

    unsafe fn shrink(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, ApiError> {
        // SAFETY: the trait's contract is `shrink`'s.
        unsafe { Heap::shrink(self, ptr, old, new) }.map_err(|_| ApiError)
    }
}
