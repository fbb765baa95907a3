//! `Inner`: what an arena's handles share, and how a thread finds its shard in it.
//!
//! An arena that was never used is this struct alone. Its region (unless one was given), shards and figures (the
//! *body*) are made at its first use, outside the region's lock.
//!
//! - INV-arena.inner-1: the body, once made, stands until the `Inner` is dropped.
//! - INV-arena.inner-2: the body is in its region's list from its making until its drop.
#![expect(unsafe_code, reason = "the region's list")]

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::base::error::{AllocError, AllocErrorKind, LimitOwner};
use crate::base::system::SystemRefusal;
use crate::region::budget::Budget;
use crate::region::shards::{Id, OwnedShard, Shards, default_count};
use crate::region::{Client, FirstUse, Links, Memory, Region, ShardSet};
use crate::sync::{AtomicU64, AtomicUsize, CachePadded, Figure, Relaxed};

use super::extents::List;
use super::shard::Shard;
use super::shared::SharedChunk;

/// A chunk shorter than this is not worth its node.
pub(super) const LEAST_CHUNK_BYTES: usize = if cfg!(all(test, loom)) { 64 } else { 256 };
/// Least and first length of a chunk in bytes, unless the builder says otherwise.
pub(super) const FIRST_CHUNK_BYTES: usize = 4096;
/// Greatest length of a chunk in bytes, unless the builder says otherwise.
pub(super) const MOST_CHUNK_BYTES: usize = 1 << 20;

/// What the builder was told of chunks and shards.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) first_chunk: usize,
    pub(crate) most_chunk: usize,
    pub(crate) shards: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        let (first_chunk, most_chunk) = (FIRST_CHUNK_BYTES, MOST_CHUNK_BYTES);
        Self { first_chunk, most_chunk, shards: None }
    }
}

/// See the module's header.
pub(crate) struct Inner {
    pub(super) id: Id<Shard>,
    pub(super) options: Options,
    body: FirstUse<Body>,
}

/// An arena that was used.
pub(crate) struct Body {
    pub(crate) region: Region,
    pub(super) memory: Memory,
    /// The arena's own usage and limit.
    pub(crate) budget: Budget,
    pub(crate) shards: Shards<Shard>,
    pub(super) first_chunk: usize,
    pub(super) most_chunk: usize,
    /// On lines of their own, away from what every refill reads.
    pub(super) shared: CachePadded<SharedChunk>,
    pub(super) outside: CachePadded<Outside>,
    /// All chunks but those of scratch stacks.
    pub(super) extents: List,
    /// The extents of blocks alone, but for those of scratch stacks.
    pub(super) alone: List,
    links: Links,
}

/// What threads without a shard write.
#[derive(Debug, Default)]
pub(super) struct Outside {
    pub(super) allocated: Figure,
    pub(super) freed: Figure,
    /// The value to be dropped first, or 0.
    pub(super) drops: AtomicU64,
    /// Bytes of extents in scratch stacks.
    pub(super) stacks: AtomicUsize,
}

// SAFETY: `links` is used under the region's lock only; the rest is Send and Sync by itself.
unsafe impl Send for Body {}
// SAFETY: as for Send.
unsafe impl Sync for Body {}

impl Client for Body {
    fn region(&self) -> &Region {
        &self.region
    }

    fn set(&self) -> &dyn ShardSet {
        self
    }
}

impl Inner {
    pub(crate) fn new(region: Option<Region>, limit: usize, options: Options) -> Self {
        Self { id: Id::new(), options, body: FirstUse::new(region, limit) }
    }

    /// The body, and what there is of it before the first use.
    pub(crate) fn first_use(&self) -> &FirstUse<Body> {
        &self.body
    }

    /// The body, made at the first call.
    ///
    /// # Errors
    /// The system's, or the global allocator's, refusal; the next call tries again.
    pub(crate) fn body(&self) -> Result<&Body, SystemRefusal> {
        let register = |body: &Body| {
            let set: NonNull<dyn ShardSet> = NonNull::from(body);
            // SAFETY: `register`'s contract: the body does not move (INV-region.first_use-1), and its drop unregisters
            // it (INV-arena.inner-2).
            body.region.section(|section| unsafe { section.register(set) });
        };
        self.body.make(|region| Body::make(region, &self.options), register)
    }

    /// The body, if it was ever made.
    pub(crate) fn made(&self) -> Option<&Body> {
        self.body.made()
    }

    pub(crate) fn made_mut(&mut self) -> Option<&mut Body> {
        self.body.made_mut()
    }

    /// The calling thread's shard, or [`OwnedShard::none`], where the cache does not have it.
    #[cold]
    #[inline(never)]
    pub(super) fn shard_cold(&self) -> &Shard {
        self.body().map_or(Shard::none(), |body| body.shards.find(&body.region, self.id, |_| ()))
    }

    // ---- requests -------------------------------------------------------------------------------------------------

    /// The request that `shard`'s chunk has no room for.
    pub(crate) fn alloc_cold(&self, shard: &Shard, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let body = self.body().map_err(|system| self.refused_by(system, layout))?;
        // Threads may have ended since this one looked for a shard.
        let shard = if shard.is_none() && body.shards.may_adopt() { self.shard_cold() } else { shard };
        if shard.is_none() {
            return body.alloc_outside(layout);
        }
        shard.enter();
        shard.bump(layout).map_or_else(|| body.refill(shard, layout), Ok)
    }

    /// The figures of a first use that the system has refused.
    #[cold]
    pub(super) fn refused_by(&self, system: SystemRefusal, layout: Layout) -> AllocError {
        self.refusal(layout.size(), layout.align(), AllocErrorKind::System(system))
    }

    /// The figures of a refusal.
    #[cold]
    pub(crate) fn refusal(&self, requested: usize, align: usize, kind: AllocErrorKind) -> AllocError {
        let Some(body) = self.made() else {
            // No region could be made: there is nothing to hand out.
            let limit_owner = LimitOwner::New;
            return AllocError { requested, align, usage: 0, limit: 0, largest_free: 0, kind, limit_owner };
        };
        body.refusal(requested, align, kind)
    }
}

impl Body {
    fn make(region: Region, options: &Options) -> Result<Self, SystemRefusal> {
        let shards = Shards::reserve(options.shards.unwrap_or_else(|| default_count(region.capacity())))?;
        Ok(Self {
            memory: region.memory(),
            budget: Budget::new(usize::MAX, region.capacity(), region.slack_divisor()),
            shards,
            first_chunk: options.first_chunk.max(LEAST_CHUNK_BYTES),
            most_chunk: options.most_chunk,
            shared: CachePadded::default(),
            outside: CachePadded::default(),
            extents: List::default(),
            alone: List::default(),
            links: Links::default(),
            region,
        })
    }

    /// Bytes of extents in scratch stacks.
    pub(crate) fn scratch_bytes(&self) -> usize {
        self.outside.stacks.load(Relaxed)
    }

    pub(super) fn links(&self) -> &Links {
        &self.links
    }

    /// Bytes that callers hold, as they asked for them.
    #[cfg(feature = "stats")]
    pub(crate) fn live_bytes(&self) -> usize {
        self.region.section(|_locked| {
            let freed = self.shards.iter().map(Shard::freed).fold(self.outside.freed.get(), u64::wrapping_add);
            let given = self.shards.iter().map(Shard::allocated).fold(self.outside.allocated.get(), u64::wrapping_add);
            crate::sync::wrapped_difference(given, freed)
        })
    }
}
