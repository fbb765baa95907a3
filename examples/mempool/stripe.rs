//! One stripe of the index: its entries, found by id and in the order of their fee rates. All of it is sized once.

use sharded_arena::allocator_api2::alloc::Allocator;
use sharded_arena::allocator_api2::collections::TryReserveError;

use super::block::{FEE_RATES, Id};
use super::by_fee::ByFee;
use super::by_id::ById;
use super::record::{PREFIX_BYTES, Record};
use super::slab::{Entry, NONE, Slab, Slot};

/// Lists of ids for each entry: with two a search seldom has to look at an entry in vain, which would be a cache miss.
const LISTS_PER_ENTRY: usize = 2;

/// Bytes of the index for each entry there is room for: the entry and the heads of its lists.
pub(crate) const BYTES_PER_ENTRY: usize = size_of::<Entry>() + LISTS_PER_ENTRY * size_of::<Slot>();

/// Bytes of the index for each stripe, whatever its capacity: the ends of the lists of fee rates.
pub(crate) const BYTES_PER_STRIPE: usize = FEE_RATES as usize * 2 * size_of::<Slot>();

/// A transaction to be placed in the index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Newcomer {
    pub(crate) id: Id,
    pub(crate) fee_rate: u16,
    pub(crate) source: u32,
}

/// Why a transaction was not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// Nothing with a lower fee rate was found: of all that want the memory, it is itself the one to go.
    Lowest,
    /// Its admission would evict more than four times its size, or nothing is left to evict.
    TooCostly,
    /// There would be no room for it even without all that pay less.
    TooLong,
}

pub(crate) struct Stripe<A: Allocator> {
    slab: Slab<A>,
    by_id: ById<A>,
    by_fee: ByFee<A>,
}

impl<A: Allocator + Copy> Stripe<A> {
    pub(crate) fn with_capacity(entries: usize, alloc: A) -> Result<Self, TryReserveError> {
        Ok(Self {
            slab: Slab::with_capacity(entries, alloc)?,
            by_id: ById::with_capacity(entries * LISTS_PER_ENTRY, alloc)?,
            by_fee: ByFee::new(alloc)?,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.slab.len() + self.slab.vacant()
    }

    pub(crate) fn vacant(&self) -> usize {
        self.slab.vacant()
    }

    pub(crate) fn contains(&self, id: &Id) -> bool {
        self.by_id.find(self.slab.entries(), id).is_some()
    }

    /// The lowest fee rate here.
    pub(crate) fn floor(&self) -> Option<u16> {
        self.by_fee.lowest().map(|slot| self.slab.entries()[slot as usize].fee_rate)
    }

    /// Places a transaction; the stripe must not be full.
    pub(crate) fn insert(&mut self, newcomer: Newcomer, record: Record) {
        let Newcomer { id, fee_rate, source } = newcomer;
        let record = Some(record);
        let entry = Entry { id, record, source, fee_rate, newer: NONE, older: NONE, beside: NONE };
        let slot = self.slab.insert(entry);
        self.by_id.link(self.slab.entries_mut(), slot);
        self.by_fee.link(self.slab.entries_mut(), slot);
    }

    /// Takes out the transaction with the lowest fee rate, if that is below `newcomer`'s and it is at most `allowance`
    /// bytes long.
    pub(crate) fn evict_below(&mut self, fee_rate: u16, allowance: usize) -> Result<(Record, usize), Rejection> {
        let slot = self.by_fee.lowest().ok_or(Rejection::TooCostly)?;
        let victim = &self.slab.entries()[slot as usize];
        let tx_bytes = victim.record.as_ref().map_or(0, Record::len).saturating_sub(PREFIX_BYTES);
        if victim.fee_rate >= fee_rate {
            return Err(Rejection::Lowest);
        }
        if tx_bytes > allowance {
            return Err(Rejection::TooCostly);
        }
        let record = self.remove_slot(slot).ok_or(Rejection::TooCostly)?;
        Ok((record, tx_bytes))
    }

    /// Moves the `count` transactions that pay best to `records`; `false` where there were none.
    pub(crate) fn take_best(&mut self, count: usize, records: &mut Vec<Record>) -> bool {
        let before = records.len();
        records.extend((0..count).map_while(|_| self.by_fee.highest().and_then(|slot| self.remove_slot(slot))));
        records.len() > before
    }

    /// The entries in use.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.slab.entries().iter().filter(|entry| entry.record.is_some())
    }

    pub(crate) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.slab.entries_mut().iter_mut().filter(|entry| entry.record.is_some())
    }

    fn remove_slot(&mut self, slot: Slot) -> Option<Record> {
        self.by_fee.unlink(self.slab.entries_mut(), slot);
        self.by_id.unlink(self.slab.entries_mut(), slot);
        self.slab.remove(slot)
    }
}
