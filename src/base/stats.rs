//! Statistics as plain figures. What fills them lives with the part.

use core::fmt;

/// Figures of a [`BestFitArena`](crate::BestFitArena); a chunk is an extent, used or free. `used + free = total`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct BestFitStats {
    /// Bytes handed out, rounding to the granule included.
    pub used: usize,
    /// Bytes in free chunks.
    pub free: usize,
    /// Bytes managed: the whole granules between the rounded-up base and the end.
    pub total: usize,
    /// Blocks handed out.
    pub chunks_used: usize,
    /// Free chunks; no two of them are neighbours.
    pub chunks_free: usize,
    /// Length of the longest free chunk in bytes.
    pub largest_free: usize,
}

impl fmt::Display for BestFitStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { used, free, total, chunks_used, chunks_free, largest_free } = self;
        write!(
            f,
            "{used} of {total} bytes used in {chunks_used} chunks, {free} free in {chunks_free} chunks, the longest of \
             {largest_free}"
        )
    }
}

/// Figures of a [`Region`](crate::Region). Sizes are bytes. Those under the lock belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RegionStats {
    /// Address space that can be handed out.
    pub capacity: usize,
    /// What may be handed out at once.
    pub limit: usize,
    /// What is handed out.
    pub usage: usize,
    /// Greatest usage so far.
    pub peak: usize,
    /// What the index could still hand out, the limit aside.
    pub free: usize,
    /// Longest free range.
    pub largest_free: usize,
    /// Number of extents handed out.
    pub extents_used: usize,
    /// Number of free ranges.
    pub extents_free: usize,
    /// What shards may hold idle now, part of `usage` as far as it is filled.
    pub leased: usize,
    /// Charged to reservations and not yet drawn, part of `usage`.
    pub reserved: usize,
    /// Freed and unreadable in guard mode, part of `usage`; see
    /// [`RegionBuilder::guard_mode`](crate::RegionBuilder::guard_mode).
    pub quarantined: usize,
    /// What the index has in memory; outside the limit, unless
    /// [`RegionBuilder::limit_covers_index`](crate::RegionBuilder::limit_covers_index) is set.
    pub index_bytes: usize,
    /// What is charged for the index then, part of `usage`; 0 otherwise.
    pub index_charged: usize,
    /// What the region has in memory outside the limit: the index, and the shards, nodes and tables of heaps, arenas,
    /// pools and interners, with what the global allocator gave for them.
    pub metadata_bytes: usize,
}

impl fmt::Display for RegionStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "usage {} of {} bytes (peak {}, capacity {}), free {} in {} ranges, longest {}, {} extents used, leased {}, \
             reserved {}, quarantined {}, metadata {}",
            self.usage,
            self.limit,
            self.peak,
            self.capacity,
            self.free,
            self.extents_free,
            self.largest_free,
            self.extents_used,
            self.leased,
            self.reserved,
            self.quarantined,
            self.metadata_bytes
        )
    }
}

/// Figures of a [`Heap`](crate::Heap). Sizes are bytes; read one by one while threads work, exact when quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct HeapStats {
    /// The heap's own limit, or the region's if that is lower.
    pub limit: usize,
    /// What the heap has taken from the region.
    pub usage: usize,
    /// Greatest usage so far.
    pub peak: usize,
    /// What callers hold, as they asked for it.
    #[cfg(feature = "stats")]
    pub live_bytes: usize,
    /// What the heap's shards may hold idle now.
    pub leased: usize,
    /// Shards with an owner, living or ended and not yet swept.
    pub shards_owned: usize,
    /// Shards there are.
    pub shards: usize,
    /// Frees that were wrong and were found and dropped when a magazine was flushed.
    pub invalid_frees: u64,
}

impl fmt::Display for HeapStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "usage {} of {} bytes (peak {})", self.usage, self.limit, self.peak)?;
        #[cfg(feature = "stats")]
        write!(f, ", live {}", self.live_bytes)?;
        write!(
            f,
            ", leased {}, shards {} of {}, invalid frees {}",
            self.leased, self.shards_owned, self.shards, self.invalid_frees
        )
    }
}

/// Figures of an [`Arena`](crate::Arena). Sizes are bytes; read one by one while threads work, exact when quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ArenaStats {
    /// The arena's own limit, or the region's if that is lower.
    pub limit: usize,
    /// What the arena has taken from the region.
    pub usage: usize,
    /// Greatest usage so far.
    pub peak: usize,
    /// What callers hold, as they asked for it, scratch stacks apart.
    #[cfg(feature = "stats")]
    pub live_bytes: usize,
    /// What scratch stacks have taken, part of `usage`.
    pub scratch_bytes: usize,
    /// Length of the chunks in use: what may be idle of them.
    pub leased: usize,
    /// Shards with an owner, living or ended and not yet swept.
    pub shards_owned: usize,
    /// Shards there are.
    pub shards: usize,
}

impl fmt::Display for ArenaStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "usage {} of {} bytes (peak {})", self.usage, self.limit, self.peak)?;
        #[cfg(feature = "stats")]
        write!(f, ", live {}", self.live_bytes)?;
        let Self { scratch_bytes, leased, shards_owned, shards, .. } = self;
        write!(f, ", scratch {scratch_bytes}, leased {leased}, shards {shards_owned} of {shards}")
    }
}

/// Figures of a [`Pool`](crate::Pool). Read one by one while threads work, exact when quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PoolStats {
    /// The pool's own limit in bytes, or the region's if that is lower.
    pub limit: usize,
    /// Bytes that the pool has taken from the region.
    pub usage: usize,
    /// Greatest usage so far.
    pub peak: usize,
    /// Number of values.
    pub len: usize,
    /// Slots there are.
    pub slots: usize,
    /// Slots whose 2^32 keys are spent: they count as in use until the pool is cleared.
    pub retired: usize,
}

impl fmt::Display for PoolStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, usage, peak, len, slots, retired } = self;
        write!(f, "usage {usage} of {limit} bytes (peak {peak}), {len} values in {slots} slots, {retired} spent")
    }
}
