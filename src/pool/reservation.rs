//! `Reservation`: a key before its value.
#![expect(unsafe_code, reason = "fills the slot it holds")]

use core::fmt;
use core::mem::ManuallyDrop;

use crate::sync::Relaxed;

use super::body::Claimed;
use super::hold::Held;
use super::key::Key;
use super::shard::count;
use super::{Pool, PoolFull};

/// A slot of a [`Pool`] and its key, before there is a value: what refers to the value may be built first.
///
/// Until it is [filled](Self::fill) the key names nothing. Dropped, it is cancelled: the slot is free, and the key will
/// never name anything. One that is leaked keeps its slot until the pool is cleared or dropped.
///
/// ```
/// use sharded_arena::{Key, Pool};
/// struct Node { next: Option<Key<Node>> }
///
/// let pool = Pool::new();
/// let [a, b] = pool.reserve_many()?;
/// let (first, second) = (a.key(), b.key());
/// assert!(pool.get(first).is_none());
/// a.fill(Node { next: Some(second) });
/// b.fill(Node { next: Some(first) }); // a ring
/// assert!(pool.get(first).unwrap().next == Some(second));
///
/// let key = pool.reserve()?.key(); // cancelled
/// assert!(!pool.contains(key) && pool.len() == 2);
/// # Ok::<(), sharded_arena::PoolFull<()>>(())
/// ```
#[must_use = "a reservation that is dropped is cancelled"]
pub struct Reservation<'a, T>(Held<'a, T>);

impl<T> Reservation<'_, T> {
    /// The key that will name the value.
    #[must_use]
    pub fn key(&self) -> Key<T> {
        self.0.key
    }

    /// Puts the value into the slot: from now on its key names it. No atomic exchange.
    pub fn fill(self, value: T) -> Key<T> {
        let Held { pool, body, slot, key } = ManuallyDrop::new(self).0;
        pool.on_shard(body, |shard| count(&shard.counts.settled));
        // SAFETY: a reservation holds its slot, with nothing in it, until it is filled or dropped.
        unsafe { pool.fill(Claimed::new(slot, key.slot(), key.generation()), value) }
    }
}

impl<T> fmt::Debug for Reservation<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reservation").field(&self.0.key).finish()
    }
}

impl<T> Drop for Reservation<'_, T> {
    /// Cancels it.
    fn drop(&mut self) {
        self.0.pool.on_shard(self.0.body, |shard| {
            count(&shard.counts.settled);
            // SAFETY: a reservation holds its slot, with nothing in it.
            unsafe { self.0.release_on(shard) };
        });
    }
}

impl<T> Pool<T> {
    /// Takes a slot, from any thread, and issues the key of the value that will be put into it. Costs what
    /// [`insert`](Self::insert) does.
    ///
    /// # Errors
    /// [`PoolFull`] if every slot is in use and the region has no room for more.
    #[doc(alias = "vacant_entry")]
    pub fn reserve(&self) -> Result<Reservation<'_, T>, PoolFull<()>> {
        self.reserved(self.claim())
    }

    /// The reservation of a slot, if one was claimed.
    fn reserved<'a>(&'a self, claimed: Option<Claimed<'a, T>>) -> Result<Reservation<'a, T>, PoolFull<()>> {
        let Some((claimed, body)) = claimed.zip(self.body.made()) else {
            return Err(PoolFull { value: (), capacity: self.capacity() });
        };
        let (slot, index, generation) = claimed.into_parts();
        let key = Key::new(self.id.get(), index, generation);
        self.on_shard(body, |shard| count(&shard.counts.reserved));
        Ok(Reservation(Held { pool: self, body, slot, key }))
    }

    /// Takes `N` slots, all of them or none. Of several threads that do this at the same time, and for which there are
    /// not enough slots together, some are served.
    ///
    /// # Errors
    /// [`PoolFull`] if there are not as many; those that there were are free again.
    pub fn reserve_many<const N: usize>(&self) -> Result<[Reservation<'_, T>; N], PoolFull<()>> {
        let reserve = || {
            let mut refused = None;
            let made: [_; N] = core::array::from_fn(|_| match refused {
                None => self.reserved(self.claim_once()).map_err(|full| refused = Some(full)).ok(),
                Some(_) => None,
            });
            match refused {
                Some(full) => Err(full),
                // With no refusal each is there.
                None => Ok(made.map(|reservation| reservation.unwrap_or_else(|| unreachable!("none was refused")))),
            }
        };
        if N == 0 {
            return reserve();
        }
        match self.body() {
            Some(body) => {
                body.reserve_many_used.store(1, Relaxed);
                body.many.with(|()| reserve())
            }
            None => Err(PoolFull { value: (), capacity: self.capacity() }),
        }
    }
}
