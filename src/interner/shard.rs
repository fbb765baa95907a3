//! `Shard`: what the holder of a shard's lock has: the text its strings go to, and how full its table is.
//!
//! - INV-interner.shard-1: `used` entries of the newest table are not empty: at most three in four, or, where the
//!   region refuses a longer table, seven in eight.
//! - INV-interner.shard-2: `tables[n]` is the granule of the `n`-th table of the shard, plus one; 0: it is not made, or
//!   was given back.
#![expect(unsafe_code, reason = "extents are given back")]

use core::alloc::Layout;

use super::index::{self, Entries, Hash, Index, LENGTHS, NewTable};
use super::text::{RecordAt, Room, Text};
use crate::base::error::AllocError;
use crate::base::extent::Extent;
use crate::base::size_class::GRANULE_BYTES;
use crate::region::{Account, Memory};

/// See the module's header.
#[derive(Debug, Default)]
pub(super) struct Shard {
    text: Text,
    used: usize,
    tables: [u32; LENGTHS],
}

/// What a new string needs.
#[derive(Clone, Copy)]
pub(super) struct NewString {
    /// Bytes of its record.
    pub(super) bytes: usize,
    /// As the caller asked for it: what an error names.
    pub(super) layout: Layout,
}

/// What was taken for one new string, and can be given back.
pub(super) struct Prepared {
    pub(super) room: Room,
    /// A longer table, where it is due.
    pub(super) table: Option<NewTable>,
}

impl Prepared {
    /// The string is refused after all, by `error`, which names all that was asked for from now on.
    pub(super) fn give_back(self, account: &Account, mut error: AllocError) -> AllocError {
        let extents = self.room.taken().into_iter().chain(self.table.map(|made| made.taken()));
        for extent in extents {
            error.requested = error.requested.saturating_add(extent.len as usize * GRANULE_BYTES);
            // SAFETY: `give_back_untold`'s contract: just taken, named once, and nobody was told.
            unsafe { account.give_back_untold(extent) };
        }
        error
    }
}

impl Shard {
    /// Takes what a new string needs beside its number. Nothing of the shard has changed yet.
    pub(super) fn prepare(
        &self,
        account: &Account,
        memory: Memory,
        entries: Option<Entries<'_>>,
        wanted: NewString,
    ) -> Result<Prepared, AllocError> {
        let NewString { bytes, layout } = wanted;
        let mut prepared = Prepared { room: self.text.prepare(account, bytes, layout)?, table: None };
        let len = entries.map_or(0, Entries::len);
        if self.used >= len / 2 + len / 4 {
            match Index::make(account, memory, entries, layout) {
                Ok(made) => prepared.table = Some(made),
                // Slower, but not refused while there is room for its text.
                Err(_) if self.used < len - len.div_ceil(8) => {}
                Err(error) => return Err(prepared.give_back(account, error)),
            }
        }
        Ok(prepared)
    }

    /// The next record, in `room`, which [`Shard::prepare`] has found.
    pub(super) fn commit_text(&mut self, memory: Memory, room: Room, bytes: usize) -> RecordAt {
        self.text.commit(memory, room, bytes)
    }

    /// Publishes a record, in `made` where that is due, else in the empty entry that was found.
    pub(super) fn commit_entry(
        &mut self,
        index: &Index,
        memory: Memory,
        entries: Option<Entries<'_>>,
        made: Option<NewTable>,
        (at, hash, record): (usize, Hash, RecordAt),
    ) {
        self.used += 1;
        if let Some(made) = made {
            let (nth, granule) = index.publish(memory, made, entries, hash, record);
            self.tables[nth] = granule + 1;
        } else if let Some(entries) = entries {
            entries.put(at, hash, record);
        }
    }

    /// The extents of all tables but the newest, which are forgotten.
    pub(super) fn old_tables(&mut self) -> impl Iterator<Item = Extent> {
        let newest = self.tables.iter().rposition(|granule| *granule != 0);
        self.forget_tables(newest.unwrap_or(0))
    }

    /// The extents of the first `count` tables, which are forgotten.
    fn forget_tables(&mut self, count: usize) -> impl Iterator<Item = Extent> {
        let tables = self.tables[..count].iter_mut().enumerate();
        tables.filter_map(|(nth, granule)| Some(index::extent(nth, core::mem::take(granule).checked_sub(1)?)))
    }

    /// Gives everything back.
    ///
    /// # Safety
    /// `account` is the one that everything was taken with; nobody refers to a record, or looks into a table.
    pub(super) unsafe fn close(&mut self, account: &Account, memory: Memory) {
        // SAFETY: `give_back`'s contract: tables of this shard (INV-interner.shard-2), each once; nobody looks into
        // them.
        unsafe { account.give_back(self.forget_tables(LENGTHS)) };
        // SAFETY: this function's contract.
        let text = core::iter::from_fn(|| unsafe { self.text.unlink(memory) });
        // SAFETY: `give_back`'s contract: extents of the chain (INV-interner.text-3), each once; nobody refers to them.
        unsafe { account.give_back(text) };
    }
}
