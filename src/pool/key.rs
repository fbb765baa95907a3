//! `Key`: names a value in one pool, and nothing else, ever.

use core::cmp::Ordering as Order;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::num::NonZeroU64;

/// Names one value of one [`Pool`](super::Pool): the pool, a slot, and which of the slot's values.
///
/// 16 bytes, `Copy`, and so is an `Option` of it. A key is never issued twice in a process: once its value was removed, or
/// in another pool, it names nothing.
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
    pub(super) slot: u32,
    pub(super) generation: u32,
    /// Names a `T` and has none: a key may go to any thread.
    pub(super) of: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    fn parts(self) -> (NonZeroU64, u32, u32) {
        (self.pool, self.slot, self.generation)
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
        write!(f, "Key({}.{} in pool {})", self.slot, self.generation, self.pool)
    }
}
