//! `Body`: a pool that was used: its slots, and where a thread looks for a free one.
//!
//! In this order: the thread's own hints; a batch of hints that another thread had too many of, from the depot; slots
//! that nobody had yet; a new segment; and, when the region or the pool's capacity allows none, the slots themselves,
//! one after the other. So a pool is full only when its slots are:
//!
//! - INV-pool.body-1: a request is refused only if, as far as the refused thread can tell, there was a moment at which
//!   every slot was in use: `claimed − releasing`, counted late and early (INV-pool.shard-2), was their number, or each
//!   was seen in use, one after the other, and nothing that became free before any of these claims did so after the
//!   look began. The exception is a pool in which removals never cease beside [`MOST_SCANS`] such looks.
//!
//! Hints are given and taken with plain loads and stores, batches by one exchange (`depot/`), slots by one exchange of
//! their own word.
#![expect(unsafe_code, reason = "fills what freed values were")]

use crate::base::error::AllocError;
use crate::base::size_class::Class;
use crate::base::system::SystemRefusal;
use crate::depot::Depot;
use crate::memory::table::{Zeroable, try_box};
use crate::region::segments::{NoGrowth, Segments};
use crate::region::shards::{Id, OwnedShard, Shards};
use crate::region::{Account, Client, Region, ShardSet, Wipe};
use crate::sync::{AtomicU32, AtomicUsize, Mutex, OnceLock, Relaxed, wrapped_difference, yield_now};

use super::shard::{BATCH, Counts, Shard, count};
use super::slot::Slot;
use super::word::Vacated;

/// Threads that have hints of their own.
const SHARDS: usize = if cfg!(all(test, loom)) { 2 } else { 64 };
/// Slots for whose hints the depot has nodes at most.
const MOST_HINTED: usize = 1 << 20;
/// Bytes of a node with a batch of hints.
const NODE_BYTES: usize = 256;
/// Looks at all slots of a pool in which removals never cease.
const MOST_SCANS: usize = 64;

/// The depot's class for hints: there is one.
fn class() -> Class {
    Class::from_index(0)
}

/// See the module's header.
pub(super) struct Body<T> {
    pub(super) account: Account,
    pub(super) slots: Segments<Slot<T>>,
    pub(super) shards: Shards<Shard>,
    /// What threads without a shard use, under its lock.
    outside: (Mutex<()>, Shard),
    /// Made when a thread has too many hints.
    depot: OnceLock<Box<Depot>>,
    /// Slots that were ever hinted at.
    fresh: AtomicUsize,
    /// Where the next look at the slots begins.
    scan_at: AtomicUsize,
    /// Held by whoever reserves several slots: of two that do not fit together one is served.
    pub(super) many: Mutex<()>,
    /// What the region fills freed memory with.
    wipe: Option<Wipe>,
    /// Not 0 once somebody has. Relaxed: it is set before the first of their claims, and whoever is refused because of
    /// one has acquired that.
    pub(super) reserve_many_used: AtomicU32,
}

/// A slot that its holder has claimed, and the generation it has now. Two words, so that it stays in registers wherever
/// it goes: what is written to memory as parts and read as one stalls.
pub(super) struct Claimed<'a, T> {
    slot: &'a Slot<T>,
    /// The generation, and below it the index.
    place: u64,
}

impl<'a, T> Claimed<'a, T> {
    #[inline(always)]
    pub(super) fn new(slot: &'a Slot<T>, index: u32, generation: u32) -> Self {
        Self { slot, place: u64::from(generation) << 32 | u64::from(index) }
    }

    /// The slot, its index and its generation.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    pub(super) fn into_parts(self) -> (&'a Slot<T>, u32, u32) {
        (self.slot, self.place as u32, (self.place >> 32) as u32)
    }
}

impl<T> Client for Body<T> {
    fn region(&self) -> &Region {
        self.account.region()
    }

    fn set(&self) -> &dyn ShardSet {
        self.account.set()
    }
}

impl<T> Body<T> {
    /// A pool of at most `most` slots in `region`.
    pub(super) fn make(region: Region, most: usize) -> Result<Self, SystemRefusal> {
        let (account, shards) = (Account::open(region)?, Shards::reserve(SHARDS)?);
        account.add_metadata_bytes(size_of::<Self>() + shards.metadata_bytes());
        let body = Self {
            slots: Segments::new(&account, most),
            shards,
            outside: (Mutex::new(()), Shard::zeroed()),
            depot: OnceLock::new(),
            fresh: AtomicUsize::new(0),
            scan_at: AtomicUsize::new(0),
            many: Mutex::new(()),
            wipe: account.region().wipe(),
            reserve_many_used: AtomicU32::new(0),
            account,
        };
        if cfg!(all(test, loom)) {
            // The model checker does not see who makes it.
            body.make_depot();
        }
        Ok(body)
    }

    /// The depot, if there is memory for it. What is lost where two threads make it is empty.
    #[cold]
    fn make_depot(&self) -> Option<&Depot> {
        if self.depot.get().is_none() {
            let nodes = self.slots.most().min(MOST_HINTED) / BATCH + 2 * SHARDS;
            let depot = try_box(Depot::reserve(nodes * NODE_BYTES).ok()?).ok()?;
            if self.depot.set(depot).is_ok() {
                self.account.add_metadata_bytes(size_of::<Depot>());
            }
        }
        self.depot.get().map(|depot| &**depot)
    }

    /// The calling thread's shard, adopted if need be, in the pool of `id`.
    pub(super) fn find_shard(&self, id: Id<Shard>) -> &Shard {
        self.shards.find(self.account.region(), id, |bytes| self.account.add_metadata_bytes(bytes))
    }

    /// Runs `with` on the shard of all threads without one.
    pub(super) fn with_outside<R>(&self, with: impl FnOnce(&Shard) -> R) -> R {
        self.outside.0.with(|()| with(&self.outside.1))
    }

    // ---- a free slot ----------------------------------------------------------------------------------------------

    /// Claims a free slot; none if there is none and none can be made.
    #[inline(always)]
    pub(super) fn claim(&self, shard: &Shard) -> Option<Claimed<'_, T>> {
        loop {
            while let Some(index) = shard.pop() {
                let Some(slot) = self.slots.get(index as usize) else { continue };
                if let Some(generation) = slot.word.claim() {
                    shard.counts.count_claimed();
                    return Some(Claimed::new(slot, index, generation));
                }
            }
            if !self.refill(shard) {
                return None;
            }
        }
    }

    /// Looks for hints; `false` if there is no free slot.
    #[cold]
    #[inline(never)]
    fn refill(&self, shard: &Shard) -> bool {
        loop {
            if self.take_batch(shard) || self.take_fresh(shard) {
                return true;
            }
            match self.slots.grow(&self.account, self.fresh.load(Relaxed)) {
                Ok(_) => {}
                Err(NoGrowth::Full | NoGrowth::Refused(_)) => return self.find(shard),
            }
        }
    }

    /// Makes a segment more; what refuses it, if it is the region.
    pub(super) fn why_no_growth(&self) -> Option<AllocError> {
        match self.slots.grow(&self.account, self.slots.len()) {
            Err(NoGrowth::Refused(error)) => Some(error),
            Ok(_) | Err(NoGrowth::Full) => None,
        }
    }

    /// Takes a batch of hints from the depot.
    fn take_batch(&self, shard: &Shard) -> bool {
        let Some((depot, node)) = self.depot.get().and_then(|depot| Some((depot, depot.pop_full(class())?))) else {
            return false;
        };
        let at = depot.nodes.get(node);
        for hint in &at.slots[..at.len() as usize] {
            let kept = shard.push(hint.get());
            debug_assert!(kept, "a shard without hints has room for a batch");
        }
        depot.give_node(node);
        true
    }

    /// Takes hints at slots that nobody had yet.
    #[expect(clippy::cast_possible_truncation, reason = "a pool has at most 2^32 - 1 slots")]
    fn take_fresh(&self, shard: &Shard) -> bool {
        let mut first = self.fresh.load(Relaxed);
        loop {
            let count = self.slots.len().saturating_sub(first).min(BATCH);
            if count == 0 {
                return false;
            }
            // Relaxed: hints publish nothing; the slots themselves say what they are.
            match self.fresh.compare_exchange_weak(first, first + count, Relaxed, Relaxed) {
                Ok(_) => {
                    // The lowest on top, so that slots are used in the order of their addresses.
                    for index in (first..first + count).rev() {
                        shard.push(index as u32);
                    }
                    return true;
                }
                Err(seen) => first = seen,
            }
        }
    }

    /// Looks at the slots themselves, for those whose hints are with other threads or lost.
    ///
    /// A value may change places beside the look, so that both of its slots are seen in use. Who claims the second has
    /// counted the first as becoming free before, and `scan` acquires that with the second's word: then the releases
    /// begun until after the look are more than those that had ended before it. Those that had are seen by it, for they
    /// are acquired too.
    #[cold]
    fn find(&self, shard: &Shard) -> bool {
        for _ in 0..MOST_SCANS {
            if self.is_full() {
                return false;
            }
            let released = self.sum(Counts::released);
            if self.scan(shard) {
                return true;
            }
            if released == self.sum(Counts::releasing) {
                return false;
            }
            yield_now();
        }
        false
    }

    /// Hints at free slots, up to a batch, from where the last look ended; `false` if none was seen.
    #[expect(clippy::cast_possible_truncation, reason = "a pool has at most 2^32 - 1 slots")]
    fn scan(&self, shard: &Shard) -> bool {
        let (len, from) = (self.slots.len(), self.scan_at.load(Relaxed));
        let mut found = 0;
        for step in 0..len {
            let index = (from + step) % len;
            if self.slots.get(index).is_some_and(|slot| slot.word.is_free()) && shard.push(index as u32) {
                found += 1;
            }
            if found == BATCH {
                self.scan_at.store(index + 1, Relaxed);
                break;
            }
        }
        found > 0
    }

    /// Whether every slot is claimed. Reads claims before releases, the ones counted late, the others early: so what
    /// they differ by is never more than the slots claimed all that time.
    fn is_full(&self) -> bool {
        let claimed = self.sum(Counts::claimed);
        let releasing = self.sum(Counts::releasing);
        let claimed = claimed.wrapping_sub(releasing);
        claimed <= u64::MAX / 2 && claimed >= self.slots.len() as u64
    }

    // ---- a slot becomes free --------------------------------------------------------------------------------------

    /// The holder's slot, whose value is gone, becomes free, and the thread keeps a hint at it.
    ///
    /// # Safety
    /// The caller holds the slot, and no value is in it.
    #[inline(always)]
    pub(super) unsafe fn release(&self, shard: &Shard, slot: &Slot<T>, index: u32, generation: u32) {
        if let Some(wipe) = self.wipe {
            // SAFETY: this function's contract.
            unsafe { slot.wipe(wipe) };
        }
        let counts = &shard.counts;
        counts.count_releasing();
        let vacated = slot.word.vacate(generation);
        counts.count_released();
        if vacated != Vacated::Free {
            self.set_aside(shard, index, vacated);
        } else if !shard.push(index) {
            self.spill(shard);
            shard.push(index);
        }
    }

    /// A slot that was used often is used after others, so that all of them wear alike. Where no slot can be made its
    /// hint is forgotten: a scan finds it, after all others. Otherwise a slot would be made in its place, so the thread
    /// keeps a hint at it, behind those it has.
    #[cold]
    #[inline(never)]
    fn set_aside(&self, shard: &Shard, index: u32, vacated: Vacated) {
        if vacated == Vacated::Retired {
            // As if it had been claimed at once.
            shard.counts.count_claimed();
            count(&shard.counts.retired);
        } else if self.slots.len() < self.slots.most() && !shard.push_last(index) {
            self.spill(shard);
            shard.push_last(index);
        }
    }

    /// Gives a batch of hints to the depot; without a node for them they are lost, which `find` makes good.
    #[cold]
    #[inline(never)]
    #[expect(clippy::cast_possible_truncation, reason = "a batch is short")]
    fn spill(&self, shard: &Shard) {
        let depot = self.make_depot();
        let Some((depot, node)) = depot.and_then(|depot| Some((depot, depot.take_node(BATCH as u32)?))) else {
            return shard.unload(|_, _| {});
        };
        let at = depot.nodes.get(node);
        at.open(class(), BATCH as u32);
        shard.unload(|place, hint| at.slots[place].set(hint));
        at.set_len(BATCH as u32);
        depot.push_full(class(), node);
    }

    // ---- figures --------------------------------------------------------------------------------------------------

    /// Sum of one word of all shards.
    fn sum(&self, word: impl Fn(&Counts) -> u64) -> u64 {
        self.all_shards().fold(0, |sum, shard| sum.wrapping_add(word(&shard.counts)))
    }

    fn all_shards(&self) -> impl Iterator<Item = &Shard> {
        self.shards.iter().chain([&self.outside.1])
    }

    /// Slots whose generations are spent. Exact when quiet.
    pub(super) fn retired(&self) -> usize {
        usize::try_from(self.sum(|counts| counts.retired.get())).unwrap_or(usize::MAX)
    }

    /// Values in the pool. Exact when quiet.
    pub(super) fn len(&self) -> usize {
        let less = self.sum(|counts| {
            let words = [&counts.removed_while_guarded, &counts.reserved, &counts.retired];
            words.iter().fold(counts.releasing(), |sum, word| sum.wrapping_add(word.get()))
        });
        let more = self.sum(|counts| {
            let kept = counts.dropped.get().wrapping_add(counts.settled.get());
            kept.wrapping_add(counts.claimed())
        });
        wrapped_difference(more, less)
    }

    /// Whether a batch of hints waits in the depot. No role of a model runs.
    #[cfg(all(test, loom))]
    pub(super) fn has_batch(&self) -> bool {
        let depot = self.depot.get().expect("made with the body");
        depot.pop_full(class()).map(|node| depot.push_full(class(), node)).is_some()
    }

    // ---- by whoever has the pool exclusively ------------------------------------------------------------------------

    /// Makes all slots free, with all their generations, and forgets every hint and every count, as if no slot had been
    /// used yet. Every value is gone.
    pub(super) fn start_afresh(&mut self) {
        (0..self.slots.len()).filter_map(|index| self.slots.get(index)).for_each(|slot| slot.word.restart());
        if let Some(depot) = self.depot.get() {
            while let Some(node) = depot.pop_full(class()) {
                depot.give_node(node);
            }
        }
        for shard in self.all_shards() {
            shard.enter();
            shard.forget(0);
            shard.counts.restart();
        }
        self.fresh.store(0, Relaxed);
    }
}
