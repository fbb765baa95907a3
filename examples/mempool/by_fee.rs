//! The order of fee rates: one list a rate through the entries, oldest first, and one bit a rate that has entries.

use sharded_arena::allocator_api2::alloc::Allocator;
use sharded_arena::allocator_api2::collections::TryReserveError;
use sharded_arena::allocator_api2::vec::Vec;

use super::block::FEE_RATES;
use super::slab::{Entry, NONE, Slot};

const WORDS: usize = (FEE_RATES as usize).div_ceil(64);

#[derive(Debug, Clone, Copy)]
struct Ends {
    oldest: Slot,
    newest: Slot,
}

const EMPTY: Ends = Ends { oldest: NONE, newest: NONE };

/// The lists and their bits. Sized once; every operation takes a fixed number of steps.
pub(crate) struct ByFee<A: Allocator> {
    lists: Vec<Ends, A>,
    filled: [u64; WORDS],
}

impl<A: Allocator> ByFee<A> {
    pub(crate) fn new(alloc: A) -> Result<Self, TryReserveError> {
        let mut lists = Vec::new_in(alloc);
        lists.try_reserve_exact(FEE_RATES.into())?;
        lists.resize(FEE_RATES.into(), EMPTY);
        Ok(Self { lists, filled: [0; WORDS] })
    }

    /// The oldest of the entries with the lowest fee rate.
    pub(crate) fn lowest(&self) -> Option<Slot> {
        let word = self.filled.iter().position(|&bits| bits != 0)?;
        Some(self.lists[word * 64 + self.filled[word].trailing_zeros() as usize].oldest)
    }

    /// The oldest of the entries with the highest fee rate.
    pub(crate) fn highest(&self) -> Option<Slot> {
        let word = self.filled.iter().rposition(|&bits| bits != 0)?;
        Some(self.lists[word * 64 + self.filled[word].ilog2() as usize].oldest)
    }

    pub(crate) fn link(&mut self, entries: &mut [Entry], slot: Slot) {
        let rate = usize::from(entries[slot as usize].fee_rate);
        let ends = &mut self.lists[rate];
        let before = ends.newest;
        ends.newest = slot;
        if before == NONE {
            ends.oldest = slot;
            self.filled[rate / 64] |= 1 << (rate % 64);
        } else {
            entries[before as usize].newer = slot;
        }
        let entry = &mut entries[slot as usize];
        entry.older = before;
        entry.newer = NONE;
    }

    pub(crate) fn unlink(&mut self, entries: &mut [Entry], slot: Slot) {
        let Entry { older, newer, fee_rate, .. } = entries[slot as usize];
        let rate = usize::from(fee_rate);
        let ends = &mut self.lists[rate];
        if older == NONE {
            ends.oldest = newer;
        } else {
            entries[older as usize].newer = newer;
        }
        if newer == NONE {
            ends.newest = older;
        } else {
            entries[newer as usize].older = older;
        }
        if ends.oldest == NONE {
            self.filled[rate / 64] &= !(1 << (rate % 64));
        }
    }
}
