//! `LocalHeap`: a thread's handle of a heap that skips the look-up.
//!
//! It refers to its thread's shard and pins it, so it may be used even while its thread's destructors run; leaked, it
//! costs that one shard until the heap goes.
#![expect(unsafe_code, reason = "free, grow and shrink take the caller's word for a block")]

use core::alloc::Layout;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::base::error::AllocError;
use crate::region::shards::OwnedShard;

use super::{Heap, Shard, zeroed};

/// A handle of a heap for one thread, without the look-up of its shard; see [`Heap::local`].
///
/// ```
/// use sharded_arena::Heap;
/// let heap = Heap::with_capacity(1 << 20)?;
/// let local = heap.local();
/// let mut numbers = allocator_api2::vec::Vec::new_in(&local);
/// numbers.extend(0..1_000u64);
/// assert_eq!(numbers.iter().sum::<u64>(), 499_500);
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
pub struct LocalHeap<'a> {
    heap: &'a Heap,
    shard: &'a Shard,
    /// Neither Send nor Sync: the shard is this thread's.
    thread: PhantomData<*const ()>,
}

impl fmt::Debug for LocalHeap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalHeap").field(self.heap).finish()
    }
}

impl<'a> LocalHeap<'a> {
    pub(super) fn new(heap: &'a Heap) -> Self {
        Self::on(heap, heap.inner.shard())
    }

    /// A handle on `shard`, which is the calling thread's or none's.
    pub(crate) fn on(heap: &'a Heap, shard: &'a Shard) -> Self {
        if !shard.is_none() {
            shard.pins.pin();
        }
        Self { heap, shard, thread: PhantomData }
    }

    /// As [`Heap::alloc`].
    ///
    /// # Errors
    /// As for [`Heap::alloc`].
    #[inline]
    pub fn alloc(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        self.heap.alloc_on(self.shard, layout)
    }

    /// As [`Heap::alloc_zeroed`].
    ///
    /// # Errors
    /// As for [`Heap::alloc`].
    #[inline]
    pub fn alloc_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        self.alloc(layout).map(zeroed)
    }

    /// As [`Heap::free`].
    ///
    /// # Panics
    /// As [`Heap::free`].
    ///
    /// # Safety
    /// As for [`Heap::free`].
    #[inline]
    #[track_caller]
    pub unsafe fn free(&self, ptr: NonNull<u8>, layout: Layout) {
        if layout.size() != 0 {
            self.heap.inner.free_on(self.shard, ptr, layout);
        }
    }

    /// As [`Heap::free_batch`].
    ///
    /// # Safety
    /// As for [`Heap::free_batch`].
    pub unsafe fn free_batch(&self, blocks: impl IntoIterator<Item = (NonNull<u8>, Layout)>) {
        // SAFETY: this function's contract.
        unsafe { self.heap.free_batch_on(self.shard, blocks) }
    }

    /// As [`Heap::grow`].
    ///
    /// # Errors
    /// As for [`Heap::grow`].
    ///
    /// # Safety
    /// As for [`Heap::grow`].
    pub unsafe fn grow(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: this function's contract.
        unsafe { self.heap.resize_on(self.shard, ptr, old, new) }
    }

    /// As [`Heap::shrink`].
    ///
    /// # Errors
    /// As for [`Heap::shrink`].
    ///
    /// # Safety
    /// As for [`Heap::shrink`].
    pub unsafe fn shrink(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: this function's contract.
        unsafe { self.heap.resize_on(self.shard, ptr, old, new) }
    }

    /// The heap this is a handle of.
    #[must_use]
    pub fn heap(&self) -> &'a Heap {
        self.heap
    }
}

impl Drop for LocalHeap<'_> {
    fn drop(&mut self) {
        if !self.shard.is_none() {
            self.shard.pins.unpin();
        }
    }
}
