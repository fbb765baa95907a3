//! `WaitingBlocks`: where a checked heap lets freed blocks wait, so that a second free of one is caught.
//!
//! A ring of extents, still live in the index and charged, and the chains of a hash table over their offsets. Used
//! inside the region's critical section only: its words are single-writer words whose writer is the holder of the lock.
//!
//! - INV-heap.quarantine-1: a place is on the chain of its block's offset if and only if the block waits. There are
//!   at least as many chains as places.

use crate::base::error::RegionError;
use crate::base::extent::Extent;
use crate::base::steps::step;
use crate::memory::table::{Table, Zeroable};
use crate::region::Section;
use crate::sync::Owned32;

/// Frees that wait unless the builder says otherwise.
pub(super) const LENGTH: usize = 256;

#[derive(Debug, Default)]
struct WaitingBlock {
    offset: Owned32,
    len: Owned32,
    /// The next place of the chain.
    next: Link,
}

/// A place plus one, or 0 for none.
#[derive(Debug, Default)]
#[repr(transparent)]
struct Link(Owned32);

// SAFETY: an atomic integer.
#[expect(unsafe_code, reason = "asserts that zero bytes are a link")]
unsafe impl Zeroable for Link {
    fn zeroed() -> Self {
        Self::default()
    }
}

// SAFETY: atomic integers.
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
    /// Where each chain begins: a power of two of them.
    chains: Table<Link>,
    first: Owned32,
    count: Owned32,
}

impl WaitingBlocks {
    /// A quarantine for `length` blocks.
    ///
    /// # Errors
    /// The global allocator's or the operating system's refusal.
    pub(super) fn reserve(length: usize) -> Result<Self, RegionError> {
        let (places, chains) = (Table::reserve(length)?, Table::reserve(length.next_power_of_two())?);
        Ok(Self { places, chains, first: Owned32::zero(), count: Owned32::zero() })
    }

    /// Index of the place that is `step` places behind the first.
    fn index(&self, step: u32) -> usize {
        (self.first.get() as usize + step as usize) % self.places.len()
    }

    /// Bytes of the places, as if all had been used.
    pub(super) fn metadata_bytes(&self) -> usize {
        self.places.used_bytes(self.places.len())
    }

    fn place(&self, step: u32) -> &WaitingBlock {
        &self.places[self.index(step)]
    }

    /// The chain of `offset`. Offsets of blocks of a few sizes are regular, so all of their bits are mixed, by the
    /// finaliser of `MurmurHash3`.
    fn chain(&self, offset: u32) -> &Link {
        let mut hash = offset ^ offset >> 16;
        hash = hash.wrapping_mul(0x85EB_CA6B);
        hash = (hash ^ hash >> 13).wrapping_mul(0xC2B2_AE35);
        hash ^= hash >> 16;
        &self.chains[hash as usize & (self.chains.len() - 1)]
    }

    /// The link, on the chain of `offset`, to the first place that `is` says, or the chain's end.
    fn link_to(&self, offset: u32, is: impl Fn(usize) -> bool) -> &Link {
        let mut link = self.chain(offset);
        while let Some(index) = (link.0.get() as usize).checked_sub(1) {
            step();
            if is(index) {
                break;
            }
            link = &self.places[index].next;
        }
        link
    }

    /// Whether the block at `offset` waits here.
    pub(super) fn contains(&self, _locked: &Section<'_>, offset: u32) -> bool {
        self.link_to(offset, |index| self.places[index].offset.get() == offset).0.get() != 0
    }

    /// Puts `extent` last, and takes out what must leave for it: the oldest, or itself if the quarantine has no place.
    #[expect(clippy::cast_possible_truncation, reason = "an index of a short table")]
    pub(super) fn push(&self, locked: &mut Section<'_>, extent: Extent) -> Option<Extent> {
        if self.places.is_empty() {
            return Some(extent);
        }
        let oldest = if self.count.get() as usize == self.places.len() { self.pop(locked) } else { None };
        let (place, chain) = (self.place(self.count.get()), self.chain(extent.offset));
        place.offset.set(extent.offset);
        place.len.set(extent.len);
        place.next.0.set(chain.0.get());
        chain.0.set(self.index(self.count.get()) as u32 + 1);
        self.count.set(self.count.get() + 1);
        locked.begin_wait(extent);
        oldest
    }

    /// Takes the oldest out.
    #[expect(clippy::cast_possible_truncation, reason = "an index of a short table")]
    pub(super) fn pop(&self, locked: &mut Section<'_>) -> Option<Extent> {
        let count = self.count.get().checked_sub(1)?;
        let (at, place) = (self.index(0), self.place(0));
        let extent = Extent::new(place.offset.get(), place.len.get());
        self.link_to(extent.offset, |index| index == at).0.set(place.next.0.get());
        locked.end_wait(extent);
        self.first.set(((at + 1) % self.places.len()) as u32);
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

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::Heap;
    use crate::base::steps::steps_of;
    use crate::boxed::Box;

    #[test]
    fn frees_look_at_two_places_however_many_wait() {
        const COUNT: usize = 1_000;
        for length in [1, 256, 25_600] {
            let heap = Heap::builder().capacity(64 << 20).checked(true).quarantine(length).build().unwrap();
            let round = |n: usize| drop((Box::new_in([0u8; 64], &heap), Box::new_in([0u8; 200], &heap), n));
            (0..length / 2).for_each(round);
            let steps = steps_of(|| (0..COUNT / 2).for_each(round));
            assert!(steps <= 4 * COUNT, "{steps} steps for {COUNT} frees, of which {length} wait");
        }
    }
}
