//! Finding entries by id: a table of short lists through the entries themselves.
//!
//! An open-addressing table would have to be rebuilt, or grow, once removals have filled it with tombstones; at the
//! limit there is no memory for that. Here an insertion or a removal needs none.

use sharded_arena::allocator_api2::alloc::Allocator;
use sharded_arena::allocator_api2::collections::TryReserveError;
use sharded_arena::allocator_api2::vec::Vec;

use super::block::Id;
use super::slab::{Entry, NONE, Slot};

/// The heads of the lists. Sized once; ids are hashes already, so eight of their bytes choose the list.
pub(crate) struct ById<A: Allocator> {
    heads: Vec<Slot, A>,
}

impl<A: Allocator> ById<A> {
    pub(crate) fn with_capacity(lists: usize, alloc: A) -> Result<Self, TryReserveError> {
        let mut heads = Vec::new_in(alloc);
        heads.try_reserve_exact(lists)?;
        heads.resize(lists, NONE);
        Ok(Self { heads })
    }

    pub(crate) fn find(&self, entries: &[Entry], id: &Id) -> Option<Slot> {
        let mut slot = self.heads[self.list_of(id)];
        while slot != NONE {
            let entry = &entries[slot as usize];
            if entry.id == *id {
                return Some(slot);
            }
            slot = entry.beside;
        }
        None
    }

    pub(crate) fn link(&mut self, entries: &mut [Entry], slot: Slot) {
        let list = self.list_of(&entries[slot as usize].id);
        entries[slot as usize].beside = self.heads[list];
        self.heads[list] = slot;
    }

    pub(crate) fn unlink(&mut self, entries: &mut [Entry], slot: Slot) {
        let list = self.list_of(&entries[slot as usize].id);
        let next = entries[slot as usize].beside;
        if self.heads[list] == slot {
            self.heads[list] = next;
            return;
        }
        let mut before = self.heads[list];
        while before != NONE {
            let entry = &mut entries[before as usize];
            if entry.beside == slot {
                entry.beside = next;
                return;
            }
            before = entry.beside;
        }
    }

    fn list_of(&self, id: &Id) -> usize {
        let word = u32::from_le_bytes([id[8], id[9], id[10], id[11]]);
        let scaled = (u64::from(word) * self.heads.len() as u64) >> 32;
        usize::try_from(scaled).expect("below the number of lists")
    }
}
