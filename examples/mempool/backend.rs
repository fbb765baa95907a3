//! Where the pool's memory comes from: the one thing in which the two halves of a run differ.
#![expect(unsafe_code, reason = "freeing is a promise that no type here can check")]

use std::alloc::Layout;
use std::ptr::NonNull;

use sharded_arena::allocator_api2::alloc::Allocator;

/// Memory under a byte limit, shared by all threads. The pool's index takes `&Self` as its allocator.
pub(crate) trait Backend: Allocator + Sync {
    /// Memory for one block, or `None` where it would pass the limit.
    fn block(&self, layout: Layout) -> Option<NonNull<u8>>;

    /// Frees many blocks at once.
    ///
    /// # Safety
    /// Each block is live, came from this backend with that layout, and is not used again.
    unsafe fn free_blocks(&self, blocks: impl IntoIterator<Item = (NonNull<u8>, Layout)>);

    /// The limit in bytes.
    fn limit_bytes(&self) -> usize;
    /// Bytes taken from under the limit.
    fn usage_bytes(&self) -> usize;
    /// The most that `usage_bytes` has been.
    fn peak_bytes(&self) -> usize;
    /// Bytes asked for in the blocks that the pool holds, the index's among them.
    fn live_bytes(&self) -> usize;
}
