//! `HeapBuilder`: the options of a heap.

use crate::base::error::RegionError;
use crate::region::Region;
use crate::sync::Arc;

use super::quarantine::{self, WaitingBlocks};
use super::{Heap, Inner};

/// Options of a heap; see [`Heap::builder`].
///
/// ```
/// use sharded_arena::{Heap, Region};
/// let region = Region::with_capacity(1 << 20)?;
/// let heap = Heap::builder().region(&region).limit(64 << 10).checked(true).build()?;
/// assert_eq!(heap.limit(), 64 << 10);
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct HeapBuilder {
    region: Option<Region>,
    capacity: usize,
    limit: Option<usize>,
    shards: Option<usize>,
    checked: bool,
    quarantine: Option<usize>,
}

impl HeapBuilder {
    /// The region to share; without one the heap makes its own.
    pub fn region(mut self, region: &Region) -> Self {
        self.region = Some(region.clone());
        self
    }

    /// Bytes of the heap's own region, 4 KiB to 64 GiB − 4 KiB; required without [`region`](Self::region), else
    /// ignored.
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }

    /// Bytes the heap may take from its region; only the region's limit holds unless set.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = Some(bytes);
        self
    }

    /// Sets how many threads may have magazines of their own at the same time, at least one; those beyond take the lock
    /// for each call. The lesser of four times the processors and one for 64 KiB of capacity unless set. Ignored in a
    /// heap that caches nothing.
    pub fn max_shards(mut self, threads: usize) -> Self {
        self.shards = Some(threads.max(1));
        self
    }

    /// Checks every free against the index, on whichever thread, and lets the last ones wait in quarantine, so that an
    /// invalid or a double free, or a layout of another length (to 16 bytes), is reported at the call. Nothing is
    /// cached; every call takes the lock.
    pub fn checked(mut self, on: bool) -> Self {
        self.checked = on;
        self
    }

    /// Freed blocks that wait in the quarantine of a checked heap; 256 unless set, ignored in others. They count as
    /// usage, and give way, oldest first, before a request is refused.
    pub fn quarantine(mut self, blocks: usize) -> Self {
        self.quarantine = Some(blocks);
        self
    }

    /// Makes the heap.
    ///
    /// # Errors
    /// As [`Region::with_capacity`] for a region of its own; `System` without memory for the quarantine.
    pub fn build(self) -> Result<Heap, RegionError> {
        let region = match self.region {
            Some(region) => region,
            None => Region::with_capacity(self.capacity)?,
        };
        let length = self.quarantine.unwrap_or(quarantine::LENGTH);
        let quarantine = self.checked.then(|| WaitingBlocks::reserve(length)).transpose()?;
        Ok(Heap { inner: Arc::new(Inner::new(region, self.limit.unwrap_or(usize::MAX), self.shards, quarantine)) })
    }
}
