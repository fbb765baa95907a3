//! `Key`: names a value in one pool, and nothing else, ever.

use core::cmp::Ordering as Order;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::num::NonZeroU64;

/// Names one value of one [`Pool`](super::Pool): the pool, a slot, and which of the slot's values.
///
/// 16 bytes, `Copy`, and so is an `Option` of it. A key is never issued twice in a process: once its value was removed,
/// or in another pool, it names nothing.
///
/// ```
/// use sharded_arena::{Key, Pool};
/// let (words, others) = (Pool::new(), Pool::new());
/// let key: Key<&str> = words.insert("one")?;
/// assert_eq!(size_of::<Option<Key<&str>>>(), 16);
/// assert!(others.get(key).is_none());
/// others.insert("two")?;
/// # Ok::<(), sharded_arena::PoolFull<&str>>(())
/// ```
pub struct Key<T> {
    pub(super) pool: NonZeroU64,
    /// The generation, and below it the slot: two words, so that a key goes in two registers, and what was written as
    /// two is never read as one, which a processor cannot forward.
    place: u64,
    /// Names a `T` and has none: a key may go to any thread.
    of: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    #[inline(always)]
    pub(super) fn new(pool: NonZeroU64, slot: u32, generation: u32) -> Self {
        Self { pool, place: u64::from(generation) << 32 | u64::from(slot), of: PhantomData }
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    pub(super) fn slot(self) -> u32 {
        self.place as u32
    }

    #[inline(always)]
    pub(super) fn generation(self) -> u32 {
        (self.place >> 32) as u32
    }

    fn parts(self) -> (NonZeroU64, u32, u32) {
        (self.pool, self.slot(), self.generation())
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> PartialEq for Key<T> {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl<T> Eq for Key<T> {}

impl<T> PartialOrd for Key<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

/// By pool, slot, generation: an order for maps, not that of insertion.
impl<T> Ord for Key<T> {
    fn cmp(&self, other: &Self) -> Order {
        self.parts().cmp(&other.parts())
    }
}

impl<T> Hash for Key<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}.{} in pool {})", self.slot(), self.generation(), self.pool)
    }
}
