//! Where the models of pools take place: a pool whose segments are made, values that note their drop, keys that change
//! threads without an order, and what roles do.
//!
//! As in [`super::threads`] a role is a thread with loom's thread-locals, the main thread is late from the start, so
//! that its counts are those of all threads without a shard, and what happened is noted in standard words. When the
//! slots go, the pool is dropped, and then every value has been dropped once.

use core::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc as StdArc, Mutex};

use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::harness::region;
use crate::pool::{Key, Pool};
use crate::region::Region;
use crate::sync::Ghost;
use crate::thread::{by_hand, tokens};

/// Values of a model.
const VALUES: usize = 6;
/// Bytes of the region.
const BYTES: usize = 4096;

/// What became of one value.
struct Fate {
    made: AtomicU32,
    dropped: AtomicU32,
    /// Entered by who removes the value, before, and by who drops it.
    ghost: Ghost,
}

/// A value with a number.
pub(crate) struct Value {
    id: usize,
    fates: StdArc<[Fate]>,
}

impl Drop for Value {
    fn drop(&mut self) {
        let fate = &self.fates[self.id];
        fate.ghost.enter();
        fate.dropped.fetch_add(1, Relaxed);
    }
}

/// See the module's header.
pub(crate) struct Slots {
    /// None once it was dropped.
    pool: Option<Pool<Value>>,
    region: Region,
    fates: StdArc<[Fate]>,
    /// Keys of the values that the main thread has put in, by number.
    pub(crate) first: Vec<Key<Value>>,
    /// Slots and generations of all keys that were issued; not a word of the model.
    issued: Mutex<Vec<(u32, u32)>>,
    /// Keys that roles hand to each other without an order, and what they tell with one. Read by adding nothing, for
    /// loom may miss that a plain load could come later (tokio-rs/loom #166).
    handed: [AtomicU64; 2],
    told: AtomicUsize,
}

impl Slots {
    /// A pool of at most `most` slots, of which `made` are made; values 0 to `first - 1` are in it.
    pub(crate) fn new(most: usize, made: usize, first: usize) -> Self {
        by_hand::set_late(true);
        // This static is made here, so that no role is ordered before another by its making.
        let _tokens = tokens().exits_hint();
        let region = region(BYTES);
        let fate = || Fate { made: AtomicU32::new(0), dropped: AtomicU32::new(0), ghost: Ghost::new() };
        let mut slots = Self {
            pool: Some(Pool::with_slots(&region, most, made)),
            region,
            fates: (0..VALUES).map(|_| fate()).collect(),
            first: Vec::new(),
            issued: Mutex::default(),
            handed: [AtomicU64::new(0), AtomicU64::new(0)],
            told: AtomicUsize::new(0),
        };
        slots.first = (0..first).map(|id| slots.insert_surely(id)).collect();
        slots
    }

    // ---- what roles do --------------------------------------------------------------------------------------------

    /// Value `id`, which is made once.
    pub(crate) fn value(&self, id: usize) -> Value {
        self.fates[id].made.fetch_add(1, Relaxed);
        Value { id, fates: StdArc::clone(&self.fates) }
    }

    /// A key was issued: none like it was before.
    pub(crate) fn issue(&self, key: Key<Value>) -> Key<Value> {
        let mut issued = self.issued.lock().expect("no role panics with it");
        assert!(!issued.contains(&key.bits()), "{key:?} was issued twice");
        issued.push(key.bits());
        key
    }

    /// Keys that were issued.
    pub(crate) fn count_issued(&self) -> usize {
        self.issued.lock().expect("no role panics with it").len()
    }

    /// Puts value `id` in, if there is a slot.
    pub(crate) fn insert(&self, id: usize) -> Option<Key<Value>> {
        let key = Pool::insert(self, self.value(id)).ok()?;
        Some(self.issue(key))
    }

    pub(crate) fn insert_surely(&self, id: usize) -> Key<Value> {
        self.insert(id).expect("refused beside a free slot")
    }

    /// Looks at the value of `key`, if it is there, and says which it is.
    pub(crate) fn look(&self, key: Key<Value>) -> Option<usize> {
        let value = self.get(key)?;
        let id = value.id;
        assert_eq!(self.fates[id].dropped.load(Relaxed), 0, "value {id} was dropped beside a guard");
        Some(id)
    }

    /// Does something to value `id`, and removes it.
    pub(crate) fn remove(&self, id: usize, key: Key<Value>) -> bool {
        self.fates[id].ghost.enter();
        Pool::remove(self, key)
    }

    /// Removes the first value `id`, which nobody else does.
    pub(crate) fn remove_first(&self, id: usize) {
        assert!(self.remove(id, self.first[id]), "value {id} is there");
    }

    /// As [`Slots::remove_first`], by a thread that has no shard for that time: it keeps no hint at the slot.
    pub(crate) fn remove_first_late(&self, id: usize) {
        by_hand::set_late(true);
        self.remove_first(id);
        by_hand::set_late(false);
    }

    /// Hands `key` to whoever looks at place `at`, without an order.
    pub(crate) fn hand(&self, at: usize, key: Key<Value>) {
        let (slot, generation) = key.bits();
        self.handed[at].store(u64::from(slot + 1) << 32 | u64::from(generation), Ordering::Relaxed);
    }

    /// The key that was handed to place `at`, if it was already.
    #[expect(clippy::cast_possible_truncation, reason = "two halves of a word")]
    pub(crate) fn handed(&self, at: usize) -> Option<Key<Value>> {
        let word = self.handed[at].fetch_add(0, Ordering::Relaxed);
        let slot = ((word >> 32) as u32).checked_sub(1)?;
        Some(self.key_of((slot, word as u32)))
    }

    /// Tells the others.
    pub(crate) fn tell(&self, what: usize) {
        self.told.fetch_add(what, Ordering::Release);
    }

    /// What this thread knows.
    pub(crate) fn told(&self) -> usize {
        self.told.fetch_add(0, Ordering::Acquire)
    }

    // ---- the end --------------------------------------------------------------------------------------------------

    /// Whether value `id` is gone.
    pub(crate) fn was_dropped(&self, id: usize) -> bool {
        self.fates[id].dropped.load(Relaxed) > 0
    }

    /// No role runs: the pool's length is the number of values that were made and not dropped.
    pub(crate) fn check(&self) {
        let sum = |count: fn(&Fate) -> &AtomicU32| self.fates.iter().map(|fate| count(fate).load(Relaxed)).sum::<u32>();
        let living = sum(|fate| &fate.made) - sum(|fate| &fate.dropped);
        assert_eq!(self.len(), living as usize, "the pool counts other values than there are");
    }
}

impl Deref for Slots {
    type Target = Pool<Value>;
    fn deref(&self) -> &Pool<Value> {
        self.pool.as_ref().expect("not dropped yet")
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.check();
        self.pool = None;
        for (id, fate) in self.fates.iter().enumerate() {
            let (made, dropped) = (fate.made.load(Relaxed), fate.dropped.load(Relaxed));
            assert!(made < 2 && made == dropped, "value {id} was made {made} times and dropped {dropped} times");
        }
        assert_eq!(self.region.memory_usage(), 0, "bytes left behind");
        self.region.verify().expect("every byte is free");
    }
}
