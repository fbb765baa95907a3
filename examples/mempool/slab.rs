//! The entries of one stripe: a table of fixed length in the pool's heap, one cache line an entry.

use sharded_arena::allocator_api2::alloc::Allocator;
use sharded_arena::allocator_api2::collections::TryReserveError;
use sharded_arena::allocator_api2::vec::Vec;

use super::block::Id;
use super::record::Record;

/// A place in the table.
pub(crate) type Slot = u32;

/// No place: the end of a list.
pub(crate) const NONE: Slot = Slot::MAX;

/// What the pool knows of one transaction. The links belong to the lists of `by_fee` and `by_id`.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Entry {
    pub(crate) id: Id,
    /// The stored bytes; `None` where the slot is vacant.
    pub(crate) record: Option<Record>,
    /// Which transaction of the block this is a copy of.
    pub(crate) source: u32,
    pub(crate) fee_rate: u16,
    pub(crate) newer: Slot,
    pub(crate) older: Slot,
    /// The next entry with the same place among the ids, or the next vacant slot.
    pub(crate) beside: Slot,
}

const _: () = assert!(size_of::<Entry>() == 64, "an entry is one cache line");

/// The table and its list of vacant slots. It is sized once and never grows.
pub(crate) struct Slab<A: Allocator> {
    entries: Vec<Entry, A>,
    first_vacant: Slot,
    len: usize,
}

impl<A: Allocator> Slab<A> {
    pub(crate) fn with_capacity(slots: usize, alloc: A) -> Result<Self, TryReserveError> {
        let mut entries = Vec::new_in(alloc);
        entries.try_reserve_exact(slots)?;
        Ok(Self { entries, first_vacant: NONE, len: 0 })
    }

    /// Number of entries there is still room for.
    pub(crate) fn vacant(&self) -> usize {
        self.entries.capacity() - self.len
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn entries_mut(&mut self) -> &mut [Entry] {
        &mut self.entries
    }

    /// Places `entry`; the slab must not be full.
    pub(crate) fn insert(&mut self, entry: Entry) -> Slot {
        assert!(self.vacant() > 0, "the slab never grows");
        self.len += 1;
        if self.first_vacant == NONE {
            self.entries.push(entry);
            Slot::try_from(self.entries.len() - 1).expect("a stripe has fewer than 2^32 slots")
        } else {
            let slot = self.first_vacant;
            let place = &mut self.entries[slot as usize];
            self.first_vacant = place.beside;
            *place = entry;
            slot
        }
    }

    /// Vacates a slot that is in no list any more, and hands out its record.
    pub(crate) fn remove(&mut self, slot: Slot) -> Option<Record> {
        let place = &mut self.entries[slot as usize];
        let record = place.record.take();
        if record.is_some() {
            place.beside = self.first_vacant;
            self.first_vacant = slot;
            self.len -= 1;
        }
        record
    }
}
