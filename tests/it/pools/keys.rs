//! Keys that name nothing: stale ones, those of other pools, of pools that are gone, of pools at the same address. What
//! a caller cannot make, keys with fields of his choice, is in `src/pool/tests.rs`.

use std::collections::{BTreeSet, HashSet};
use std::thread;

use crate::support::{self, pools::assert_settled};
use sharded_arena::{Key, Pool, Region};

/// Every method says that `key` names nothing, and the pool is as before.
fn assert_no_key<T>(pool: &mut Pool<T>, key: Key<T>) {
    let before = (pool.len(), pool.capacity(), pool.memory_usage());
    assert!(pool.get(key).is_none() && pool.take(key).is_none());
    assert!(!pool.remove(key) && !pool.contains(key) && pool.get_mut(key).is_none());
    assert_eq!((pool.len(), pool.capacity(), pool.memory_usage()), before);
}

#[test]
fn foreign_keys_name_nothing() {
    let region = Region::with_capacity(1 << 20).unwrap();
    let mut pools = [(); 4].map(|()| Pool::in_region(&region));
    // The same slots and generations in all of them, and one that was never used.
    let keys: Vec<Vec<Key<usize>>> = pools[..3]
        .iter()
        .enumerate()
        .map(|(id, pool)| (0..100).map(|n| pool.insert(1000 * id + n).unwrap()).collect())
        .collect();
    for (id, pool) in pools.iter_mut().enumerate() {
        for (of, keys) in keys.iter().enumerate().filter(|(of, _)| *of != id) {
            keys.iter().for_each(|key| assert_no_key(pool, *key));
            assert!(of != id && pool.len() == if id < 3 { 100 } else { 0 });
        }
    }
    for (id, pool) in pools[..3].iter_mut().enumerate() {
        for (n, key) in keys[id].iter().enumerate() {
            assert_eq!(*pool.get(*key).unwrap(), 1000 * id + n);
            assert_eq!(*pool.get_mut(*key).unwrap(), 1000 * id + n);
        }
    }
}

#[test]
fn stale_keys_name_nothing() {
    let mut pool = Pool::with_capacity(1).unwrap();
    let mut stale = Vec::new();
    for n in 0..200 {
        let key = if n % 3 == 0 {
            let reservation = pool.reserve().unwrap();
            let key = reservation.key();
            stale.iter().for_each(|key| assert!(!pool.contains(*key) && !pool.remove(*key)));
            if n % 2 == 0 {
                stale.push(key);
                continue;
            }
            reservation.fill(n)
        } else {
            pool.insert(n).unwrap()
        };
        stale.iter().for_each(|key| assert_no_key(&mut pool, *key));
        assert_eq!(*pool.get(key).unwrap(), n);
        match n % 4 {
            0 => assert!(pool.remove(key)),
            1 => assert_eq!(pool.take(key), Some(n)),
            2 => assert_eq!(pool.drain().next(), Some((key, n))),
            _ => pool.clear(),
        }
        stale.push(key);
        stale.iter().for_each(|key| assert_no_key(&mut pool, *key));
    }
    assert_eq!(stale.iter().collect::<HashSet<_>>().len(), 200);
    assert_settled(&pool);
}

#[test]
fn pools_at_one_address_differ() {
    let region = Region::with_capacity(1 << 20).unwrap();
    let mut place = None;
    let (mut old, mut addresses): (Vec<Key<u64>>, HashSet<_>) = (Vec::new(), HashSet::new());
    for n in 0..10_000u64 {
        let pool = place.insert(Pool::in_region(&region));
        // Nothing was made in it yet; then a value lies where that of the former pool did.
        old.iter().rev().take(5).for_each(|key| assert_no_key(pool, *key));
        let key = pool.insert(n).unwrap();
        let value = pool.get(key).unwrap();
        addresses.insert((&raw const *pool as usize, &raw const *value as usize));
        drop(value);
        old.iter().rev().take(10).chain(old.iter().take(10)).for_each(|key| assert_no_key(pool, *key));
        assert_eq!(*pool.get(key).unwrap(), n);
        old.push(key);
    }
    assert!(addresses.len() < 10, "they were at one address");
    assert_eq!(old.iter().collect::<HashSet<_>>().len(), 10_000);
    drop(place);
    assert_eq!(region.memory_usage(), 0);
    region.verify().unwrap();
}

/// Two threads that have their shards of each pool cached when the next one is made at its address.
#[test]
fn cached_hints_belong_to_one_pool() {
    use std::sync::{Barrier, RwLock};
    let region = Region::with_capacity(1 << 20).unwrap();
    let pool = RwLock::new(Pool::in_region(&region));
    let (canary, step) = (Pool::in_region(&region), Barrier::new(3));
    let canaries: Vec<_> = (0..500u64).map(|n| canary.insert([n; 8]).unwrap()).collect();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..support::steps(4_000) {
                    let pool = pool.read().unwrap();
                    let keys: Vec<_> = (0..40u64).map(|n| pool.insert([n; 8]).unwrap()).collect();
                    assert!(keys.iter().zip(0..).all(|(key, n)| pool.take(*key) == Some([n; 8])));
                    drop(pool);
                    step.wait();
                    step.wait();
                }
            });
        }
        for _ in 0..support::steps(4_000) {
            step.wait();
            let mut pool = pool.write().unwrap();
            assert!(pool.is_empty());
            *pool = Pool::in_region(&region);
            assert!(canaries.iter().zip(0..).all(|(key, n)| *canary.get(*key).unwrap() == [n; 8]));
            drop(pool);
            step.wait();
        }
    });
    drop(pool);
    assert_eq!(canary.memory_usage(), region.memory_usage());
}

#[test]
fn keys_survive_a_move_of_pool() {
    let pool = Pool::new();
    let keys: Vec<_> = (0..100).map(|n| pool.insert(n).unwrap()).collect();
    let boxed = Box::new(pool);
    let pool = thread::spawn(move || *boxed).join().unwrap();
    assert!(keys.iter().enumerate().all(|(n, key)| pool.take(*key) == Some(n)));
}

#[test]
fn keys_are_never_issued_twice() {
    const THREADS: usize = 4;
    let (pool, steps) = (Pool::with_capacity(THREADS).unwrap(), support::steps(100_000));
    let keys: Vec<Vec<Key<usize>>> = thread::scope(|scope| {
        let work = |id: usize| {
            let pool = &pool;
            move || {
                let insert = |n: usize| match n % 3 {
                    0 => pool.reserve().unwrap().key(),
                    1 => pool.reserve().unwrap().fill(id),
                    _ => pool.insert(id).unwrap(),
                };
                (0..steps)
                    .map(|n| {
                        let key = insert(n);
                        assert_eq!(pool.remove(key), n % 3 != 0);
                        key
                    })
                    .collect()
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|id| scope.spawn(work(id))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (hashed, sorted): (HashSet<_>, BTreeSet<_>) =
        (keys.iter().flatten().collect(), keys.iter().flatten().collect());
    assert_eq!((hashed.len(), sorted.len()), (THREADS * steps, THREADS * steps));
    let texts: HashSet<String> = keys[0].iter().take(1000).map(|key| format!("{key:?}")).collect();
    assert_eq!(texts.len(), 1000.min(steps));
    assert!(pool.is_empty());
}

#[test]
fn key_and_option_take_sixteen_bytes() {
    assert_eq!((size_of::<Key<String>>(), size_of::<Option<Key<[u64; 100]>>>()), (16, 16));
}

#[test]
fn key_finds_value_until_removal() {
    let pool = Pool::new();
    let keys: Vec<Key<String>> = (0..1000).map(|n| pool.insert(format!("value {n}")).unwrap()).collect();
    assert_eq!(pool.len(), 1000);
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(*pool.get(*key).unwrap(), format!("value {n}"));
        assert!(pool.remove(*key));
        assert!(!pool.remove(*key) && pool.get(*key).is_none() && pool.take(*key).is_none());
    }
    assert!(pool.is_empty());
}

/// What `for` shows of a shared pool: each value once, under a guard, of those that are there when it comes by.
#[test]
fn shared_pool_is_iterated_under_guards() {
    let pool = Pool::with_capacity(100).unwrap();
    assert_eq!((&pool).into_iter().count(), 0, "a pool before its first use");
    let keys: Vec<_> = (0..100_usize).map(|n| pool.insert(n).unwrap()).collect();
    let mut seen = Vec::new();
    for (key, value) in &pool {
        assert_eq!(keys[*value], key);
        seen.push(*value);
        // Removed under the guard, which keeps it, and before the iterator comes by, which then passes over it.
        assert!(pool.remove(key) && !pool.contains(key));
        _ = keys.get(*value + 1).filter(|_| *value % 3 == 0).map(|next| assert!(pool.remove(*next)));
        assert_eq!(keys[*value], key);
    }
    assert!(seen.into_iter().eq((0..100).filter(|n| n % 3 != 1)) && pool.is_empty());
    let mut values = pool.iter();
    assert!(values.next().is_none() && values.next().is_none());
}
