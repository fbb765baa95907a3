//! Guards, reservations and iterators of a pool that are leaked: at worst values and slots stay until the pool is
//! cleared or dropped.

use std::mem::forget;
use std::sync::Arc;
use std::thread;

use crate::support::{
    Log, Owning,
    pools::{assert_free, assert_returned, assert_settled},
};
use sharded_arena::{Key, Pool};

const LEN: usize = 200;

/// A full pool and the keys of its values.
fn filled(ledger: &Arc<Log>) -> (Pool<Owning>, Vec<Key<Owning>>) {
    let pool = Pool::with_capacity(LEN).unwrap();
    let keys = (0..LEN).map(|_| pool.insert(ledger.make_owning()).unwrap()).collect();
    (pool, keys)
}

/// What may end everything in a pool.
const ENDS: [fn(&mut Pool<Owning>); 4] = [
    |pool| pool.clear(),
    |pool| drop(pool.drain()),
    |pool| pool.drain().for_each(drop),
    |pool| *pool = Pool::with_capacity(LEN).unwrap(),
];

/// Everything was dropped once, and all slots are free again.
fn assert_afresh(pool: &mut Pool<Owning>, keys: &[Key<Owning>], ledger: &Log) {
    ledger.assert_all_dropped(LEN);
    assert!(pool.is_empty() && pool.iter().next().is_none() && pool.iter_mut().next().is_none());
    assert_free(pool, LEN, || Log::shared().make_owning());
    assert!(keys.iter().all(|key| !pool.contains(*key) && !pool.remove(*key)));
    assert_settled(pool);
}

#[test]
fn leaked_guards_keep_values_until_drop() {
    for end in ENDS {
        let ledger = Log::shared();
        let (mut pool, keys) = filled(&ledger);
        for key in keys.iter().step_by(2) {
            forget(pool.get(*key).unwrap());
            forget(pool.get(*key).unwrap());
        }
        // Half of those, and half of the others, are removed.
        let removed = |n: &usize| n % 4 < 2;
        assert!((0..LEN).filter(removed).all(|n| pool.remove(keys[n])));
        assert_eq!((pool.len(), ledger.drops()), (LEN / 2, LEN / 4));
        assert_free(&pool, LEN / 4, || Log::shared().make_owning());
        // Those that are there are seen and can be removed; those that were removed are gone for everybody.
        assert_eq!(pool.iter().count(), LEN / 2);
        let seen: Vec<_> = pool.iter_mut().map(|(key, value)| (key, value.id)).collect();
        assert_eq!(seen, (0..LEN).filter(|n| !removed(n)).map(|n| (keys[n], n)).collect::<Vec<_>>());
        assert!(pool.get_mut(keys[0]).is_none() && pool.get_mut(keys[2]).unwrap().id == 2);
        assert!(pool.take(keys[2]).is_none(), "a leaked guard looks at it");
        end(&mut pool);
        assert_afresh(&mut pool, &keys, &ledger);
    }
}

#[test]
fn leaked_guard_outlasts_dropped_ones() {
    let ledger = Log::shared();
    let (pool, keys) = filled(&ledger);
    let guard = pool.get(keys[7]).unwrap();
    forget(pool.get(keys[7]));
    assert!(pool.remove(keys[7]));
    assert_eq!((guard.id, ledger.drops(), pool.len()), (7, 0, LEN - 1));
    drop(guard);
    assert_eq!((ledger.drops(), pool.len()), (0, LEN - 1));
    drop(pool);
    ledger.assert_all_dropped(LEN);
}

#[test]
fn leaked_reservations_are_recovered_by_clear() {
    for end in ENDS {
        let ledger = Log::shared();
        let mut pool = Pool::with_capacity(LEN).unwrap();
        let mut keys = Vec::new();
        for n in 0..LEN / 2 {
            let reservation = pool.reserve().unwrap();
            keys.push(reservation.key());
            forget(reservation);
            assert_eq!(pool.len(), n);
            keys.push(pool.insert(ledger.make_owning()).unwrap());
        }
        assert!(pool.insert(Log::shared().make_owning()).is_err() && pool.reserve().is_err());
        assert_eq!((pool.len(), pool.iter().count(), pool.iter_mut().count()), (LEN / 2, LEN / 2, LEN / 2));
        end(&mut pool);
        ledger.assert_all_dropped(LEN / 2);
        assert!(pool.is_empty());
        // All slots are used again; the keys of what never was there name nothing.
        let again: Vec<_> = (0..LEN).map(|_| pool.insert(Log::shared().make_owning()).unwrap()).collect();
        assert!(keys.iter().all(|key| !again.contains(key) && pool.get(*key).is_none() && !pool.remove(*key)));
        assert_eq!(pool.len(), LEN);
        assert_settled(&pool);
    }
}

#[test]
fn leaked_drain_keeps_unvisited_values() {
    for came in [0, 1, 31, 32, 33, 100, LEN - 1, LEN] {
        for end in ENDS {
            let ledger = Log::shared();
            let (mut pool, keys) = filled(&ledger);
            let mut drain = pool.drain();
            assert_eq!(drain.by_ref().take(came).count(), came);
            forget(drain);
            assert_eq!((pool.len(), ledger.drops()), (LEN - came, came));
            assert!(keys[..came].iter().all(|key| pool.get(*key).is_none()));
            assert!((came..LEN).all(|n| pool.get(keys[n]).unwrap().id == n));
            assert_free(&pool, came, || Log::shared().make_owning());
            end(&mut pool);
            assert_afresh(&mut pool, &keys, &ledger);
        }
    }
}

#[test]
fn abandoned_iterators_keep_no_value() {
    let ledger = Log::shared();
    let (mut pool, keys) = filled(&ledger);
    // Nothing is to be undone where it ends early: it has no destructor.
    assert_eq!(pool.iter_mut().take(50).count(), 50);
    let mut iter = pool.iter();
    // The item's guard is leaked with it.
    forget(iter.next());
    assert!((0..LEN).all(|n| pool.get_mut(keys[n]).unwrap().id == n));
    assert!(keys.iter().all(|key| pool.remove(*key)));
    assert_eq!((pool.len(), ledger.drops()), (0, LEN - 1));
    pool.clear();
    assert_afresh(&mut pool, &keys, &ledger);
}

#[test]
fn drain_returns_values_of_leaked_guards() {
    let ledger = Log::shared();
    let (mut pool, keys) = filled(&ledger);
    for key in &keys {
        forget(pool.get(*key));
        assert!(pool.remove(*key));
    }
    assert_eq!((pool.len(), ledger.drops()), (0, 0));
    let mut drain = pool.drain();
    for (n, key) in keys.iter().enumerate() {
        let (was, value) = drain.next().unwrap();
        assert_eq!((was, value.id), (*key, n));
    }
    assert!(drain.next().is_none() && drain.next().is_none());
    drop(drain);
    assert_afresh(&mut pool, &keys, &ledger);
}

/// Threads that end with leaked guards and reservations, beside one that goes on.
#[test]
fn leaks_of_exited_threads_are_recovered() {
    let ledger = Log::shared();
    let mut pool = Pool::with_capacity(LEN).unwrap();
    let region = pool.region().unwrap();
    for round in 1..=5 {
        let threads: Vec<_> = thread::scope(|scope| {
            let work = || {
                forget(pool.reserve().unwrap());
                for n in 0..9 {
                    let key = pool.insert(ledger.make_owning()).unwrap();
                    forget(pool.get(key));
                    assert!(n % 2 == 0 || pool.remove(key));
                }
            };
            (0..20)
                .map(|_| scope.spawn(work))
                .collect::<Vec<_>>()
                .into_iter()
                .map(thread::ScopedJoinHandle::join)
                .collect()
        });
        assert!(threads.iter().all(Result::is_ok));
        assert_eq!((pool.len(), pool.insert(Log::shared().make_owning()).is_err()), (20 * 5, true));
        pool.clear();
        ledger.assert_all_dropped(round * 20 * 9);
        assert!(pool.is_empty());
        assert_free(&pool, LEN, || Log::shared().make_owning());
        assert_settled(&pool);
    }
    drop(pool);
    assert_returned(&region);
}
