//! `Index`: a shard's open-addressing table in the region's memory, which doubles; a look-up takes no lock.
//!
//! An entry is one word: a record's offset by 4, above 30 bits of its string's hash, the tag; 0 is none. The tag's low
//! bits are the entry's home, so a table grows without a look at its strings. Entries are never taken out.
//!
//! - INV-interner.index-1: `head` names the newest table, an extent of `1 << bits` entries that were zeroed before; the
//!   older ones stand until nobody looks into them: the interner's drop, or `freeze`, which has the interner alone.
//! - INV-interner.index-2: an entry that is not zero names a record that was written before the entry's store.
//! - INV-interner.index-3: one entry in eight is empty in every table, or one of two, so a look-up ends.
//!
//! Written under the shard's lock; read without. Who reads an older table may miss what is new, and looks again under
//! the lock.
//!
//! Two bodies: in the region's memory, or, under the model checker, whose words are not plain bytes, beside it.
#![expect(unsafe_code, reason = "refers to entries in the region's memory")]

use core::alloc::Layout;

use super::text::{RECORD_ALIGN, RecordAt};
use crate::base::error::{AllocError, AllocErrorKind};
use crate::base::extent::Extent;
use crate::region::{Account, Client, Memory};
use crate::sync::{Acquire, AtomicU64, Ghost, Relaxed, Release};

/// Bits of a hash in an entry.
const TAG_BITS: u32 = 30;
const TAG_MASK: u64 = (1 << TAG_BITS) - 1;
/// Bits of the length of a shard's first table.
const FIRST_BITS: u32 = if cfg!(all(test, loom)) { 1 } else { 4 };
/// Bits of the length of the longest table: a tag knows no home beyond.
const LAST_BITS: u32 = TAG_BITS;
/// Tables that a shard may have had.
pub(super) const LENGTHS: usize = (LAST_BITS - FIRST_BITS + 1) as usize;

/// A string's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hash(pub(crate) u64);

impl Hash {
    /// Which of `count` shards, a power of two, has the string.
    #[inline(always)]
    pub(super) fn shard(self, count: usize) -> usize {
        // The upper half: what is left of it fits any address space.
        (self.0 >> 48) as usize & (count - 1)
    }

    #[inline(always)]
    fn tag(self) -> u64 {
        self.0 & TAG_MASK
    }
}

/// An entry of a table.
#[repr(C)]
pub(super) struct Entry {
    word: AtomicU64,
    ghost: Ghost,
}

impl Entry {
    fn empty() -> Self {
        Self { word: AtomicU64::new(0), ghost: Ghost::new() }
    }
}

/// What an entry says.
#[derive(Debug, Clone, Copy)]
struct EntryWord(u64);

impl EntryWord {
    const EMPTY: EntryWord = EntryWord(0);

    fn new(record: RecordAt, hash: Hash) -> Self {
        Self((record.0 / RECORD_ALIGN as u64) << TAG_BITS | hash.tag())
    }
    #[inline(always)]
    fn is_empty(self) -> bool {
        self.0 == Self::EMPTY.0
    }
    #[inline(always)]
    fn may_be(self, hash: Hash) -> bool {
        (self.0 ^ hash.0) & TAG_MASK == 0
    }
    #[inline(always)]
    fn record(self) -> RecordAt {
        RecordAt((self.0 >> TAG_BITS) * RECORD_ALIGN as u64)
    }
}

/// Where a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lookup {
    /// The string has this number.
    Number(u32),
    /// The string is not there; this entry is empty.
    Not(usize),
}

/// The entries of one table, a power of two of them.
#[derive(Clone, Copy)]
pub(super) struct Entries<'a>(&'a [Entry]);

impl<'a> Entries<'a> {
    pub(super) fn len(self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    fn at(self, index: usize) -> &'a Entry {
        let mask = self.0.len() - 1;
        // SAFETY: `get_unchecked`: the length is a power of two (INV-interner.index-1), so no index has a bit beyond
        // its mask.
        unsafe { self.0.get_unchecked(index & mask) }
    }

    /// The entry at which a search for `hash` begins.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "30 bits")]
    pub(super) fn home(self, hash: Hash) -> usize {
        hash.tag() as usize & (self.0.len() - 1)
    }

    /// Looks for `text` from entry `from` on, its home or where an earlier search in this table has ended.
    #[inline(always)]
    pub(super) fn find(self, memory: Memory, hash: Hash, text: &str, from: usize) -> Lookup {
        let mut index = from;
        loop {
            let entry = self.at(index);
            // ORDERING(Acquire): the record that the entry names was written.
            //   pairs: `put`'s Release.  loom: m13_found; Relaxed fails it.
            let word = EntryWord(entry.word.load(Acquire));
            if word.is_empty() {
                return Lookup::Not(index & (self.0.len() - 1));
            }
            if word.may_be(hash) {
                entry.ghost.look();
                // SAFETY: an entry that is not empty names a record that was written before (INV-interner.index-2).
                if let Some(number) = unsafe { memory.number_of(word.record(), text) } {
                    return Lookup::Number(number);
                }
            }
            index += 1;
        }
    }

    /// Publishes a record in the empty entry at which the search for its string has ended. Under the shard's lock.
    pub(super) fn put(self, index: usize, hash: Hash, record: RecordAt) {
        let entry = self.at(index);
        entry.ghost.enter();
        // ORDERING(Release): the record, and its number's slot, are written before they can be found.
        //   pairs: `find`'s Acquire.  loom: m13_found; Relaxed fails it.
        entry.word.store(EntryWord::new(record, hash).0, Release);
    }

    /// Copies all entries of `from`, a shorter table, to this one, which nobody sees yet.
    fn copy(self, from: Entries<'_>) {
        for entry in from.0 {
            // Relaxed: the lock's holder sees all that was put.
            let word = EntryWord(entry.word.load(Relaxed));
            if word.is_empty() {
                continue;
            }
            let mut index = self.home(Hash(word.0));
            // Relaxed here too: the table is published as a whole.
            while self.at(index).word.load(Relaxed) != EntryWord::EMPTY.0 {
                index += 1;
            }
            let entry = self.at(index);
            entry.ghost.enter();
            entry.word.store(word.0, Relaxed);
        }
    }

    /// The entry for a string that is not there, in a table that nobody sees yet.
    fn vacant(self, hash: Hash) -> usize {
        let mut index = self.home(hash);
        while self.at(index).word.load(Relaxed) != EntryWord::EMPTY.0 {
            index += 1;
        }
        index
    }
}

/// See the module's header.
#[derive(Default)]
pub(super) struct Index {
    /// Granule at which the newest table begins, plus one; above that the bits of its length. 0: there is none.
    head: AtomicU64,
    lengths: body::Lengths,
}

/// A table that nobody sees yet.
pub(super) struct NewTable {
    extent: Extent,
    bits: u32,
    entries: body::Owned,
}

impl NewTable {
    /// What was taken from the region for it.
    pub(super) fn taken(&self) -> Extent {
        self.extent
    }
}

impl Index {
    /// The newest table, if there is any.
    #[inline(always)]
    pub(super) fn entries(&self, memory: Memory) -> Option<Entries<'_>> {
        // ORDERING(Acquire): the table was zeroed, and what the one before had was copied.
        //   pairs: `publish`'s Release.  loom: m13_grown; Relaxed fails it.
        let head = self.head.load(Acquire);
        if head == 0 {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "the word's lower half")]
        let (granule, bits) = (head as u32 - 1, (head >> u32::BITS) as u32);
        // SAFETY: the head names a table that was made before (INV-interner.index-1).
        Some(Entries(unsafe { self.lengths.entries(memory, granule, bits) }))
    }

    /// Makes an empty table twice as long as `old`, for a request of `layout`.
    ///
    /// # Errors
    /// The region's refusal, and one in its name where there is no longer table.
    pub(super) fn make(
        account: &Account,
        memory: Memory,
        old: Option<Entries<'_>>,
        layout: Layout,
    ) -> Result<NewTable, AllocError> {
        let bits = old.map_or(FIRST_BITS, |old| old.len().ilog2() + 1);
        let count = 1usize.checked_shl(bits).filter(|_| bits <= LAST_BITS);
        let Some(bytes) = count.and_then(|count| count.checked_mul(size_of::<u64>())) else {
            return Err(account.refusal(layout.size(), layout.align(), AllocErrorKind::LimitReached));
        };
        let layout = Layout::from_size_align(bytes, align_of::<u64>()).unwrap_or(layout);
        let (extent, _) = account.take(bytes, layout)?;
        // SAFETY: an extent for as many entries, just taken.
        let entries = unsafe { body::Owned::new(memory, extent.offset, 1 << bits) };
        Ok(NewTable { extent, bits, entries })
    }

    /// Publishes `made` with the entries of `old` and one more. Under the shard's lock. Gives its granule, and its
    /// place among the tables that the shard has had.
    pub(super) fn publish(
        &self,
        memory: Memory,
        made: NewTable,
        old: Option<Entries<'_>>,
        hash: Hash,
        record: RecordAt,
    ) -> (usize, u32) {
        let NewTable { extent, bits, entries } = made;
        self.lengths.keep(bits, entries);
        // SAFETY: the table that `make` has made.
        let new = Entries(unsafe { self.lengths.entries(memory, extent.offset, bits) });
        if let Some(old) = old {
            new.copy(old);
        }
        new.put(new.vacant(hash), hash, record);
        let head = u64::from(bits) << u32::BITS | u64::from(extent.offset + 1);
        // ORDERING(Release): the table is zeroed, and filled, before it can be found.
        //   pairs: `entries`' Acquire.  loom: m13_grown; Relaxed fails it.
        self.head.store(head, Release);
        ((bits - FIRST_BITS) as usize, extent.offset)
    }
}

/// The extent of the table that was `nth` in a shard, at `granule`.
pub(super) fn extent(nth: usize, granule: u32) -> Extent {
    let bytes = size_of::<u64>() << (nth + FIRST_BITS as usize);
    let granules = bytes.div_ceil(crate::base::size_class::GRANULE_BYTES);
    Extent::new(granule, u32::try_from(granules).unwrap_or(u32::MAX))
}

#[cfg(not(all(test, loom)))]
mod body {
    use super::{Entry, Memory};
    use crate::base::size_class::GRANULE_BYTES;

    /// A table is where its granule is.
    #[derive(Default)]
    pub(super) struct Lengths;

    pub(super) struct Owned;

    impl Owned {
        /// `count` empty entries at `granule`.
        ///
        /// # Safety
        /// They are the caller's alone, in the region.
        pub(super) unsafe fn new(memory: Memory, granule: u32, count: usize) -> Self {
            const { assert!(size_of::<Entry>() == 8 && align_of::<Entry>() <= GRANULE_BYTES) };
            let first = memory.granule(granule).cast::<Entry>();
            for index in 0..count {
                // SAFETY: `NonNull::add`: one of the caller's entries.
                let entry = unsafe { first.add(index) };
                // SAFETY: `NonNull::write`: aligned to the granule, the caller's alone.
                unsafe { entry.write(Entry::empty()) };
            }
            Self
        }
    }

    impl Lengths {
        #[expect(clippy::unused_self, reason = "the model checker's body uses it")]
        pub(super) fn keep(&self, _bits: u32, _entries: Owned) {}

        /// The table of `1 << bits` entries at `granule`.
        ///
        /// # Safety
        /// It was made, and stands as long as this.
        #[inline(always)]
        #[expect(clippy::unused_self, reason = "the model checker's body uses it")]
        pub(super) unsafe fn entries(&self, memory: Memory, granule: u32, bits: u32) -> &[Entry] {
            let first = memory.granule(granule).cast::<Entry>();
            // SAFETY: `from_raw_parts`: as many entries as were made there (INV-interner.index-1); words of an atomic
            // type.
            unsafe { core::slice::from_raw_parts(first.as_ptr(), 1 << bits) }
        }
    }
}

#[cfg(all(test, loom))]
mod body {
    use super::{Entry, FIRST_BITS, Memory};
    use crate::sync::OnceLock;

    /// The tables a shard has had, the shortest first.
    #[derive(Default)]
    pub(super) struct Lengths([OnceLock<Owned>; 4]);

    pub(super) struct Owned(Box<[Entry]>);

    impl Owned {
        /// `count` empty entries. Safe in this body.
        ///
        /// # Safety
        /// As in the other body.
        pub(super) unsafe fn new(_memory: Memory, _granule: u32, count: usize) -> Self {
            Self((0..count).map(|_| Entry::empty()).collect())
        }
    }

    impl Lengths {
        pub(super) fn keep(&self, bits: u32, entries: Owned) {
            assert!(self.0[(bits - FIRST_BITS) as usize].set(entries).is_ok(), "made once");
        }

        /// The table of `1 << bits` entries. Safe in this body.
        ///
        /// # Safety
        /// As in the other body.
        pub(super) unsafe fn entries(&self, _memory: Memory, _granule: u32, bits: u32) -> &[Entry] {
            &self.0[(bits - FIRST_BITS) as usize].get().expect("made before it was published").0
        }
    }
}
