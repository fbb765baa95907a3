//! What must hold of a pool's figures after everything.

use sharded_arena::{Pool, PoolFull, Region};

/// A region that a pool has alone, and the pool.
pub(crate) fn pool_alone<T>(bytes: usize) -> (Region, Pool<T>) {
    let region = Region::with_capacity(bytes).expect("memory");
    let pool = Pool::in_region(&region);
    (region, pool)
}

/// Nobody else is in the pool's region: their figures are the same, and every byte is in one place.
pub(crate) fn assert_settled<T>(pool: &Pool<T>) {
    let Some(region) = pool.region() else { return };
    assert_eq!(pool.memory_usage(), region.memory_usage(), "bytes of the only pool, and of its region");
    region.verify().expect("every byte is in one place");
}

/// The pool is gone, and was alone.
pub(crate) fn assert_returned(region: &Region) {
    assert_eq!(region.memory_usage(), 0);
    region.verify().expect("every byte is in one place");
}

/// Exactly `slots` slots are free: so many values go in, none more, and all come out again.
pub(crate) fn assert_free<T>(pool: &Pool<T>, slots: usize, mut make: impl FnMut() -> T) {
    let len = pool.len();
    let keys: Vec<_> = (0..slots).map(|n| pool.insert(make()).unwrap_or_else(|_| panic!("slot {n} is free"))).collect();
    assert!(matches!(pool.insert(make()), Err(PoolFull { .. })), "no more than {slots} slots are free");
    assert_eq!(pool.len(), len + slots);
    assert!(keys.into_iter().all(|key| pool.take(key).is_some()));
    assert_eq!(pool.len(), len);
}
