//! The crate's `Heap` as the pool's memory: the limit is its own.
#![expect(unsafe_code, reason = "freeing blocks promises that they are live")]

use std::alloc::Layout;
use std::ptr::NonNull;

use sharded_arena::Heap;

use super::backend::Backend;

impl Backend for Heap {
    fn block(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.alloc(layout).ok().map(NonNull::cast)
    }

    unsafe fn free_blocks(&self, blocks: impl IntoIterator<Item = (NonNull<u8>, Layout)>) {
        // SAFETY: the caller's promise is the same: live blocks of this heap, with these layouts.
        unsafe { self.free_batch(blocks) };
    }

    fn limit_bytes(&self) -> usize {
        self.limit()
    }

    fn usage_bytes(&self) -> usize {
        self.memory_usage()
    }

    fn peak_bytes(&self) -> usize {
        self.peak_memory_usage()
    }

    fn live_bytes(&self) -> usize {
        Heap::live_bytes(self)
    }
}
