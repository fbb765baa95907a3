//! How a slot is held: claimed, filled, emptied and freed, by the calling thread's shard.
//!
//! Whoever has claimed a slot, or taken it with its value, holds it: nobody else writes its word or its value
//! (INV-pool.word-1).
#![expect(unsafe_code, reason = "writes and drops values in slots it holds")]

use crate::base::unwind::Then;
use crate::region::shards::{OwnedShard, Shards};
use crate::sync::Relaxed;

use super::Pool;
use super::body::{Body, Claimed};
use super::key::Key;
use super::shard::{Shard, count};
use super::slot::Slot;

impl<T> Pool<T> {
    /// The slot that `key` names, if it is this pool's.
    #[inline(always)]
    pub(super) fn slot(&self, key: Key<T>) -> Option<Held<'_, T>> {
        let body = self.body.made().filter(|_| key.pool == self.id.get())?;
        Some(Held { pool: self, body, slot: body.slots.get(key.slot() as usize)?, key })
    }

    /// The slots and all that belongs to them, made if need be; none if the system refuses.
    #[inline(always)]
    pub(super) fn body(&self) -> Option<&Body<T>> {
        self.body.make(|region| Body::make(region, self.most), |_| ()).ok()
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

    /// Claims a slot after all. A `reserve_many` that is about to be refused may have claimed the free ones for a
    /// moment; they are free again when none is under way.
    #[cold]
    #[inline(never)]
    fn claim_again(&self) -> Option<Claimed<'_, T>> {
        let beside_several = |body: &&Body<T>| body.reserve_many_used.load(Relaxed) != 0;
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
        body.find_shard(self.id)
    }
}

/// A slot that a key names, and what it takes to free it.
pub(super) struct Held<'a, T> {
    pub(super) pool: &'a Pool<T>,
    pub(super) body: &'a Body<T>,
    pub(super) slot: &'a Slot<T>,
    pub(super) key: Key<T>,
}

impl<T> Clone for Held<'_, T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Held<'_, T> {}

impl<'a, T> Held<'a, T> {
    /// Drops the value and frees the slot, also if the destructor panics.
    ///
    /// # Safety
    /// The caller holds the slot, with the value of the key in it.
    #[inline(always)]
    pub(super) unsafe fn drop_value(self) {
        // SAFETY: this function's contract; the value's destructor has ended, if by a panic.
        let panicked = core::mem::needs_drop::<T>().then(|| Then(self, |held| unsafe { held.release() }));
        // SAFETY: this function's contract; the slot is freed afterwards.
        unsafe { self.slot.drop_value() };
        core::mem::forget(panicked);
        // SAFETY: this function's contract; the value is gone.
        unsafe { self.release() };
    }

    /// The last guard of a removed value has gone. By its parts, so that a guard stays in registers.
    ///
    /// # Safety
    /// As [`Held::drop_value`].
    #[cold]
    pub(super) unsafe fn drop_after_guards(pool: &'a Pool<T>, body: &'a Body<T>, slot: &'a Slot<T>, key: Key<T>) {
        pool.on_shard(body, |shard| count(&shard.counts.dropped));
        // SAFETY: this function's contract.
        unsafe { Held { pool, body, slot, key }.drop_value() };
    }

    /// The slot becomes free.
    ///
    /// # Safety
    /// The caller holds the slot, and no value is in it.
    #[inline(always)]
    pub(super) unsafe fn release(self) {
        // SAFETY: this function's contract.
        self.pool.on_shard(self.body, |shard| unsafe { self.release_on(shard) });
    }

    /// As [`Held::release`], on the calling thread's shard.
    ///
    /// # Safety
    /// As [`Held::release`].
    #[inline(always)]
    pub(super) unsafe fn release_on(self, shard: &Shard) {
        // SAFETY: this function's contract.
        unsafe { self.body.release(shard, self.slot, self.key.slot(), self.key.generation()) };
    }
}
