//! `Shard`: what a thread knows of free slots, and what it counts.
//!
//! A hint is the index of a slot that was free when its thread last had to do with it. Whether it still is, the slot's
//! word says: a hint may be stale, and a free slot may have no hint. So nothing is lost when hints are, and a thread
//! that finds no hint anywhere may look at the slots themselves.
//!
//! - INV-pool.shard-1: `len <= HINTS`.
//! - INV-pool.shard-2: of what a thread has done, `claimed` is counted after the claim, `releasing` before the slot
//!   becomes free, `released` after.
//!
//! Used by one thread at a time: the owner, who adopts it after the former owner's end (INV-region.shards-2), or, that
//! of all threads without one, the holder of its lock. Others read the counts.
#![expect(unsafe_code, reason = "asserts that zero bytes are a shard")]

use crate::region::shards::{OwnedShard, Pins, owned_shard};
use crate::sync::{Acquire, AtomicU64, Counter, Ghost, Owned32, Owned64, Relaxed, Release};

/// Hints that change threads together.
pub(super) const BATCH: usize = if cfg!(all(test, loom)) { 1 } else { 32 };
/// Hints that a thread keeps.
const HINTS: usize = 2 * BATCH;

/// What was done through a shard; every word wraps.
#[derive(Debug)]
pub(super) struct Counts {
    /// Slots taken.
    claimed: Counter,
    /// Slots that were about to become free, and that were.
    releasing: Counter,
    released: Counter,
    /// Reservations begun, and ended with a value or without.
    pub(super) reserved: Owned64,
    pub(super) settled: Owned64,
    /// Values removed while guarded, and of those dropped.
    pub(super) removed_while_guarded: Owned64,
    pub(super) dropped: Owned64,
    /// Slots whose generations are spent.
    pub(super) retired: Owned64,
}

impl Counts {
    const fn new(claimed: Counter, releasing: Counter, released: Counter) -> Self {
        Self {
            claimed,
            releasing,
            released,
            reserved: Owned64::zero(),
            settled: Owned64::zero(),
            removed_while_guarded: Owned64::zero(),
            dropped: Owned64::zero(),
            retired: Owned64::zero(),
        }
    }

    /// Counts a slot as taken, by the shard's user.
    #[inline(always)]
    pub(super) fn count_claimed(&self) {
        // ORDERING(Release): whoever reads this sees that the slot had become free before, by its former holder's
        // count.
        //   pairs: `claimed`'s Acquire.  loom: m11_never_full; Relaxed fails it.
        self.claimed.raise(Release);
    }

    /// Slots taken.
    pub(super) fn claimed(&self) -> u64 {
        // ORDERING(Acquire): as many slots as these claims found free are counted as having become free.
        //   pairs: `count_claimed`'s Release.  loom: m11_never_full; Relaxed fails it.
        self.claimed.get(Acquire)
    }

    /// Counts a slot that is about to become free, by the shard's user. Relaxed: the slot's word publishes it.
    #[inline(always)]
    pub(super) fn count_releasing(&self) {
        self.releasing.raise(Relaxed);
    }

    /// Slots that are free again, or soon.
    pub(super) fn releasing(&self) -> u64 {
        // Relaxed: what it must not miss, its reader has acquired before, with a count of claims or with a slot's word.
        self.releasing.get(Relaxed)
    }

    /// Counts a slot that became free, by the shard's user.
    #[inline(always)]
    pub(super) fn count_released(&self) {
        // ORDERING(Release): whoever reads this sees the slot free, or claimed again.
        //   pairs: `released`'s Acquire.  loom: m11_never_full; Relaxed fails it.
        self.released.raise(Release);
    }

    /// Slots that became free.
    pub(super) fn released(&self) -> u64 {
        // ORDERING(Acquire): a look at the slots that begins now sees none of these as it was before.
        //   pairs: `count_released`'s Release.  loom: m11_never_full; Relaxed fails it.
        self.released.get(Acquire)
    }

    /// Starts anew, by what has the pool exclusively.
    pub(super) fn restart(&self) {
        let Self { claimed, releasing, released, reserved, settled, removed_while_guarded, dropped, retired } = self;
        for word in [reserved, settled, removed_while_guarded, dropped, retired] {
            word.set(0);
        }
        for word in [claimed, releasing, released] {
            word.set(0);
        }
    }
}

/// One more, by the shard's user.
#[inline(always)]
pub(super) fn count(word: &Owned64) {
    word.set(word.get().wrapping_add(1));
}

/// See the module's header.
#[derive(Debug)]
#[repr(C, align(128))]
pub(super) struct Shard {
    len: Owned32,
    pub(super) counts: Counts,
    hints: [Owned32; HINTS],
    pins: Pins,
    ghost: Ghost,
}

owned_shard! {
    hot: false,
    // SAFETY: atomic integers and a ghost (zero-sized outside the model checker).
    unsafe Shard {
        len: Owned32::zero(),
        counts: Counts::new(Counter::zero(), Counter::zero(), Counter::zero()),
        hints: [const { Owned32::zero() }; HINTS],
        pins: Pins::new(AtomicU64::new(0)),
        ghost: Ghost::new(),
    }
}

impl Shard {
    /// Takes the hint that was given last.
    #[inline(always)]
    pub(super) fn pop(&self) -> Option<u32> {
        let len = self.len.get().checked_sub(1)?;
        self.enter();
        self.len.set(len);
        self.hints.get(len as usize).map(Owned32::get)
    }

    /// Keeps a hint, if there is room.
    #[inline(always)]
    pub(super) fn push(&self, slot: u32) -> bool {
        let len = self.len.get();
        let Some(hint) = self.hints.get(len as usize) else { return false };
        self.enter();
        hint.set(slot);
        self.len.set(len + 1);
        true
    }

    /// Keeps a hint that is taken after all others, if there is room.
    pub(super) fn push_last(&self, slot: u32) -> bool {
        let len = self.len.get();
        if len as usize == HINTS {
            return false;
        }
        self.enter();
        for at in (0..len as usize).rev() {
            self.hints[at + 1].set(self.hints[at].get());
        }
        self.hints[0].set(slot);
        self.len.set(len + 1);
        true
    }

    /// Gives the batch of hints that waits longest to `each`, and forgets it. There is one.
    pub(super) fn unload(&self, mut each: impl FnMut(usize, u32)) {
        self.enter();
        let len = self.len.get() as usize;
        for (at, hint) in self.hints[..len].iter().enumerate() {
            if at < BATCH {
                each(at, hint.get());
            } else {
                self.hints[at - BATCH].set(hint.get());
            }
        }
        self.forget(len - BATCH);
    }

    /// Keeps the first `len` hints.
    #[expect(clippy::cast_possible_truncation, reason = "fewer than a hundred")]
    pub(super) fn forget(&self, len: usize) {
        self.len.set(len as u32);
    }

    /// Hints kept.
    #[cfg(all(test, loom))]
    pub(super) fn hints(&self) -> usize {
        self.len.get() as usize
    }
}
