//! `ArenaBuilder`: the options of an arena.

use crate::base::error::RegionError;
use crate::region::Region;

use super::Arena;
use super::inner::Options;

/// Options of an arena; see [`Arena::builder`].
///
/// ```
/// use sharded_arena::{Arena, Region};
/// let region = Region::with_capacity(1 << 20)?;
/// let arena = Arena::builder().region(&region).limit(64 << 10).first_chunk(1 << 10).build()?;
/// assert_eq!(arena.limit(), 64 << 10);
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct ArenaBuilder {
    region: Option<Region>,
    capacity: Option<usize>,
    options: Options,
}

impl ArenaBuilder {
    /// The region to share; without one, and without a capacity, the arena makes one as large as the machine's memory.
    pub fn region(mut self, region: &Region) -> Self {
        self.region = Some(region.clone());
        self
    }

    /// Bytes of the arena's own region, 4 KiB to 64 GiB − 4 KiB; ignored beside [`region`](Self::region).
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = Some(bytes);
        self
    }

    /// Bytes the arena may take from its region; only the region's limit holds unless set.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.options.limit = bytes;
        self
    }

    /// Bytes of a thread's first chunk, and the least of a later one: 4 KiB unless set. A chunk is never longer than
    /// what its thread may hold idle.
    pub fn first_chunk(mut self, bytes: usize) -> Self {
        self.options.first_chunk = bytes;
        self
    }

    /// Bytes of the longest chunk: 1 MiB unless set, and at least the first.
    pub fn max_chunk(mut self, bytes: usize) -> Self {
        self.options.most_chunk = bytes;
        self
    }

    /// Threads that may have a chunk of their own at the same time, at least one; those beyond share one. The lesser of
    /// four times the processors and one for 64 KiB of capacity unless set.
    pub fn max_shards(mut self, threads: usize) -> Self {
        self.options.shards = Some(threads.max(1));
        self
    }

    /// Makes the arena. Its shards are made at its first use.
    ///
    /// # Errors
    /// As [`Region::with_capacity`] for a region of its own.
    pub fn build(self) -> Result<Arena, RegionError> {
        let own = |bytes| Region::with_capacity(bytes);
        let region = self.region.map_or_else(|| self.capacity.map(own).transpose(), |region| Ok(Some(region)))?;
        Ok(Arena::with_options(region, self.options))
    }
}
