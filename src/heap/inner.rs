//! `Inner`: what the handles of one heap share, and how a thread finds its shard in it.
//!
//! A heap that was never used is this struct alone. Its shards, owner words and depot (the *caches*) are made at its
//! first use, outside the lock; without memory for them the heap runs uncached.
//!
//! - INV-heap.inner-1: the caches, once made, stand until the `Inner` is dropped.
//! - INV-heap.inner-2: an `Inner` is in its region's list from its first use until its drop.
#![expect(unsafe_code, reason = "the cached shard pointer, the region's list")]

use core::ptr::NonNull;

use crate::base::size_class::longest_bytes;
use crate::base::system::SystemRefusal;
use crate::depot::Depot;
use crate::memory::table::try_box;
use crate::region::budget::Budget;
use crate::region::shards::{Id, OwnedShard, Shards, default_count};
use crate::region::{Client, Links, Memory, Region, ShardSet};
use crate::sync::{CachePadded, Figure, OnceLock};

use super::quarantine::WaitingBlocks;
use super::shard::Shard;

/// What the handles of one heap share.
pub(crate) struct Inner {
    pub(super) id: Id<Shard>,
    memory: Memory,
    /// Bytes of the longest class.
    pub(super) longest: usize,
    pub(super) region: Region,
    /// The heap's own usage and limit.
    pub(crate) budget: Budget,
    /// On lines of their own, away from what every call reads.
    pub(super) outside: CachePadded<Outside>,
    pub(super) quarantine: Option<WaitingBlocks>,
    /// Shards to make, if the builder was told.
    most_shards: Option<usize>,
    /// Boxed, so that a heap that was never used is small.
    caches: OnceLock<Option<Box<Caches>>>,
    pub(super) links: Links,
}

/// What threads without a shard write.
#[derive(Debug, Default)]
pub(super) struct Outside {
    /// What was counted outside any shard.
    pub(super) allocated: Figure,
    pub(super) freed: Figure,
    pub(super) invalid_frees: Figure,
}

/// Shards, who owns them, and the depot between them.
pub(crate) struct Caches {
    pub(super) shards: Shards<Shard>,
    pub(crate) depot: Depot,
}

// SAFETY: `links` is used under the region's lock only; the rest is Send and Sync by itself.
unsafe impl Send for Inner {}
// SAFETY: as for Send.
unsafe impl Sync for Inner {}

impl Client for Inner {
    fn region(&self) -> &Region {
        &self.region
    }

    fn set(&self) -> &dyn ShardSet {
        self
    }
}

impl Inner {
    /// A heap in `region` with a limit of its own and so many shards; with a quarantine it is checked.
    pub(super) fn new(
        region: Region,
        limit: usize,
        most_shards: Option<usize>,
        quarantine: Option<WaitingBlocks>,
    ) -> Self {
        Self {
            id: Id::new(),
            memory: region.memory(),
            longest: longest_bytes(region.capacity()),
            budget: Budget::new(limit, region.capacity(), region.slack_divisor()),
            outside: CachePadded::default(),
            quarantine,
            most_shards,
            caches: OnceLock::new(),
            links: Links::default(),
            region,
        }
    }

    /// The caches, made at the first call; none if the heap caches nothing.
    pub(crate) fn caches(&self) -> Option<&Caches> {
        self.body_with(|| self.most_shards.unwrap_or_else(|| default_count(self.region.capacity())))
    }

    /// As [`Inner::caches`], with as many shards as `count` says.
    pub(super) fn body_with(&self, count: impl FnOnce() -> usize) -> Option<&Caches> {
        self.caches
            .get_or_init(|| {
                let may_cache = self.quarantine.is_none() && self.region.wipe().is_none();
                let caches = may_cache.then(|| Caches::make(&self.region, count()).ok()).flatten();
                let set: NonNull<dyn ShardSet> = NonNull::from(self);
                // SAFETY: `register`'s contract: an `Inner` does not move (it is made inside its `Arc`), and its drop
                // unregisters it (INV-heap.inner-2).
                self.region.section(|section| unsafe { section.register(set) });
                caches
            })
            .as_deref()
    }

    /// The caches, if they were ever made.
    pub(crate) fn made(&self) -> Option<&Caches> {
        self.caches.get().and_then(Option::as_deref)
    }

    /// Whether the heap was ever used.
    pub(super) fn is_used(&self) -> bool {
        self.caches.get().is_some()
    }

    // ---- addresses ------------------------------------------------------------------------------------------------

    /// The address of `granule`, derived from the region's base.
    #[inline(always)]
    pub(crate) fn address(&self, granule: u32) -> NonNull<u8> {
        self.memory.granule(granule)
    }

    /// The granule at which the block `ptr` begins.
    #[inline(always)]
    pub(crate) fn granule(&self, ptr: NonNull<u8>) -> u32 {
        self.memory.granule_at(ptr.addr().get())
    }

    // ---- the calling thread's shard -------------------------------------------------------------------------------

    /// The calling thread's shard, or [`Shard::none`].
    #[inline(always)]
    pub(super) fn shard(&self) -> &Shard {
        Shards::of_thread(&self.id, || self.shard_cold())
    }

    #[cold]
    #[inline(never)]
    fn shard_cold(&self) -> &Shard {
        self.caches().map_or(Shard::none(), |caches| caches.shards.find(&self.region, self.id, |_| ()))
    }

    /// The slow path of a thread without a shard: threads may have ended since it looked for one.
    pub(super) fn try_adopt(&self) -> &Shard {
        if self.made().is_some_and(|caches| caches.shards.may_adopt()) { self.shard_cold() } else { Shard::none() }
    }

    // ---- figures --------------------------------------------------------------------------------------------------

    /// Bytes that callers hold, as they asked for them.
    #[cfg(feature = "stats")]
    pub(super) fn live_bytes(&self) -> usize {
        let shards = || self.made().into_iter().flat_map(|caches| caches.shards.iter());
        let freed = shards().map(Shard::freed).fold(self.outside.freed.get(), u64::wrapping_add);
        let allocated = shards().map(Shard::allocated).fold(self.outside.allocated.get(), u64::wrapping_add);
        crate::sync::wrapped_difference(allocated, freed)
    }

    /// Counts `bytes` handed out.
    #[inline(always)]
    pub(super) fn count_alloc(&self, shard: &Shard, bytes: usize) {
        if !cfg!(feature = "stats") {
            return;
        }
        if shard.is_none() {
            self.outside.allocated.add(bytes as u64);
        } else {
            shard.count_alloc(bytes);
        }
    }

    /// Counts `bytes` taken back.
    #[inline(always)]
    pub(super) fn count_free(&self, shard: &Shard, bytes: usize) {
        if !cfg!(feature = "stats") {
            return;
        }
        if shard.is_none() {
            self.outside.freed.add(bytes as u64);
        } else {
            shard.count_free(bytes);
        }
    }

    /// A free that the index refused: dropped and counted. Called inside or outside the section.
    pub(super) fn count_invalid(&self) {
        self.outside.invalid_frees.add(1);
    }
}

impl Caches {
    fn make(region: &Region, shards: usize) -> Result<Box<Self>, SystemRefusal> {
        let slack = region.capacity() / region.slack_divisor().max(1);
        try_box(Self { shards: Shards::reserve(shards)?, depot: Depot::reserve(slack)? })
    }

    /// Bytes of nodes, shards and owner words.
    pub(super) fn metadata_bytes(&self) -> usize {
        size_of::<Self>() + self.shards.metadata_bytes() + self.depot.nodes.used_bytes()
    }
}
