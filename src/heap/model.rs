//! What only the models ask of a heap.

use crate::region::Region;

use super::Heap;

impl Heap {
    /// A heap with `shards` shards, a power of two, whose body is made: the model checker does not see `OnceLock`, so no
    /// role may be the one that makes it.
    pub(crate) fn with_shards(region: &Region, shards: usize) -> Heap {
        let heap = Heap::in_region(region);
        assert!(heap.core.body_with(|| shards).is_some(), "tables for {shards} shards");
        heap
    }

    /// Bytes of lease that the calling thread's shard holds.
    pub(crate) fn held(&self) -> usize {
        self.core.shard().held()
    }

    /// Whether the calling thread has a shard here.
    pub(crate) fn has_shard(&self) -> bool {
        !self.core.shard().is_none()
    }
}
