//! `Inner`: an interner's tables, text and numbers in its region, and the walk of one request through them.
//!
//! ```text
//!  text ── hash ── shard's Index ── entry ── record: number, length, bytes       a string that is there: loads only
//!                     │ not there: the shard's lock, a second look
//!                  room for the record · a longer table, if it is due · a slot for the next number
//!                     │ from here on nothing refuses
//!                  number (one exchange) · record · slot · entry
//!  symbol ── slot ── record                                                     resolve: loads only
//! ```
//!
//! - INV-interner.inner-1: `count` numbers were taken, each once; slot `n` is made before number `n` is taken, and
//!   written once, by who took it, with the offset of the record that has it.
//! - INV-interner.inner-2: what was taken for a refused request was given back: no usage, no number and no table is
//!   another than before. For a moment it was taken: the region's peak may show it, and another request may be refused
//!   meanwhile.
//! - INV-interner.inner-3: a string's entry is put under its shard's lock after a look at every entry the shard has: it
//!   has one number.
//! - INV-interner.inner-4: a slot is written before the entry is put: a number that was found has its string.
//!
//! Synchronised by a lock for each shard, under which those of the slots and of the region are taken; no two shards' at
//! once. Hashes are made outside, so that models and tests choose them.
#![expect(unsafe_code, reason = "a slot leads to a record; extents are given back; lists locks")]

use core::alloc::Layout;
use core::hash::{BuildHasher, Hasher};

use super::index::{Hash, Index, Lookup};
use super::shard::{NewString, Shard};
use super::symbol::Symbol;
use super::text::{RecordAt, record_bytes};
use crate::base::error::{AllocError, AllocErrorKind};
use crate::base::system::SystemRefusal;
use crate::memory::table::Zeroable;
use crate::region::segments::{NoGrowth, Segments};
use crate::region::{Account, Client, Memory, Region, ShardSet};
use crate::sync::{Acquire, AtomicU32, AtomicU64, CachePadded, Ghost, ListedMutex, Relaxed, Release, parallelism};

/// Shards that an interner may have: a power of two.
const MOST_SHARDS: usize = if cfg!(all(test, loom)) { 2 } else { 64 };
/// Shards for each processor: two threads that come to one lock are rare then.
const SHARDS_EACH: usize = 4;
/// A region has a shard for each so many bytes of it at most.
const SHARD_BYTES: usize = 64 << 10;
/// Least that a string costs: a record of 8 bytes, an entry, a slot. No region holds more strings than that allows.
const LEAST_COST: usize = 24;

/// Where the string of one number is: the offset of its record; 0: it is not there yet.
#[repr(C)]
struct SymbolEntry {
    record: AtomicU64,
    ghost: Ghost,
}

// SAFETY: an atomic integer and a ghost (zero-sized outside the model checker).
unsafe impl Zeroable for SymbolEntry {
    fn zeroed() -> Self {
        Self { record: AtomicU64::new(0), ghost: Ghost::new() }
    }
}

/// The lock of a shard, under which those of the slots and of the region are taken.
type ShardLock = ListedMutex<Shard, true>;

/// See the module's header.
pub(crate) struct Inner {
    memory: Memory,
    shards: Box<[CachePadded<ShardLock>]>,
    hasher: hashbrown::DefaultHashBuilder,
    slots: Segments<SymbolEntry>,
    account: Account,
    /// One for each shard; those beyond are never used.
    indexes: [Index; MOST_SHARDS],
    /// Numbers taken.
    count: CachePadded<AtomicU32>,
}

impl Client for Inner {
    fn region(&self) -> &Region {
        self.account.region()
    }

    fn set(&self) -> &dyn ShardSet {
        self.account.set()
    }
}

impl Inner {
    /// An interner in `region`, at its first use.
    ///
    /// # Errors
    /// The system's, or the global allocator's, refusal.
    pub(crate) fn open(region: Region) -> Result<Self, SystemRefusal> {
        let most = (region.capacity() / SHARD_BYTES).clamp(1, MOST_SHARDS);
        // Rounded down: within what the capacity allows.
        let shards = (SHARDS_EACH * parallelism()).next_power_of_two().min(1 << most.ilog2());
        Self::with_shards(region, shards)
    }

    /// As [`Inner::open`], with `count` shards, a power of two.
    pub(crate) fn with_shards(region: Region, count: usize) -> Result<Self, SystemRefusal> {
        debug_assert!(count.is_power_of_two() && count <= MOST_SHARDS);
        let mut shards = Vec::new();
        let reserved = shards.try_reserve_exact(count);
        reserved.map_err(|_| SystemRefusal::of_allocator(count * size_of::<CachePadded<ShardLock>>()))?;
        shards.resize_with(count, || CachePadded::new(ShardLock::new(Shard::default())));
        let shards = shards.into_boxed_slice();
        for shard in &shards {
            // SAFETY: what is boxed does not move, and is dropped.
            unsafe { shard.list() }.map_err(|error| SystemRefusal::of(0, &error))?;
        }
        let account = Account::open(region)?;
        account.add_metadata_bytes(size_of::<Self>() + count * size_of::<CachePadded<ShardLock>>());
        let most = account.region().capacity() / LEAST_COST;
        Ok(Self {
            memory: account.region().memory(),
            shards,
            hasher: hashbrown::DefaultHashBuilder::default(),
            slots: Segments::new(&account, most),
            account,
            indexes: core::array::from_fn(|_| Index::default()),
            count: CachePadded::new(AtomicU32::new(0)),
        })
    }

    /// Numbers taken.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        // Relaxed: a figure; who uses a number acquires its slot.
        self.count.load(Relaxed) as usize
    }

    /// The hash of `text`.
    #[inline(always)]
    pub(crate) fn hash(&self, text: &str) -> Hash {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(text.as_bytes());
        Hash(hasher.finish())
    }

    /// The symbol of `text`, if it has one.
    #[inline(always)]
    pub(crate) fn get(&self, hash: Hash, text: &str) -> Option<Symbol> {
        let entries = self.index(hash).entries(self.memory)?;
        match entries.find(self.memory, hash, text, entries.home(hash)) {
            Lookup::Number(number) => Some(Symbol::of(number)),
            Lookup::Not(_) => None,
        }
    }

    /// The symbol of `text`, from now on if it had none.
    ///
    /// # Errors
    /// The refusal of a string that is not there; nothing has changed.
    #[inline(always)]
    pub(crate) fn intern(&self, hash: Hash, text: &str) -> Result<Symbol, AllocError> {
        let Some(entries) = self.index(hash).entries(self.memory) else { return self.insert(hash, text, None) };
        match entries.find(self.memory, hash, text, entries.home(hash)) {
            Lookup::Number(number) => Ok(Symbol::of(number)),
            Lookup::Not(at) => self.insert(hash, text, Some((entries.len(), at))),
        }
    }

    /// The string of `symbol`.
    #[inline(always)]
    pub(crate) fn resolve(&self, symbol: Symbol) -> Option<&str> {
        let slot = self.slots.get(symbol.index())?;
        // ORDERING(Acquire): the record was written.
        //   pairs: `name`'s Release.  loom: m13_resolved; Relaxed fails it.
        let record = slot.record.load(Acquire);
        if record == 0 {
            return None;
        }
        slot.ghost.look();
        // SAFETY: a slot that is not zero has the offset of a record that was written before (INV-interner.inner-1),
        // and that stands as long as this.
        Some(unsafe { self.memory.text(RecordAt(record)) })
    }

    /// String `symbol`, whose number was taken: waits for the thread that is about to write it, and can no more be
    /// refused.
    #[cfg(any(feature = "serde", all(test, loom)))]
    pub(crate) fn wait_for(&self, symbol: Symbol) -> &str {
        loop {
            if let Some(text) = self.resolve(symbol) {
                return text;
            }
            crate::sync::yield_now();
        }
    }

    #[inline(always)]
    fn index(&self, hash: Hash) -> &Index {
        &self.indexes[hash.shard(self.shards.len()) & (MOST_SHARDS - 1)]
    }

    /// `text` was not found: a look without a lock ended at an entry of a table of that length, if there was any.
    #[cold]
    #[inline(never)]
    fn insert(&self, hash: Hash, text: &str, ended: Option<(usize, usize)>) -> Result<Symbol, AllocError> {
        let refusal = |kind| self.account.refusal(text.len(), 1, kind);
        let (Some(bytes), Ok(layout)) = (record_bytes(text.len()), Layout::from_size_align(text.len(), 1)) else {
            return Err(refusal(AllocErrorKind::InvalidLayout));
        };
        self.shards[hash.shard(self.shards.len())]
            .with(|shard| self.insert_in(shard, hash, text, ended, NewString { bytes, layout }))
            // Of all that was needed, with the figures of a moment in which nothing is taken for this request any more.
            .map_err(|AllocError { requested, align, kind, .. }| AllocError { requested, align, ..refusal(kind) })
    }

    /// As [`Inner::insert`], under the shard's lock.
    fn insert_in(
        &self,
        shard: &mut Shard,
        hash: Hash,
        text: &str,
        ended: Option<(usize, usize)>,
        wanted: NewString,
    ) -> Result<Symbol, AllocError> {
        let (index, memory) = (self.index(hash), self.memory);
        let entries = index.entries(memory);
        let mut at = 0;
        if let Some(entries) = entries {
            // What another has put meanwhile is behind the entry at which the first look ended, or in a longer table.
            let from = match ended {
                Some((len, at)) if len == entries.len() => at,
                _ => entries.home(hash),
            };
            match entries.find(memory, hash, text, from) {
                Lookup::Number(number) => return Ok(Symbol::of(number)),
                Lookup::Not(empty) => at = empty,
            }
        }
        let prepared = shard.prepare(&self.account, memory, entries, wanted)?;
        let number = match self.take_number(wanted.layout) {
            Ok(number) => number,
            Err(error) => return Err(prepared.give_back(&self.account, error)),
        };
        let record = shard.commit_text(memory, prepared.room, wanted.bytes);
        // SAFETY: fresh bytes of the shard's text, as many as a record of `text` has.
        unsafe { memory.write(record, number, text) };
        self.name(number, record);
        shard.commit_entry(index, memory, entries, prepared.table, (at, hash, record));
        Ok(Symbol::of(number))
    }

    /// The next number, whose slot is there.
    fn take_number(&self, layout: Layout) -> Result<u32, AllocError> {
        loop {
            // Relaxed: the exchange decides; what has the number is published by its slot.
            let number = self.count.load(Relaxed);
            if self.slots.get(number as usize).is_none() {
                self.slots.grow(&self.account, number as usize).map_err(|refused| match refused {
                    NoGrowth::Refused(error) => error,
                    NoGrowth::Full => self.account.refusal(layout.size(), layout.align(), AllocErrorKind::LimitReached),
                })?;
            }
            if self.count.compare_exchange_weak(number, number + 1, Relaxed, Relaxed).is_ok() {
                return Ok(number);
            }
        }
    }

    /// From now on `number` leads to `record`.
    fn name(&self, number: u32, record: RecordAt) {
        let Some(slot) = self.slots.get(number as usize) else { return debug_assert!(false, "INV-interner.inner-1") };
        slot.ghost.enter();
        // ORDERING(Release): the record is written before its number leads to it.
        //   pairs: `resolve`'s Acquire.  loom: m13_resolved; Relaxed fails it.
        slot.record.store(record.0, Release);
    }

    /// Gives all tables but the newest back. Nobody looks into one.
    pub(crate) fn give_back_old_tables(&mut self) {
        for shard in &self.shards {
            // SAFETY: `give_back`'s contract: tables of this shard, each once; `&mut self`: nobody looks into them.
            shard.with(|shard| unsafe { self.account.give_back(shard.old_tables()) });
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.account.is_last() {
            return;
        }
        // SAFETY: the account that the slots were made with; `&mut self`: nobody refers to one.
        unsafe { self.slots.close(&self.account) };
        for shard in &self.shards {
            // SAFETY: `&mut self`: nobody refers to a record, or looks into a table.
            shard.with(|shard| unsafe { shard.close(&self.account, self.memory) });
        }
    }
}
