//! An allocator without a limit, the system's for example, under the same limit: the bytes are counted here.
#![expect(unsafe_code, reason = "an allocator hands out and takes back raw memory")]

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam::utils::CachePadded;
use sharded_arena::allocator_api2::alloc::{AllocError, Allocator};

use super::backend::Backend;

/// An allocator and a counter of the requested bytes; what the allocator adds for itself is not counted.
#[derive(Debug)]
pub(crate) struct Counted<A> {
    memory: A,
    limit_bytes: usize,
    usage: CachePadded<AtomicUsize>,
    peak: CachePadded<AtomicUsize>,
}

impl<A> Counted<A> {
    pub(crate) fn new(limit_bytes: usize, memory: A) -> Self {
        Self { memory, limit_bytes, usage: CachePadded::default(), peak: CachePadded::default() }
    }

    /// Counts `bytes`, or nothing when they would pass the limit. Relaxed: the counter publishes no memory.
    fn charge(&self, bytes: usize) -> bool {
        let fits = |usage: usize| usage.checked_add(bytes).filter(|&sum| sum <= self.limit_bytes);
        match self.usage.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(before) => {
                if before + bytes > self.peak.load(Ordering::Relaxed) {
                    self.peak.fetch_max(before + bytes, Ordering::Relaxed);
                }
                true
            }
            Err(_) => false,
        }
    }

    fn refund(&self, bytes: usize) {
        self.usage.fetch_sub(bytes, Ordering::Relaxed);
    }
}

// SAFETY: `Allocator`'s contract is the memory's, to which every call goes with its own arguments.
unsafe impl<A: Allocator> Allocator for Counted<A> {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if !self.charge(layout.size()) {
            return Err(AllocError);
        }
        self.memory.allocate(layout).inspect_err(|_| self.refund(layout.size()))
    }

    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise is the same: a live block of the memory, with this layout.
        unsafe { self.memory.deallocate(ptr, layout) };
        self.refund(layout.size());
    }
}

impl<A: Allocator + Sync> Backend for Counted<A> {
    fn block(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.allocate(layout).ok().map(NonNull::cast)
    }

    unsafe fn free_blocks(&self, blocks: impl IntoIterator<Item = (NonNull<u8>, Layout)>) {
        let mut freed = 0;
        for (ptr, layout) in blocks {
            // SAFETY: the caller's promise: a live block of this backend, so of the memory, with this layout.
            unsafe { self.memory.deallocate(ptr, layout) };
            freed += layout.size();
        }
        self.refund(freed);
    }

    fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    fn usage_bytes(&self) -> usize {
        self.usage.load(Ordering::Relaxed)
    }

    fn peak_bytes(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    fn live_bytes(&self) -> usize {
        self.usage_bytes()
    }
}
