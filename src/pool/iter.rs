//! What whoever has the pool exclusively may do with all its values: visit, drain, clear.
//!
//! No guard, reservation or call is under way then, so those that words still count were leaked: their values and slots
//! are used like all others.
#![expect(unsafe_code, reason = "moves and drops values of a pool it has exclusively")]

use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::ops::Range;

use crate::base::unwind::{Then, run_all};
use crate::region::shards::Id;

use super::Pool;
use super::guard::Ref;
use super::hold::Held;
use super::key::Key;
use super::shard::count;

/// The values of a pool with their keys, each under a guard; see [`Pool::iter`].
pub struct PoolIter<'a, T> {
    pool: &'a Pool<T>,
    slots: Range<usize>,
}

/// The values of a pool with their keys, exclusively; see [`Pool::iter_mut`].
pub struct PoolIterMut<'a, T> {
    /// Made from an exclusive borrow.
    pool: &'a Pool<T>,
    next: usize,
    lends: PhantomData<&'a mut T>,
}

/// The values of a pool with the keys they had, moved out of it; see [`Pool::drain`].
pub struct PoolDrain<'a, T> {
    pool: &'a mut Pool<T>,
    next: usize,
}

impl<T> Pool<T> {
    /// The values that are there when the iterator comes by, each under a guard, with their keys, by slot. What is
    /// inserted or removed meanwhile may be seen or not.
    pub fn iter(&self) -> PoolIter<'_, T> {
        PoolIter { pool: self, slots: 0..self.body.made().map_or(0, |body| body.slots.len()) }
    }

    /// The values with their keys, by slot. A value that was removed while a guard of it was leaked is none of them.
    pub fn iter_mut(&mut self) -> PoolIterMut<'_, T> {
        PoolIterMut { pool: self, next: 0, lends: PhantomData }
    }

    /// Takes all values out, with the keys they had, by slot; those too that were removed while a guard of them was
    /// leaked. Those that the iterator has not come to when it is dropped are dropped with it, and all slots are free
    /// then, as after [`clear`](Self::clear); if it is leaked they stay.
    pub fn drain(&mut self) -> PoolDrain<'_, T> {
        PoolDrain { pool: self, next: 0 }
    }

    /// Drops all values and makes all slots free: those of leaked guards and reservations too, and those whose keys are
    /// spent. No key from before names anything any more. If destructors panic, the others still run, and the first
    /// panic goes on. Visits each slot; each thread's next call looks for its part of the pool anew.
    pub fn clear(&mut self) {
        drop(self.drain());
    }

    /// The key of the value in slot `index`, if one is there.
    fn key_at(&self, index: usize) -> Option<Key<T>> {
        let generation = self.body.made()?.slots.get(index)?.word.full_generation()?;
        let slot = u32::try_from(index).ok()?;
        Some(Key::new(self.id.get(), slot, generation))
    }

    /// The next value from slot `next` on; its slot is free.
    fn take_next(&mut self, next: &mut usize) -> Option<(Key<T>, T)> {
        let body = self.body.made()?;
        while let Some(slot) = body.slots.get(*next) {
            let index = u32::try_from(*next).ok()?;
            *next += 1;
            if let Some((generation, removed_while_guarded)) = slot.word.take_exclusively() {
                // SAFETY: the slot was just taken with its value, in a pool that nobody else uses.
                let value = unsafe { slot.read() };
                let key = Key::new(self.id.get(), index, generation);
                if removed_while_guarded {
                    self.on_shard(body, |shard| count(&shard.counts.dropped));
                }
                // SAFETY: as above; the value is gone.
                unsafe { Held { pool: self, body, slot, key }.release() };
                return Some((key, value));
            }
        }
        None
    }

    /// Every value is gone: frees all slots, and takes another id, under which generations begin anew
    /// (INV-pool.word-2).
    fn free_all(&mut self) {
        if let Some(body) = self.body.made_mut() {
            body.start_afresh();
            self.id = Id::new();
        }
    }
}

impl<'a, T> Iterator for PoolIter<'a, T> {
    type Item = (Key<T>, Ref<'a, T>);

    fn next(&mut self) -> Option<Self::Item> {
        let pool = self.pool;
        self.slots.find_map(|index| {
            let key = pool.key_at(index)?;
            Some((key, pool.get(key)?))
        })
    }
}

impl<T> FusedIterator for PoolIter<'_, T> {}

impl<'a, T> IntoIterator for &'a Pool<T> {
    type Item = (Key<T>, Ref<'a, T>);
    type IntoIter = PoolIter<'a, T>;

    fn into_iter(self) -> PoolIter<'a, T> {
        self.iter()
    }
}

impl<T> fmt::Debug for PoolIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolIter").field("pool", &self.pool).finish_non_exhaustive()
    }
}

impl<'a, T> Iterator for PoolIterMut<'a, T> {
    type Item = (Key<T>, &'a mut T);

    fn next(&mut self) -> Option<Self::Item> {
        let body = self.pool.body.made()?;
        while self.next < body.slots.len() {
            let key = self.pool.key_at(self.next);
            self.next += 1;
            if let Some(key) = key
                && let Some(slot) = body.slots.get(key.slot() as usize)
            {
                // SAFETY: the word is full; the pool is borrowed exclusively for `'a`, and each slot is visited once.
                return Some((key, unsafe { slot.value_mut() }));
            }
        }
        None
    }
}

impl<T> FusedIterator for PoolIterMut<'_, T> {}

impl<'a, T> IntoIterator for &'a mut Pool<T> {
    type Item = (Key<T>, &'a mut T);
    type IntoIter = PoolIterMut<'a, T>;

    fn into_iter(self) -> PoolIterMut<'a, T> {
        self.iter_mut()
    }
}

impl<T> fmt::Debug for PoolIterMut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolIterMut").field("pool", &self.pool).finish_non_exhaustive()
    }
}

impl<T> Iterator for PoolDrain<'_, T> {
    type Item = (Key<T>, T);

    fn next(&mut self) -> Option<Self::Item> {
        self.pool.take_next(&mut self.next)
    }
}

impl<T> FusedIterator for PoolDrain<'_, T> {}

impl<T> fmt::Debug for PoolDrain<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolDrain").field("pool", &self.pool).finish_non_exhaustive()
    }
}

impl<T> Drop for PoolDrain<'_, T> {
    fn drop(&mut self) {
        // Frees everything when all values are gone, also if some have panicked.
        let free = Then(self, |drain| drain.pool.free_all());
        run_all(free.0.by_ref(), drop);
    }
}
