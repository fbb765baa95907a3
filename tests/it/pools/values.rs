//! `Pool`: keys, guards, reservations, capacity, from one thread and from several.

use std::sync::atomic::{AtomicUsize, Ordering};

use sharded_arena::{Key, Pool, PoolFull, Region, RegionError};

#[test]
fn a_value_is_found_by_its_key_until_it_is_removed() {
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

#[test]
fn capacity_is_exact_and_the_value_comes_back() {
    for slots in [1, 2, 31, 32, 33, 64, 65, 1000] {
        let pool = Pool::with_capacity(slots).unwrap();
        let keys: Vec<_> = (0..slots).map(|n| pool.insert(n).unwrap()).collect();
        let PoolFull { value, capacity, .. } = pool.insert(7777).unwrap_err();
        assert_eq!((value, capacity, pool.len()), (7777, slots, slots));
        assert!(pool.remove(keys[slots / 2]));
        let key = pool.insert(1).unwrap();
        assert!(key != keys[slots / 2]);
        assert!(pool.insert(2).is_err());
    }
    assert!(matches!(Pool::<u8>::with_capacity(0), Err(RegionError::ZeroCapacity)));
}

#[test]
fn threads_that_together_hold_no_more_than_the_capacity_are_never_refused() {
    const THREADS: usize = 8;
    const EACH: usize = 50;
    let pool = Pool::with_capacity(THREADS * EACH).unwrap();
    let moved = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for id in 0..THREADS {
            let (pool, moved) = (&pool, &moved);
            scope.spawn(move || {
                for round in 0..400 {
                    let keys: Vec<_> = (0..EACH).map(|n| pool.insert((id, round, n)).unwrap()).collect();
                    for (n, key) in keys.iter().enumerate() {
                        assert_eq!(*pool.get(*key).unwrap(), (id, round, n));
                        assert!(pool.remove(*key));
                        moved.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(moved.load(Ordering::Relaxed), THREADS * EACH * 400);
    assert!(pool.is_empty());
}

#[test]
fn slots_that_another_thread_has_freed_are_found_while_it_lives() {
    let pool = Pool::with_capacity(100).unwrap();
    let (freed, go_on) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let keys: Vec<_> = (0..100).map(|n| pool.insert(n).unwrap()).collect();
            for key in &keys {
                assert!(pool.remove(*key));
            }
            freed.wait();
            go_on.wait();
        });
        freed.wait();
        let keys: Vec<_> = (0..100).map(|n| pool.insert(n).unwrap()).collect();
        assert!(pool.insert(0).is_err() && keys.len() == 100);
        go_on.wait();
    });
}

#[test]
fn all_memory_returns_with_the_pool() {
    let region = Region::with_capacity(1 << 20).unwrap();
    let pool = Pool::in_region(&region);
    let mut count = 0;
    while pool.insert([0u64; 7]).is_ok() {
        count += 1;
    }
    assert!(count * 64 > (1 << 20) - 8192, "{count}");
    assert_eq!(pool.memory_usage(), region.memory_usage());
    drop(pool);
    assert_eq!(region.memory_usage(), 0);
    region.verify().unwrap();
}
