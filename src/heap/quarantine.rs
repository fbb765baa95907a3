//! `WaitingBlocks`: where a checked heap lets freed blocks wait, so that a second free of one is caught.
//!
//! A ring of extents, still live in the index and charged. Used inside the region's critical section only: its words
//! are single-writer words whose writer is the holder of the lock.

use crate::base::error::RegionError;
use crate::base::extent::Extent;
use crate::memory::table::{Table, Zeroable};
use crate::region::Section;
use crate::sync::Owned32;

/// Frees that wait unless the builder says otherwise.
pub(super) const LENGTH: usize = 256;

#[derive(Debug, Default)]
struct WaitingBlock {
    offset: Owned32,
    len: Owned32,
}

// SAFETY: two atomic integers.
#[expect(unsafe_code, reason = "asserts that zero bytes are a place")]
unsafe impl Zeroable for WaitingBlock {
    fn zeroed() -> Self {
        Self::default()
    }
}

/// See the module's header.
#[derive(Debug)]
pub(super) struct WaitingBlocks {
    places: Table<WaitingBlock>,
    first: Owned32,
    count: Owned32,
}

impl WaitingBlocks {
    /// A quarantine for `length` blocks.
    ///
    /// # Errors
    /// The global allocator's or the operating system's refusal.
    pub(super) fn reserve(length: usize) -> Result<Self, RegionError> {
        Ok(Self { places: Table::reserve(length)?, first: Owned32::zero(), count: Owned32::zero() })
    }

    /// Bytes of the places, as if all had been used.
    pub(super) fn metadata_bytes(&self) -> usize {
        self.places.used_bytes(self.places.len())
    }

    fn place(&self, step: u32) -> &WaitingBlock {
        &self.places[(self.first.get() as usize + step as usize) % self.places.len()]
    }

    /// Whether the block at `offset` waits here.
    pub(super) fn contains(&self, _locked: &Section<'_>, offset: u32) -> bool {
        (0..self.count.get()).any(|step| self.place(step).offset.get() == offset)
    }

    /// Puts `extent` last, and takes out what must leave for it: the oldest, or itself if the quarantine has no place.
    pub(super) fn push(&self, locked: &mut Section<'_>, extent: Extent) -> Option<Extent> {
        if self.places.is_empty() {
            return Some(extent);
        }
        let oldest = if self.count.get() as usize == self.places.len() { self.pop(locked) } else { None };
        let place = self.place(self.count.get());
        place.offset.set(extent.offset);
        place.len.set(extent.len);
        self.count.set(self.count.get() + 1);
        locked.begin_wait(extent);
        oldest
    }

    /// Takes the oldest out.
    #[expect(clippy::cast_possible_truncation, reason = "an index of a short table")]
    pub(super) fn pop(&self, locked: &mut Section<'_>) -> Option<Extent> {
        let count = self.count.get().checked_sub(1)?;
        let place = self.place(0);
        let extent = Extent::new(place.offset.get(), place.len.get());
        locked.end_wait(extent);
        self.first.set(((self.first.get() as usize + 1) % self.places.len()) as u32);
        self.count.set(count);
        Some(extent)
    }

    /// Calls `each` for every block that waits.
    pub(super) fn for_each(&self, _locked: &Section<'_>, each: &mut dyn FnMut(Extent)) {
        for step in 0..self.count.get() {
            let place = self.place(step);
            each(Extent::new(place.offset.get(), place.len.get()));
        }
    }
}
