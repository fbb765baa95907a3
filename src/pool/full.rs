//! `PoolFull`: what a pool says when it has no slot left, and gives the value back with.

use core::fmt;

/// A pool has no free slot; the value that found none comes back.
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
    /// Slots of the pool: all it may have, or all that its region had room for. Its region's figures say why.
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
