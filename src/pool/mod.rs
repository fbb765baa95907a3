//! `Pool`: values of one type in slots that are reused, found by keys that are not.
//!
//! One value walks through the files like this: the thread's hints (`shard.rs`) or, without one, a look for a free slot
//! (`body.rs`); the slot is claimed, filled, guarded, removed and freed (`hold.rs`) by transitions of its one word
//! (`word.rs`), the value itself in `slot.rs`; a key names it (`key.rs`), a guard keeps it (`guard.rs`), a reservation
//! comes before it (`reservation.rs`); `iter.rs` is for whoever has the pool alone.
//!
//! - INV-pool-1: a pool's id is never another's, so the slot that one of its keys names exists. It has another one
//!   after `clear` and `drain`, which have it exclusively.
//!
//! That threads keep free slots of their own and guards delay a removal is `sharded-slab`'s idea; batches of free slots
//! change threads as magazines do in Bonwick and Adams' *Magazines and Vmem* (USENIX 2001).
#![expect(unsafe_code, reason = "reads and drops values in slots it holds")]

use core::fmt;
use core::marker::PhantomData;

use crate::base::debug::debug_figures;
use crate::base::error::{AllocError, AllocErrorKind, RegionError};
use crate::base::stats::PoolStats;
use crate::base::unwind::Then;
use crate::region::shards::Id;
use crate::region::{FirstUse, Region, client_limits};

mod body;
mod builder;
mod guard;
mod hold;
mod iter;
mod key;
#[cfg(all(test, loom))]
mod model;
mod reservation;
mod shard;
mod slot;
#[cfg(all(test, not(loom)))]
mod tests;
mod word;

use body::Body;
pub use builder::PoolBuilder;
pub use guard::Ref;
use hold::Held;
pub use iter::{PoolDrain, PoolIter, PoolIterMut};
pub use key::Key;
pub use reservation::Reservation;
use shard::{Shard, count};
use slot::Slot;
use word::Removed;

/// Slots that keys can tell apart.
const MOST_SLOTS: usize = u32::MAX as usize;
/// Slots of a pool that was given no number: as many as its region has room for and keys can tell apart.
const ANY_NUMBER: usize = usize::MAX;

/// A growing set of values that all threads insert into, look at and remove from, without a lock: a slab with keys that
/// are never issued twice.
///
/// Values lie in slots in a region's memory and never move. A key of a removed value, or of another pool, is no key:
/// [`get`](Self::get) says `None`. A value that is removed while somebody looks at it is dropped by the last who does.
/// Slots are reused, those a thread has freed by itself first; they go back to the region with the pool.
///
/// A slot issues 2^32 keys; then it is spent, and counts as in use until [`clear`](Self::clear) or
/// [`drain`](Self::drain), which begin anew. So a pool of `n` slots issues `n` × 2^32 keys in between: at ten million a
/// second that is 7 minutes a slot. One that can still grow makes a slot in the place of one that is spent. Slots wear
/// alike: one that has issued another 2^20 keys rests until the pool's others were used (in a pool that can grow, until
/// those that its thread has freed were).
///
/// What is live is [`len`](Self::len); there is nothing of its own to verify: see [`Region::verify`].
///
/// `Sync` where `T: Send + Sync`, for a value may be looked at and dropped on any thread.
///
/// ```
/// use sharded_arena::Pool;
///
/// let pool = Pool::new();
/// let key = pool.insert(String::from("a value"))?;
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         let value = pool.get(key).unwrap();
///         assert!(pool.remove(key)); // nobody finds it any more
///         assert!(pool.get(key).is_none());
///         assert_eq!(*value, "a value"); // dropped with this guard, on this thread
///     });
/// });
/// assert!(pool.is_empty());
/// # Ok::<(), sharded_arena::PoolFull<String>>(())
/// ```
#[doc(alias = "Slab")]
#[doc(alias = "SlotMap")]
pub struct Pool<T> {
    id: Id<Shard>,
    most: usize,
    body: FirstUse<Body<T>>,
    owns: PhantomData<T>,
}

// SAFETY: the pool is its values and memory without thread affinity.
unsafe impl<T: Send> Send for Pool<T> {}
// SAFETY: a shared pool hands out `&T` on every thread (`T: Sync`), and takes, hands out and drops values on any
// (`T: Send`). Who may do what with a slot is decided by its word (INV-pool.word-1, INV-pool.word-3).
unsafe impl<T: Send + Sync> Sync for Pool<T> {}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self::new()
    }
}

debug_figures! { [<T>] Pool<T>: len, capacity, memory_usage }
client_limits! { [<T>] Pool<T>: |pool| pool.body }

impl<T> Pool<T> {
    /// A pool that only its region's capacity bounds, which is made at its first use, as long as
    /// [`Arena::new`](crate::Arena::new) says. A page of it becomes memory when it is first touched.
    #[must_use]
    pub fn new() -> Pool<T> {
        Self::with_region(None, ANY_NUMBER)
    }

    /// A pool that shares `region` and its limit with heaps, arenas and other pools. Takes nothing until used; then
    /// about 4 KB outside the region and a first segment of 4 KiB in it, and no mapping of the process before it has
    /// 32 segments, or a thread has freed 64 slots more than it took.
    #[must_use]
    pub fn in_region(region: &Region) -> Pool<T> {
        Self::with_region(Some(region.clone()), ANY_NUMBER)
    }

    /// A pool of `slots` slots in a region of its own, which has room for all of them.
    ///
    /// # Errors
    /// `ZeroCapacity` without a slot, `AboveGreatest` for more than 2^32 − 1 or more than 64 GiB − 4 KiB of them,
    /// `System` if the operating system refuses.
    pub fn with_capacity(slots: usize) -> Result<Pool<T>, RegionError> {
        Self::builder().capacity(slots).build()
    }

    /// A pool with options.
    pub fn builder() -> PoolBuilder<T> {
        PoolBuilder::default()
    }

    fn with_region(region: Option<Region>, most: usize) -> Pool<T> {
        Self::with_limit(region, most, usize::MAX)
    }

    /// A pool of at most `most` slots that may take `limit` bytes from its region.
    fn with_limit(region: Option<Region>, most: usize, limit: usize) -> Pool<T> {
        Pool { id: Id::new(), most, body: FirstUse::new(region, limit), owns: PhantomData }
    }

    // ---- values ---------------------------------------------------------------------------------------------------

    /// Puts `value` into a free slot; the key names it. No lock, and one atomic exchange on the slot, while the thread
    /// knows of a free slot; else one for 32 slots, or the region's lock for a new segment of about 4 KiB.
    ///
    /// # Errors
    /// [`PoolFull`], with the value, if every slot is in use or spent and the region has no room for more (or the
    /// system refuses the pool's first memory); or if 64 looks at all slots found none free, while removals never
    /// ceased.
    #[inline(always)]
    pub fn insert(&self, value: T) -> Result<Key<T>, PoolFull<T>> {
        match self.claim() {
            // SAFETY: the slot was just claimed.
            Some(claimed) => Ok(unsafe { self.fill(claimed, value) }),
            None => Err(PoolFull { value, capacity: self.capacity() }),
        }
    }

    /// Puts the value that `value` makes for its own key into a free slot. Costs what [`reserve`](Self::reserve) does.
    ///
    /// The key names nothing until `value` has returned. If it panics, the slot is free again and the key will never
    /// name anything.
    ///
    /// ```
    /// use sharded_arena::{Key, Pool};
    /// struct Node { own: Key<Node> }
    /// let pool = Pool::new();
    /// let key = pool.insert_with_key(|own| Node { own })?;
    /// assert!(pool.get(key).unwrap().own == key);
    /// # Ok::<(), sharded_arena::PoolFull<()>>(())
    /// ```
    ///
    /// # Errors
    /// [`PoolFull`] as for [`insert`](Self::insert); `value` is not called then.
    #[doc(alias = "vacant_entry")]
    pub fn insert_with_key(&self, value: impl FnOnce(Key<T>) -> T) -> Result<Key<T>, PoolFull<()>> {
        let reserved = self.reserve()?;
        let value = value(reserved.key());
        Ok(reserved.fill(value))
    }

    /// Looks at the value that `key` names: none if it was removed, is not there yet, or the key is another pool's. The
    /// value stays as long as the guard does, even if it is removed meanwhile. One atomic exchange on the slot, and one
    /// when the guard goes.
    ///
    /// # Panics
    /// With more than 2^30 − 2 guards at one value, which can only be if they were leaked.
    #[inline]
    pub fn get(&self, key: Key<T>) -> Option<Ref<'_, T>> {
        let held = self.slot(key)?;
        held.slot.word.guard(key.generation()).then(|| Ref(held))
    }

    /// The value that `key` names, exclusively; none as for [`get`](Self::get). No atomic exchange.
    pub fn get_mut(&mut self, key: Key<T>) -> Option<&mut T> {
        let Held { slot, .. } = self.slot(key)?;
        // SAFETY: the word is full, and the pool is borrowed exclusively.
        slot.word.contains(key.generation()).then(|| unsafe { slot.value_mut() })
    }

    /// Removes the value that `key` names; `false` if there is none. It is dropped here, or, while somebody looks at
    /// it, by the last guard, on its thread. Its slot is free at once afterwards, also if the destructor panics.
    #[inline(always)]
    pub fn remove(&self, key: Key<T>) -> bool {
        let Some(held) = self.slot(key) else { return false };
        match held.slot.word.remove(key.generation()) {
            Some(Removed::Now) => {
                // SAFETY: the removal made this call the slot's holder, with the value in it.
                unsafe { held.drop_value() };
                true
            }
            Some(Removed::Later) => {
                self.on_shard(held.body, |shard| count(&shard.counts.removed_while_guarded));
                true
            }
            None => false,
        }
    }

    /// Removes the value that `key` names and gives it back; none if there is none, or somebody looks at it.
    #[inline(always)]
    pub fn take(&self, key: Key<T>) -> Option<T> {
        let held = self.slot(key)?;
        if !held.slot.word.take(key.generation()) {
            return None;
        }
        // SAFETY: taken with the value in it, which is moved out once.
        let value = unsafe { held.slot.read() };
        // SAFETY: as above; the value is gone.
        unsafe { held.release() };
        Some(value)
    }

    /// Whether `key` names a value. It may be removed at once.
    #[must_use]
    pub fn contains(&self, key: Key<T>) -> bool {
        self.slot(key).is_some_and(|held| held.slot.word.contains(key.generation()))
    }

    /// Number of values; reserved slots, and removed values that somebody looks at, do not count. Exact when quiet. A
    /// few loads a shard.
    #[must_use]
    pub fn len(&self) -> usize {
        self.body.made().map_or(0, Body::len)
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Slots there may be: as many as were asked for, else as many as there are now.
    #[must_use]
    pub fn capacity(&self) -> usize {
        let made = || self.body.made().map_or(0, |body| body.slots.len());
        if self.most == ANY_NUMBER { made() } else { self.most }
    }

    /// Returns why the pool can make no more slots: what its region refuses, or what the system refused at the first
    /// use. `None` if it has made some, as an insert does that finds no free slot, or if it has as many as it may have.
    ///
    /// ```
    /// use sharded_arena::{AllocErrorKind, Pool, Region};
    /// let region = Region::builder().capacity(64 << 10).limit(32 << 10).build()?;
    /// let pool = Pool::in_region(&region);
    /// while pool.insert([0u8; 1000]).is_ok() {}
    /// let refusal = pool.refusal().unwrap();
    /// assert_eq!((refusal.kind, refusal.limit), (AllocErrorKind::LimitReached, 32 << 10));
    /// # Ok::<(), sharded_arena::RegionError>(())
    /// ```
    #[must_use]
    pub fn refusal(&self) -> Option<AllocError> {
        match self.body.make(|region| Body::make(region, self.most), |_| ()) {
            Ok(body) => body.why_no_growth(),
            Err(system) => {
                let kind = AllocErrorKind::System(system);
                Some(Region::refusal_of(self.region(), size_of::<Slot<T>>(), align_of::<Slot<T>>(), kind))
            }
        }
    }

    /// Returns the pool's figures. A few loads a shard.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        let body = self.body.made();
        PoolStats {
            limit: self.limit(),
            usage: self.memory_usage(),
            peak: self.peak_memory_usage(),
            len: self.len(),
            slots: body.map_or(0, |body| body.slots.len()),
            retired: body.map_or(0, Body::retired),
        }
    }

    /// Bytes of slots that the pool has taken from its region. One load.
    #[doc(alias = "allocated_bytes")]
    #[must_use]
    pub fn memory_usage(&self) -> usize {
        self.body.usage()
    }

    /// Greatest [`memory_usage`](Self::memory_usage) so far: slots go back with the pool only, so it is the usage, and
    /// what a refusal took for a moment. One load.
    #[must_use]
    pub fn peak_memory_usage(&self) -> usize {
        self.body.peak()
    }
}

impl<T> Drop for Pool<T> {
    /// Drops every value, those of leaked guards too, and gives the slots back. If destructors panic, the others still
    /// run, and the first panic goes on.
    fn drop(&mut self) {
        let close = Then(self, |pool| {
            if let Some(Body { account, slots, .. }) = pool.body.made_mut() {
                // SAFETY: `close`'s contract: the slots' account; every value is gone, and no borrow of the pool is
                // left.
                unsafe { slots.close(account) };
            }
        });
        if core::mem::needs_drop::<T>() {
            close.0.clear();
        }
    }
}

/// A pool has no free slot; the value that found none comes back.
///
/// Remove values, raise the region's or the pool's limit, make the pool with more slots, or, where
/// [`PoolStats::retired`] says that slots are spent, [`clear`](Pool::clear) the pool.
///
/// ```
/// use sharded_arena::Pool;
/// let pool = Pool::with_capacity(1)?;
/// pool.insert("first")?;
/// let full = pool.insert("second").unwrap_err();
/// assert_eq!((full.value, full.capacity), ("second", 1));
/// assert_eq!(full.to_string(), "not enough free slots: the pool has 1 and can make no more");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PoolFull<T> {
    /// What found no slot, as it was given.
    pub value: T,
    /// Slots of the pool: all it may have, or all that its region had room for; 0 if not even the first were made.
    /// [`Pool::refusal`] says why.
    pub capacity: usize,
}

impl<T> fmt::Debug for PoolFull<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolFull").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for PoolFull<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not enough free slots: the pool has {} and can make no more", self.capacity)
    }
}

impl<T> std::error::Error for PoolFull<T> {}
