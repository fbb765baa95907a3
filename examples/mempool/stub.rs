//! A stand-in for `sharded_arena::Heap`.
#![expect(unsafe_code, reason = "an allocator")]
use crate::backend::Backend;
use crate::system::Counted;
use allocator_api2::alloc::{AllocError, Allocator};
use std::alloc::Layout;
use std::ptr::NonNull;
pub(crate) struct Heap(Counted);
impl Heap {
    pub(crate) fn with_capacity(bytes: usize) -> Result<Self, String> {
        Ok(Self(Counted::new(bytes)))
    }
    pub(crate) fn alloc(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        self.0.allocate(layout)
    }
    pub(crate) unsafe fn free_batch(&self, blocks: impl IntoIterator<Item = (NonNull<u8>, Layout)>) {
        // SAFETY: same.
        unsafe { self.0.free_blocks(blocks) }
    }
    pub(crate) fn memory_usage(&self) -> usize {
        self.0.usage_bytes()
    }
    pub(crate) fn peak_memory_usage(&self) -> usize {
        self.0.peak_bytes()
    }
    pub(crate) fn live_bytes(&self) -> usize {
        self.0.live_bytes()
    }
    pub(crate) fn limit(&self) -> usize {
        self.0.limit_bytes()
    }
}
// SAFETY: same.
unsafe impl Allocator for Heap {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        self.0.allocate(layout)
    }
    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: same.
        unsafe { self.0.deallocate(ptr, layout) };
    }
}
