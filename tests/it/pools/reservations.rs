//! Keys before their values: reserved, filled and cancelled on any thread, in any order, several at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex, mpsc};
use std::thread;

use crate::support::{
    self, Log, Random, panic_text,
    pools::{assert_free, assert_settled},
};
use sharded_arena::{Key, Pool, PoolFull, Reservation};

#[test]
fn reserved_key_names_nothing_until_filled() {
    let mut pool = Pool::with_capacity(2).unwrap();
    let first = pool.reserve().unwrap();
    let key = first.key();
    assert!(!pool.contains(key) && pool.get(key).is_none() && pool.take(key).is_none() && !pool.remove(key));
    assert!(pool.is_empty() && pool.iter().next().is_none());
    let second = pool.reserve().unwrap();
    assert!(matches!(pool.reserve(), Err(PoolFull { value: (), capacity: 2 })));
    assert!(matches!(pool.insert(0), Err(PoolFull { value: 0, capacity: 2 })));
    assert_eq!(first.fill(7), key);
    assert_eq!((pool.get(key).as_deref(), pool.len(), pool.contains(second.key())), (Some(&7), 1, false));
    drop(second);
    assert_eq!(pool.get_mut(key), Some(&mut 7));
    assert_eq!(pool.iter_mut().map(|(key, value)| (key, *value)).collect::<Vec<_>>(), [(key, 7)]);
    assert_free(&pool, 1, || 0);
}

/// The value knows its key, which names nothing before it is there, nor after its closure has panicked.
#[test]
fn value_is_made_with_its_key() {
    struct Node {
        own: Key<Node>,
        parent: Option<Key<Node>>,
    }
    let pool = Pool::with_capacity(3).unwrap();
    let root = pool.insert_with_key(|own| Node { own, parent: None }).unwrap();
    let child = pool.insert_with_key(|own| {
        assert!(!pool.contains(own) && pool.len() == 1);
        // The closure has the pool.
        let inner = pool.insert_with_key(|own| Node { own, parent: Some(root) }).unwrap();
        assert!(pool.remove(inner));
        Node { own, parent: Some(root) }
    });
    let child = child.unwrap();
    for (key, node) in &pool {
        assert!(node.own == key && node.parent == (key == child).then_some(root));
    }
    let mut failed = None;
    let panicked = panic_text(|| {
        _ = pool.insert_with_key(|own| {
            failed = Some(own);
            panic!("no value")
        });
    });
    assert_eq!((panicked.as_str(), pool.len()), ("no value", 2));
    assert!(failed.is_some_and(|key| !pool.contains(key) && !pool.remove(key)), "its key is spent");
    let last = pool.insert_with_key(|own| Node { own, parent: None }).expect("its slot is free");
    assert!(last != failed.unwrap());
    let full = pool.insert_with_key(|_| unreachable!("there is no slot for it")).unwrap_err();
    assert_eq!((full, pool.len()), (PoolFull { value: (), capacity: 3 }, 3));
}

#[test]
fn cancelled_key_names_nothing() {
    let pool = Pool::with_capacity(1).unwrap();
    let mut cancelled: Vec<Key<i32>> = Vec::new();
    for n in 0..100 {
        cancelled.push(pool.reserve().unwrap().key());
        let key = pool.insert(n).unwrap();
        for key in &cancelled {
            assert!(
                !pool.contains(*key) && pool.get(*key).is_none() && !pool.remove(*key) && pool.take(*key).is_none()
            );
        }
        assert_eq!(pool.take(key), Some(n));
    }
    assert_settled(&pool);
}

#[test]
fn reservations_are_filled_in_any_order() {
    let (pool, mut random) = (Pool::with_capacity(100).unwrap(), Random::seeded(0xF111));
    for _ in 0..50 {
        let mut reserved: Vec<_> = (0..100).map(|_| pool.reserve().unwrap()).collect();
        let keys: Vec<_> = reserved.iter().map(Reservation::key).collect();
        let mut filled = Vec::new();
        while !reserved.is_empty() {
            let reservation = reserved.swap_remove(random.below(reserved.len()));
            // A value that refers, by its place, to one that may be there or not.
            let (key, other) = (reservation.key(), random.below(100));
            if random.below(4) > 0 {
                assert_eq!(reservation.fill(other), key);
                filled.push((key, other));
            }
            assert_eq!(pool.len(), filled.len());
        }
        for (key, other) in &filled {
            assert_eq!(*pool.get(*key).unwrap(), *other);
            assert_eq!(pool.contains(keys[*other]), filled.iter().any(|(key, _)| *key == keys[*other]));
        }
        assert!(filled.iter().all(|(key, _)| pool.remove(*key)) && pool.is_empty());
    }
    assert_settled(&pool);
}

#[test]
fn reservations_move_between_threads() {
    let (pool, ledger) = (Pool::with_capacity(90).unwrap(), Log::shared());
    for round in 1..=20 {
        let keys: Vec<_> = thread::scope(|scope| {
            let (give, taken) = mpsc::channel::<Reservation<'_, _>>();
            for _ in 0..3 {
                let (give, pool) = (give.clone(), &pool);
                // Some come from threads that have ended when they are used.
                scope.spawn(move || (0..30).for_each(|_| give.send(pool.reserve().unwrap()).unwrap()));
            }
            drop(give);
            let (fill, fills) = mpsc::channel::<Reservation<'_, _>>();
            let (cancel, cancels) = mpsc::channel::<Reservation<'_, _>>();
            let fills = scope.spawn(|| fills.into_iter().map(|one| one.fill(ledger.make_owning())).collect());
            let cancels = scope.spawn(|| cancels.into_iter().map(|one| one.key()).collect::<Vec<_>>());
            for (n, reservation) in taken.into_iter().enumerate() {
                if n % 3 == 0 { cancel.send(reservation) } else { fill.send(reservation) }.unwrap();
            }
            drop((fill, cancel));
            let cancelled = cancels.join().unwrap();
            assert!(cancelled.len() == 30 && cancelled.iter().all(|key| !pool.contains(*key)));
            fills.join().unwrap()
        });
        assert_eq!((keys.len(), pool.len()), (60, 60));
        assert_free(&pool, 30, || Log::shared().make_owning());
        assert!(keys.iter().all(|key| pool.remove(*key)) && pool.is_empty());
        ledger.assert_all_dropped(60 * round);
    }
    assert_free(&pool, 90, || Log::shared().make_owning());
    assert_settled(&pool);
}

#[test]
fn panic_cancels_reservations() {
    let pool = Pool::with_capacity(40).unwrap();
    let mut keys = Vec::new();
    let panic = panic_text(|| {
        let one = pool.reserve().unwrap();
        let many = pool.reserve_many::<32>().unwrap();
        keys.extend(many.iter().chain([&one]).map(Reservation::key));
        let filled: Vec<_> = many.into_iter().take(5).map(|reservation| reservation.fill(1)).collect();
        assert_eq!(filled, keys[..5]);
        panic!("builds nothing");
    });
    assert_eq!((panic.as_str(), pool.len()), ("builds nothing", 5));
    assert_eq!(keys.iter().filter(|key| pool.contains(**key)).count(), 5);
    assert_free(&pool, 35, || 0);
    let panic = thread::scope(|scope| {
        let reservation = pool.reserve().unwrap();
        let thread = scope.spawn(move || {
            let _reservation = reservation;
            panic!("builds nothing");
        });
        thread.join().unwrap_err()
    });
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"builds nothing"));
    assert_free(&pool, 35, || 0);
}

/// Of a pool with `free` slots that are free and some that are not, `N` are reserved, or none.
fn reserve_many_of<const N: usize>(slots: usize, used: usize) {
    let pool = Pool::with_capacity(slots).unwrap();
    let kept: Vec<_> = (0..used).map(|n| pool.insert(n).unwrap()).collect();
    let before = (pool.len(), pool.capacity());
    match pool.reserve_many::<N>() {
        Ok(many) => {
            assert!(N <= slots - used, "{N} of {slots} with {used} in use");
            let keys = many.each_ref().map(Reservation::key);
            assert_eq!(keys.iter().collect::<std::collections::HashSet<_>>().len(), N);
            assert!(keys.iter().all(|key| !pool.contains(*key) && !kept.contains(key)));
            assert_eq!((pool.len(), pool.capacity()), before);
            // One is filled, all others are cancelled.
            let mut many = many.into_iter();
            let key = many.next().map(|one| one.fill(used));
            drop(many);
            assert_eq!(pool.len(), used + usize::from(N > 0));
            assert!(key.is_none_or(|key| pool.remove(key)));
        }
        Err(PoolFull { value: (), capacity }) => {
            assert!(N > slots - used && capacity == slots, "{N} of {slots} with {used} in use");
            assert_eq!((pool.len(), pool.capacity()), before);
        }
    }
    assert_free(&pool, slots - used, || 0);
    assert!(kept.iter().enumerate().all(|(n, key)| pool.take(*key) == Some(n)));
    assert_settled(&pool);
}

#[test]
fn reserve_many_is_all_or_nothing() {
    for slots in [1, 2, 31, 32, 33, 64, 99, 100, 101, 200] {
        for used in [0, 1, slots / 2, slots - 1, slots] {
            reserve_many_of::<0>(slots, used);
            reserve_many_of::<1>(slots, used);
            reserve_many_of::<2>(slots, used);
            reserve_many_of::<32>(slots, used);
            reserve_many_of::<100>(slots, used);
            reserve_many_of::<101>(slots, used);
        }
    }
}

/// Threads that all want so many that there are enough for one of them: one is served, also where nobody used the pool
/// before.
#[test]
fn one_of_competing_reservations_succeeds() {
    const THREADS: usize = 4;
    const EACH: usize = 30;
    for round in 0..support::steps(2_000) {
        let pool = Pool::<u64>::with_capacity(EACH).unwrap();
        let used_before = round % 4 == 0;
        if used_before {
            drop(pool.reserve());
        }
        let (begin, wanted) = (Barrier::new(THREADS), Barrier::new(THREADS));
        let served: usize = thread::scope(|scope| {
            let want = || {
                begin.wait();
                let many = pool.reserve_many::<EACH>();
                // Held until all have asked.
                wanted.wait();
                usize::from(many.is_ok())
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(want)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(served, 1, "round {round}, used before: {used_before}");
        assert_free(&pool, EACH, || 0);
    }
}

/// One thread fills while another looks: nothing, and then the whole value.
#[test]
fn filled_value_is_never_seen_partly() {
    type Long = [usize; 1024];
    let (pool, rounds) = (Pool::<Long>::with_capacity(2).unwrap(), support::steps(16_000));
    let to_fill = Mutex::new(None::<Reservation<'_, Long>>);
    let wait = |turn: usize| if turn.is_multiple_of(256) { thread::yield_now() } else { std::hint::spin_loop() };
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..rounds {
                let reservation = (0..).find_map(|turn| {
                    wait(turn);
                    to_fill.lock().unwrap().take()
                });
                reservation.unwrap().fill([round; 1024]);
            }
        });
        // Told at the end, for the other would wait for ever.
        let mut torn = 0;
        for round in 0..rounds {
            let reservation = pool.reserve().unwrap();
            let key = reservation.key();
            *to_fill.lock().unwrap() = Some(reservation);
            let value = (0..).find_map(|turn| {
                wait(turn);
                pool.get(key)
            });
            // The last that was written is looked at first.
            torn += usize::from(!value.unwrap().iter().rev().all(|word| *word == round));
            assert!(pool.remove(key));
        }
        assert_eq!(torn, 0, "values that were seen before they were written");
    });
    assert!(pool.is_empty());
}

/// What a request for several has of the slots when it is refused does not refuse the others.
#[test]
fn refused_reserve_many_refuses_no_insert() {
    const ROUNDS: usize = 200_000;
    let pool = Pool::with_capacity(1).unwrap();
    let over = AtomicBool::new(false);
    let mut refused = [0; 3];
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                assert!(pool.reserve_many::<2>().is_err());
            }
        });
        for _ in 0..ROUNDS {
            refused[0] += usize::from(!pool.insert(7).is_ok_and(|key| pool.remove(key)));
            refused[1] += usize::from(pool.reserve().is_err());
            refused[2] += usize::from(pool.reserve_many::<1>().is_err());
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(refused, [0; 3], "the slot was never anybody's for longer");
    assert_free(&pool, 1, || 0);
}
