//! `Word`: who has a slot, how often it was used, and how many guards look at its value, in one word.
//!
//! ```text
//!  63            32 31 30 29             0
//!  ┌───────────────┬─────┬────────────────┐
//!  │  generation   │state│     guards     │
//!  └───────────────┴─────┴────────────────┘
//! ```
//!
//! | state | guards | meaning | leaves by |
//! |---|---|---|---|
//! | free | 0 | nobody's: whoever claims it has it | `claim` → taken |
//! | taken | 0 | one holder: being filled, reserved, or being emptied | `fill` → full, `vacate` → free or retired |
//! | full | n | the value is there, n guards look at it | `guard`, `unguard`; `remove`, `take` → taken or removed |
//! | removed | n > 0 | the key is stale; the last of n guards drops the value | last `unguard` → taken |
//! | retired | all ones | its generations are spent; as taken | exclusively: `restart` → free |
//!
//! - INV-pool.word-1: while the state is taken, only the holder writes the word; everybody else's exchange expects free
//!   or full.
//! - INV-pool.word-2: the generation rises by one each time the slot becomes free, and no key of it was issued before
//!   under the pool's id. It begins anew only together with the id.
//! - INV-pool.word-3: the value is written and moved or dropped only by the holder; it is read only while the word is
//!   full or removed with the reader's guard counted.

use crate::sync::{AcqRel, Acquire, AtomicU64, Relaxed, Release};

/// The generation after which a slot is retired.
#[cfg(not(all(test, loom)))]
pub(super) const LAST_GENERATION: u32 = u32::MAX;
#[cfg(all(test, loom))]
pub(super) const LAST_GENERATION: u32 = 3;

/// A slot rests after each so many generations. A power of two; the last generation is the last of so many.
pub(super) const REST_AFTER: u32 = if cfg!(all(test, loom)) { 2 } else { 1 << 20 };
const _: () = assert!(REST_AFTER.is_power_of_two() && rests_after(LAST_GENERATION));

const STATE_SHIFT: u32 = 30;
const GUARDS: u64 = (1 << STATE_SHIFT) - 1;
const STATE: u64 = 3 << STATE_SHIFT;
const FREE: u64 = 0;
const TAKEN: u64 = 1 << STATE_SHIFT;
const FULL: u64 = 2 << STATE_SHIFT;
const REMOVED: u64 = 3 << STATE_SHIFT;
/// A taken slot with the guards of a retired one.
const RETIRED: u64 = TAKEN | GUARDS;

/// Guards that may look at one value at a time.
pub(super) const MOST_GUARDS: u64 = GUARDS - 1;

/// See the module's header.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(super) struct Word(AtomicU64);

/// What became of a value that was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removed {
    /// The caller holds the slot and drops the value.
    Now,
    /// Its last guard does.
    Later,
}

/// What became of a slot that its holder has emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vacated {
    /// It is free.
    Free,
    /// It is free, and others are to be used before it.
    Rests,
    /// Its generations are spent.
    Retired,
}

/// Whether a slot rests, or is retired, after `generation`.
#[inline(always)]
const fn rests_after(generation: u32) -> bool {
    generation % REST_AFTER == REST_AFTER - 1
}

fn generation_of(word: u64) -> u32 {
    (word >> 32) as u32
}

fn at(generation: u32) -> u64 {
    u64::from(generation) << 32
}

/// Whether the word says that the value of `generation` is there.
fn is_full(word: u64, generation: u32) -> bool {
    word & !GUARDS == at(generation) | FULL
}

impl Word {
    /// Takes a free slot; gives its generation.
    #[inline(always)]
    pub(super) fn claim(&self) -> Option<u32> {
        let word = self.0.load(Relaxed);
        if word & (STATE | GUARDS) != FREE {
            return None;
        }
        // ORDERING(Acquire): the former holder has dropped its value, and every guard of it is gone, before the slot is
        // written again, also where a hint of this thread's own led here.
        //   pairs: `vacate`'s Release.  loom: m11_issued_once; Release alone fails it.
        // ORDERING(Release): who sees the slot in use sees that the one its claimer has used before is free, or was.
        //   pairs: `is_free`'s Acquire.  loom: m11_never_full; Acquire alone fails it.
        // Failure is Relaxed: another has it.
        let taken = self.0.compare_exchange(word, word | TAKEN, AcqRel, Relaxed);
        taken.is_ok().then(|| generation_of(word))
    }

    /// The holder has written the value: it can be found by its key.
    #[inline(always)]
    pub(super) fn fill(&self, generation: u32) {
        debug_assert_eq!(self.0.load(Relaxed), at(generation) | TAKEN, "INV-pool.word-1");
        // ORDERING(Release): the value is written before it is found.
        //   pairs: `guard`'s, `remove`'s and `take`'s Acquire.  loom: m11_guard_sees; Relaxed fails it.
        self.0.store(at(generation) | FULL, Release);
    }

    /// The holder has moved or dropped the value, or never wrote one: the slot is free again, or, its generations
    /// spent, retired.
    #[inline(always)]
    pub(super) fn vacate(&self, generation: u32) -> Vacated {
        let rests = rests_after(generation);
        let free = !(rests && generation == LAST_GENERATION);
        let next = if free { at(generation.wrapping_add(1)) | FREE } else { at(generation) | RETIRED };
        // ORDERING(Release): the former value is gone before the slot is claimed again.
        //   pairs: `claim`'s and `is_free`'s Acquire.  loom: m11_slot_travels; Relaxed fails it.
        self.0.store(next, Release);
        match (rests, free) {
            (false, _) => Vacated::Free,
            (true, true) => Vacated::Rests,
            (true, false) => Vacated::Retired,
        }
    }

    /// Counts a guard of the value of `generation`; `false` if it is not there.
    ///
    /// # Panics
    /// At 2^30 − 2 guards of one value: so many can only have been leaked.
    #[inline(always)]
    pub(super) fn guard(&self, generation: u32) -> bool {
        let mut word = self.0.load(Relaxed);
        while is_full(word, generation) {
            if word & GUARDS >= MOST_GUARDS {
                too_many_guards();
            }
            // ORDERING(Acquire): the value is seen as it was written.
            //   pairs: `fill`'s Release.  loom: m11_guard_sees; Relaxed fails it.
            // Failure is Relaxed: the next exchange re-validates the word.
            match self.0.compare_exchange_weak(word, word + 1, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(seen) => word = seen,
            }
        }
        false
    }

    /// A guard goes. Whether it was the last of a removed value: then the caller holds the slot and drops the value.
    #[inline(always)]
    pub(super) fn unguard(&self) -> bool {
        // ORDERING(Release): what was read through this guard is read before the value goes.
        //   pairs: the Acquire below, `remove`'s and `take`'s.  loom: m11_last_guard; Relaxed fails it.
        let before = self.0.fetch_sub(1, Release);
        debug_assert!(before & GUARDS > 0, "INV-pool.word-3");
        before & (STATE | GUARDS) == REMOVED | 1 && self.last_is_gone(before)
    }

    /// The last guard of a removed value becomes its holder.
    #[cold]
    fn last_is_gone(&self, before: u64) -> bool {
        // ORDERING(Acquire): the other guards' reads precede the drop, and so does what the remover did before it
        // removed: the load reads the last of a chain of exchanges.  pairs: `unguard`'s Release and that of `remove`.
        //   loom: m11_last_guard; Relaxed fails it.
        self.0.load(Acquire);
        // ORDERING(Release): it cuts the release sequence of `claim` and `fill`; who sees the slot in use sees what it
        // would through them.  pairs: `is_free`'s Acquire.  loom: m11_never_full_parted; Relaxed fails it.
        self.0.store(before & !(STATE | GUARDS) | TAKEN, Release);
        true
    }

    /// Makes the key of `generation` stale; none if it is already.
    #[inline(always)]
    pub(super) fn remove(&self, generation: u32) -> Option<Removed> {
        let mut word = self.0.load(Relaxed);
        while is_full(word, generation) {
            // ORDERING(Acquire): the value is seen as it was written, and every guard's reads precede its drop.
            //   pairs: `fill`'s and `unguard`'s Release.  loom: m11_removed_alone; Relaxed fails it.
            // ORDERING(Release): what the remover did is seen by the drop on the last guard's thread.
            //   pairs: `last_is_gone`'s Acquire.  loom: m11_remover_is_seen; Relaxed fails it.
            // Failure is Relaxed: the next exchange re-validates the word.
            let (removed, done) = if word & GUARDS == 0 {
                let taken = word & !(STATE | GUARDS) | TAKEN;
                let done = self.0.compare_exchange_weak(word, taken, Acquire, Relaxed);
                (Removed::Now, done)
            } else {
                let later = word & !STATE | REMOVED;
                let done = self.0.compare_exchange_weak(word, later, Release, Relaxed);
                (Removed::Later, done)
            };
            match done {
                Ok(_) => return Some(removed),
                Err(seen) => word = seen,
            }
        }
        None
    }

    /// Takes the slot of `generation` with its value, if no guard looks at it.
    #[inline(always)]
    pub(super) fn take(&self, generation: u32) -> bool {
        let mut word = self.0.load(Relaxed);
        while word == at(generation) | FULL {
            // ORDERING(Acquire): as in `remove`.  loom: m11_taken_alone; Relaxed fails it.
            match self.0.compare_exchange_weak(word, at(generation) | TAKEN, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(seen) => word = seen,
            }
        }
        false
    }

    /// Whether the value of `generation` is there. Relaxed: it says nothing about the value.
    pub(super) fn contains(&self, generation: u32) -> bool {
        is_full(self.0.load(Relaxed), generation)
    }

    /// Whether the slot is nobody's. If it is, that is a hint: `claim` decides.
    pub(super) fn is_free(&self) -> bool {
        // ORDERING(Acquire): if it is in use, what became free before its claim is counted as becoming free.
        //   pairs: `claim`'s, `fill`'s and `last_is_gone`'s Release.  loom: m11_never_full; Relaxed fails it.
        self.0.load(Acquire) & (STATE | GUARDS) == FREE
    }

    /// The generation of the value that is there, if one is.
    pub(super) fn full_generation(&self) -> Option<u32> {
        let word = self.0.load(Relaxed);
        is_full(word, generation_of(word)).then(|| generation_of(word))
    }

    // ---- by whoever has the pool exclusively: no guard, reservation or call is under way, so those counted were
    // leaked ---

    /// Takes the slot with the value in it, if there is one; its generation, and whether it had been removed.
    pub(super) fn take_exclusively(&self) -> Option<(u32, bool)> {
        let word = self.0.load(Relaxed);
        let removed = match word & STATE {
            FULL => false,
            REMOVED => true,
            _ => return None,
        };
        self.0.store(at(generation_of(word)) | TAKEN, Relaxed);
        Some((generation_of(word), removed))
    }

    /// Begins anew: free, with all generations to come, whatever was leaked of the slot. No value is in it.
    pub(super) fn restart(&self) {
        debug_assert!(!matches!(self.0.load(Relaxed) & STATE, FULL | REMOVED), "INV-pool.word-3");
        self.0.store(at(0) | FREE, Relaxed);
    }

    /// Leaks `guards` guards of the value that is there, which has none.
    #[cfg(all(test, not(loom)))]
    pub(super) fn crowd(&self, guards: u64) {
        assert_eq!(self.0.load(Relaxed) & (STATE | GUARDS), FULL, "a value without guards is crowded");
        self.0.fetch_add(guards, Relaxed);
    }

    /// Makes a free slot one that was used until `generation`.
    #[cfg(test)]
    pub(super) fn age(&self, generation: u32) {
        assert_eq!(self.0.load(Relaxed) & (STATE | GUARDS), FREE, "only a free slot ages");
        self.0.store(at(generation), Relaxed);
    }
}

#[cold]
#[inline(never)]
fn too_many_guards() -> ! {
    panic!("{MOST_GUARDS} guards look at one value: they were leaked");
}
