//! How a slot is held: claimed, filled, emptied and freed, by the calling thread's shard.
//!
//! Whoever has claimed a slot, or taken it with its value, holds it: nobody else writes its word or its value (INV-W1).
#![expect(unsafe_code, reason = "writes and drops values in slots it holds")]

use crate::region::shards::{OwnedShard, Shards};
use crate::sync::{Relaxed, mutant};

use super::Pool;
use super::body::{Body, Claimed};
use super::key::Key;
use super::shard::{Shard, count};
use super::slot::Slot;

impl<T> Pool<T> {
    /// The slot that `key` names, if it is this pool's.
    #[inline(always)]
    pub(super) fn slot(&self, key: Key<T>) -> Option<(&Body<T>, &Slot<T>)> {
        let body = self.body.made().filter(|_| key.pool == self.id.get())?;
        Some((body, body.slots.get(key.slot() as usize)?))
    }

    /// The slots and all that belongs to them, made if need be; none if the system refuses.
    #[inline(always)]
    pub(super) fn body(&self) -> Option<&Body<T>> {
        self.body.made().or_else(|| self.body.make(|region| Body::make(region, self.most)).ok())
    }

    /// Claims a free slot, or returns `None` if there is none.
    #[inline(always)]
    pub(super) fn claim(&self) -> Option<Claimed<'_, T>> {
        self.claim_once().or_else(|| self.claim_again())
    }

    /// As [`Pool::claim`], for a `reserve_many`, which may have claimed what it does not find.
    #[inline(always)]
    pub(super) fn claim_once(&self) -> Option<Claimed<'_, T>> {
        let body = self.body()?;
        self.on_shard(body, |shard| body.claim(shard))
    }

    /// Claims a slot after all. A `reserve_many` that is about to be refused may have claimed the free ones for a moment;
    /// they are free again when none is under way.
    #[cold]
    #[inline(never)]
    fn claim_again(&self) -> Option<Claimed<'_, T>> {
        let beside_several = |body: &&Body<T>| body.several.load(Relaxed) != 0 && !mutant!("rule.pool.looked-once");
        let body = self.body.made().filter(beside_several)?;
        body.many.with(|()| self.claim_once())
    }

    /// Writes the value of a slot; its key.
    ///
    /// # Safety
    /// The caller holds the slot, and nothing is in it.
    #[inline(always)]
    pub(super) unsafe fn fill(&self, claimed: Claimed<'_, T>, value: T) -> Key<T> {
        let (slot, index, generation) = claimed.into_parts();
        // SAFETY: this function's contract.
        unsafe { slot.write(value) };
        slot.word.fill(generation);
        Key::new(self.id.get(), index, generation)
    }

    /// Drops the value of a slot and frees the slot, also if the destructor panics.
    ///
    /// # Safety
    /// The caller holds the slot, with the value of `key` in it.
    #[inline(always)]
    pub(super) unsafe fn drop_held(&self, body: &Body<T>, slot: &Slot<T>, key: Key<T>) {
        let panicked = core::mem::needs_drop::<T>().then(|| Release { pool: self, body, slot, key });
        // SAFETY: this function's contract; the slot is freed afterwards.
        unsafe { slot.drop_value() };
        core::mem::forget(panicked);
        // SAFETY: this function's contract; the value is gone.
        unsafe { self.release(body, slot, key) };
    }

    /// The last guard of a removed value has gone.
    ///
    /// # Safety
    /// As [`Pool::drop_held`].
    #[cold]
    pub(super) unsafe fn drop_parted(&self, body: &Body<T>, slot: &Slot<T>, key: Key<T>) {
        self.on_shard(body, |shard| count(&shard.counts.dropped));
        // SAFETY: this function's contract.
        unsafe { self.drop_held(body, slot, key) };
    }

    /// The slot of `key` becomes free.
    ///
    /// # Safety
    /// The caller holds the slot, and no value is in it.
    #[inline(always)]
    pub(super) unsafe fn release(&self, body: &Body<T>, slot: &Slot<T>, key: Key<T>) {
        // SAFETY: this function's contract.
        self.on_shard(body, |shard| unsafe { body.release(shard, slot, key.slot(), key.generation()) });
    }

    /// Runs `with` on the calling thread's shard, or on that of all threads without one.
    #[inline(always)]
    pub(super) fn on_shard<R>(&self, body: &Body<T>, with: impl FnOnce(&Shard) -> R) -> R {
        let shard = self.shard(body);
        if shard.is_none() { self.without_shard(body, with) } else { with(shard) }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn without_shard<R>(&self, body: &Body<T>, with: impl FnOnce(&Shard) -> R) -> R {
        // Threads may have ended since this one looked for a shard.
        let shard = if body.shards.may_adopt() { self.shard_cold(body) } else { Shard::none() };
        if shard.is_none() { body.with_outside(with) } else { with(shard) }
    }

    /// The calling thread's shard, or [`OwnedShard::none`].
    #[inline(always)]
    pub(super) fn shard<'a>(&'a self, body: &'a Body<T>) -> &'a Shard {
        Shards::of_thread(&self.id, || self.shard_cold(body))
    }

    #[cold]
    #[inline(never)]
    pub(super) fn shard_cold<'a>(&self, body: &'a Body<T>) -> &'a Shard {
        body.shards.find(body.account.region(), self.id)
    }
}

/// Frees a slot whose value has panicked while it was dropped.
struct Release<'a, T> {
    pool: &'a Pool<T>,
    body: &'a Body<T>,
    slot: &'a Slot<T>,
    key: Key<T>,
}

impl<T> Drop for Release<'_, T> {
    #[cold]
    fn drop(&mut self) {
        // SAFETY: made by the slot's holder, whose value's destructor has ended, if by a panic.
        unsafe { self.pool.release(self.body, self.slot, self.key) };
    }
}
