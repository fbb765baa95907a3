//! What only the models ask of a heap.

use core::alloc::Layout;

use crate::base::error::AllocError;
use crate::region::Region;
use crate::region::shards::OwnedShard;
use crate::thread::{self, Cache, EndOfThread};

use super::{Heap, Inner, Shard};

impl Shard {
    /// Bytes of lease that the pocket holds.
    pub(crate) fn pocket_lease(&self) -> usize {
        self.pocket.lease()
    }
}

impl Inner {
    /// One extent for `layout`, straight from the region, for a thread without a shard.
    pub(crate) fn take_or_refuse(&self, layout: Layout) -> Result<u32, AllocError> {
        self.take_wanted(None, self.wanted_for(layout), layout, 0)
    }

    /// The shard of the thread that has `cache` and `end`.
    pub(crate) fn shard_of(&self, cache: &Cache, end: &EndOfThread) -> &Shard {
        let caches = self.caches().expect("a heap that caches");
        caches.shards.find_for(&self.region, self.id, cache, Some(end), |_| ())
    }
}

impl Heap {
    /// A heap with `shards` shards, a power of two, whose caches are made: the model checker does not see `OnceLock`,
    /// so no role may be the one that makes it.
    pub(crate) fn with_shards(region: &Region, shards: usize) -> Heap {
        let heap = Heap::in_region(region);
        assert!(heap.inner.body_with(|| shards).is_some(), "tables for {shards} shards");
        heap
    }

    /// Bytes of lease that the calling thread's shard holds.
    pub(crate) fn held(&self) -> usize {
        self.inner.shard().held()
    }

    /// INV-region.shards-3: the shard that the calling thread finds is none, or this heap's and its own.
    pub(crate) fn check_shard(&self) {
        let shard = self.inner.shard();
        let token = thread::own_token();
        let found = self.inner.made().and_then(|caches| caches.shards.iter().position(|own| core::ptr::eq(own, shard)));
        match (found, self.inner.made()) {
            (Some(index), Some(caches)) => assert_eq!(caches.shards.at(index).0, token, "another thread's shard"),
            _ => assert!(shard.is_none(), "another heap's shard"),
        }
    }

    /// Whether the calling thread has a shard here.
    pub(crate) fn has_shard(&self) -> bool {
        !self.inner.shard().is_none()
    }
}
