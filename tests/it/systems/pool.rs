//! `atomic_arena`: keys with generations, reserved on other threads before their values are there. In the original a
//! controller hands out keys; values go in and out through an exclusive reference.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;

use crate::support::{Random, steps};
use sharded_arena::{Key, Pool, Region, RegionError, Reservation};

fn pool<T>(slots: usize) -> Pool<T> {
    Pool::with_capacity(slots).expect("a pool")
}

// ---- match exactly --------------------------------------------------------------------------------------------------

/// In the original a clone of the controller reserves a key on any thread; the value follows on the arena's.
#[test]
fn atomic_arena__key_before_value() {
    let pool: Pool<String> = Pool::new();
    thread::scope(|scope| {
        let (send, reserved) = mpsc::channel::<Reservation<'_, String>>();
        let keys = scope.spawn({
            let pool = &pool;
            move || {
                let reservations = (0..100).map(|_| pool.reserve().expect("room"));
                let keys: Vec<Key<String>> = reservations
                    .map(|reservation| {
                        let key = reservation.key();
                        send.send(reservation).expect("somebody waits for it");
                        key
                    })
                    .collect();
                assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 100, "each has its own");
                keys
            }
        });
        let keys = keys.join().expect("no panic");
        for key in &keys {
            assert!(!pool.contains(*key) && pool.get(*key).is_none(), "nothing is there yet");
            assert!(!pool.remove(*key) && pool.take(*key).is_none(), "a reserved slot is its holder's");
        }
        assert_eq!((pool.len(), pool.is_empty()), (0, true));
        // The values, on this thread, each in the slot whose key another has.
        for ((n, reservation), key) in reserved.into_iter().enumerate().zip(&keys) {
            assert_eq!(reservation.fill(format!("value {n}")), *key);
        }
        assert_eq!(pool.len(), 100);
        for (n, key) in keys.iter().enumerate() {
            assert_eq!(pool.get(*key).as_deref(), Some(&format!("value {n}")));
        }
    });
}

/// In the original a value goes into the slot of the key that it is given with; so does it here, whatever was inserted,
/// removed and reserved between the two.
#[test]
fn atomic_arena__insert_into_the_reserved_key() {
    let pool = pool(64);
    let mut random = Random::seeded(0xA70);
    for round in 0..steps(400) {
        let mut reserved: Vec<(Reservation<'_, usize>, Key<usize>)> = (0..20)
            .map(|_| pool.reserve().expect("room"))
            .map(|reservation| {
                let key = reservation.key();
                (reservation, key)
            })
            .collect();
        let mut others: Vec<(Key<usize>, usize)> =
            (0..30).map(|n| (pool.insert(round * 1000 + n).expect("room"), round * 1000 + n)).collect();
        let mut values: HashMap<Key<usize>, usize> = HashMap::new();
        while !reserved.is_empty() {
            let (reservation, key) = reserved.swap_remove(random.below(reserved.len()));
            if random.below(2) == 0 {
                let (key, value) = others.swap_remove(random.below(others.len()));
                assert_eq!(pool.take(key), Some(value));
            }
            let value = round * 1000 + 500 + reserved.len();
            assert_eq!(reservation.fill(value), key);
            values.insert(key, value);
        }
        assert_eq!((values.len(), pool.len()), (20, 20 + others.len()));
        values.extend(others);
        for (key, value) in values {
            assert_eq!(pool.take(key), Some(value));
        }
    }
}

/// In the original a key is an index and a generation; of a removed item it says `None`, whoever has the slot now.
#[test]
fn atomic_arena__a_stale_key_is_none() {
    let mut pool = pool(1);
    let mut stale: Vec<Key<usize>> = Vec::new();
    for n in 0..1000 {
        let key = match n % 3 {
            0 => pool.insert(n).expect("the slot is free"),
            1 => pool.reserve().expect("the slot is free").fill(n),
            _ => {
                // Cancelled: that key never names anything.
                stale.push(pool.reserve().expect("the slot is free").key());
                pool.insert(n).expect("the slot is free")
            }
        };
        assert_eq!(pool.get(key).as_deref(), Some(&n));
        for old in stale.iter().rev().take(20).chain(stale.first()) {
            assert!(pool.get(*old).is_none() && pool.get_mut(*old).is_none() && pool.take(*old).is_none());
            assert!(!pool.contains(*old) && !pool.remove(*old), "key {n}");
        }
        assert_eq!(pool.get_mut(key).copied(), Some(n), "the value that is there stays");
        assert_eq!(pool.len(), 1);
        assert!(if n % 2 == 0 { pool.remove(key) } else { pool.take(key) == Some(n) });
        stale.push(key);
    }
    let last = pool.insert(7).expect("the slot is free");
    pool.clear();
    assert!(pool.get(last).is_none(), "a clear is a removal");
    assert_eq!(pool.insert(8).ok().and_then(|key| pool.take(key)), Some(8));
    assert_eq!(stale.iter().collect::<HashSet<_>>().len(), stale.len(), "one slot, and each key once");
}

// ---- better than the original ---------------------------------------------------------------------------------------

/// In the original a key is plain numbers: one that is reserved and forgotten keeps its slot for ever.
#[test]
fn atomic_arena__a_dropped_reservation_is_returned() {
    let pool = pool(3);
    let kept = pool.insert("kept").expect("room");
    for _ in 0..steps(4000) {
        let (first, second) = (pool.reserve().expect("room"), pool.reserve().expect("room"));
        assert_eq!(pool.reserve().expect_err("three slots").capacity, 3);
        assert!(pool.insert("none").is_err());
        let keys = [first.key(), second.key()];
        drop(first);
        drop(second);
        assert!(keys.iter().all(|key| pool.get(*key).is_none()));
    }
    // A panic between the key and its value cancels, too, and so does a thread's end.
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let reservations = [pool.reserve().expect("room"), pool.reserve().expect("room")];
        panic!("before {} values are there", reservations.len());
    }));
    assert!(caught.is_err());
    thread::scope(|scope| {
        let reserve = || [pool.reserve().expect("room"), pool.reserve().expect("room")];
        drop(scope.spawn(reserve).join().expect("no panic"));
    });
    let filled: Vec<_> = (0..2).map(|_| pool.insert("filled").expect("both are free again")).collect();
    assert_eq!((pool.len(), pool.get(kept).as_deref(), filled.len()), (3, Some(&"kept"), 2));
}

/// In the original keys come one by one: two threads that need several each may take all there are, and none has
/// enough.
#[test]
fn atomic_arena__several_at_once() {
    let pool = pool(10);
    let [a, b, c] = pool.reserve_many::<3>().expect("room");
    let keys = [a.key(), b.key(), c.key()];
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 3);
    drop(b);
    assert_eq!((a.fill(1), c.fill(3)), (keys[0], keys[2]));
    assert_eq!(pool.reserve_many::<9>().expect_err("eight are left").capacity, 10);
    assert_eq!(pool.reserve_many::<8>().map(|all| all.len()).ok(), Some(8), "the refused nine took none");
    let _empty: [Reservation<'_, u32>; 0] = pool.reserve_many().expect("none is always there");
    pool.remove(keys[0]);
    pool.remove(keys[2]);
    assert_eq!(pool.reserve_many::<10>().map(|all| all.len()).ok(), Some(10), "all are free in the end");
}

/// Of three threads that need more than a half each, one is served, every time.
#[test]
fn atomic_arena__several_at_once_from_several_threads() {
    let pool = pool::<u32>(700);
    let (served, met, rounds) = (AtomicUsize::new(0), Barrier::new(3), steps(1200));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..rounds {
                    met.wait();
                    let all = pool.reserve_many::<400>();
                    served.fetch_add(usize::from(all.is_ok()), Ordering::Relaxed);
                    met.wait();
                    drop(all);
                }
            });
        }
    });
    assert_eq!(served.load(Ordering::Relaxed), rounds, "exactly one a round");
}

/// In the original the list of free slots is exchanged without a count: a thread that read its head and its second
/// slot, and slept while both were taken and the head came back, puts a slot that is in use on top of the list, and its
/// key, or another's, is issued twice. Few slots, many threads, and every removed slot at once on top again: what that
/// needs.
#[test]
fn atomic_arena__no_key_is_issued_twice() {
    const SLOTS: usize = 6;
    let pool: Pool<(usize, usize)> = pool(SLOTS);
    let issued: Mutex<Vec<Key<(usize, usize)>>> = Mutex::new(Vec::new());
    let held = AtomicUsize::new(0);
    let met = Barrier::new(4);
    thread::scope(|scope| {
        for thread in 0..4 {
            let (pool, issued, held, met) = (&pool, &issued, &held, &met);
            scope.spawn(move || {
                let (mut random, mut own) = (Random::new(0xA71 + thread as u64), Vec::new());
                met.wait();
                for n in 0..steps(60_000) {
                    // Two are taken and the first goes back before the second: the list's head returns, its next does
                    // not.
                    let first = pool.insert((thread, n));
                    let second = pool.reserve();
                    let taken = usize::from(first.is_ok()) + usize::from(second.is_ok());
                    assert!(held.fetch_add(taken, Ordering::SeqCst) + taken <= SLOTS, "more values than slots");
                    if let Ok(key) = first {
                        own.push(key);
                        if random.below(8) == 0 {
                            thread::yield_now();
                        }
                        assert_eq!(pool.get(key).as_deref(), Some(&(thread, n)), "nobody else's value");
                        held.fetch_sub(1, Ordering::SeqCst);
                        assert_eq!(pool.take(key), Some((thread, n)), "nobody else has the key");
                    }
                    if let Ok(reservation) = second {
                        own.push(reservation.key());
                        held.fetch_sub(1, Ordering::SeqCst);
                        let key = if random.below(2) == 0 { Some(reservation.fill((thread, n))) } else { None };
                        assert!(key.is_none_or(|key| pool.remove(key)));
                    }
                }
                issued.lock().expect("nobody panics here").extend(own);
            });
        }
    });
    let issued = issued.into_inner().expect("nobody panics here");
    let distinct: HashSet<_> = issued.iter().copied().collect();
    assert_eq!(distinct.len(), issued.len(), "a key was issued twice");
    assert!(issued.len() > steps(60_000) && pool.is_empty(), "{} keys", issued.len());
    assert_eq!(pool.reserve_many::<SLOTS>().map(|all| all.len()).ok(), Some(SLOTS), "no slot was lost");
}

/// The same where slots go from thread to thread in batches: each thread removes what the one before it has inserted.
#[test]
fn atomic_arena__no_key_is_issued_twice_when_others_remove() {
    const SLOTS: usize = 500;
    let pool: Pool<u64> = pool(SLOTS);
    let issued: Mutex<Vec<Key<u64>>> = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..4).map(|_| mpsc::channel::<(Key<u64>, u64)>()).unzip();
        for ((thread, before), next) in (0..4_u64).zip(receivers).zip(senders.into_iter().cycle().skip(1)) {
            let (pool, issued) = (&pool, &issued);
            scope.spawn(move || {
                let (mut random, mut own) = (Random::new(0xA75 + thread), Vec::new());
                for n in 0..steps(1500) as u64 {
                    for _ in 0..random.below(100) {
                        let value = thread << 32 | n;
                        if let Ok(key) = pool.insert(value) {
                            own.push(key);
                            // The next may have ended: then it stays.
                            let _sent = next.send((key, value));
                        }
                    }
                    for (key, value) in before.try_iter().take(random.below(120)) {
                        assert_eq!(pool.take(key), Some(value), "nobody else has the key");
                    }
                }
                issued.lock().expect("nobody panics here").extend(own);
            });
        }
    });
    let issued = issued.into_inner().expect("nobody panics here");
    let distinct: HashSet<_> = issued.iter().copied().collect();
    assert_eq!(distinct.len(), issued.len(), "a key was issued twice");
    assert!(issued.len() > 2 * SLOTS, "{} keys", issued.len());
}

/// The original computes `capacity - 1`: an arena of no slots panics in debug builds, and in release builds says that
/// its slot 0 is free.
#[test]
fn atomic_arena__capacity_0_is_an_error() {
    assert!(matches!(Pool::<u8>::with_capacity(0), Err(RegionError::ZeroCapacity)));
    assert!(matches!(Pool::<u8>::with_capacity(usize::MAX), Err(RegionError::AboveGreatest { .. })));
    assert!(matches!(Pool::<[u8; 4096]>::with_capacity(1 << 30), Err(RegionError::AboveGreatest { .. })));
    // A region without room for one slot is a full pool, not a panic.
    let region = Region::with_capacity(4096).expect("a region");
    let full = Pool::in_region(&region).insert([7_u8; 8192]).expect_err("longer than the region");
    assert_eq!((full.value[0], full.capacity, region.memory_usage()), (7, 0, 0));
}

/// The original's keys name no arena: one from a larger arena is out of bounds and panics, one from another finds a
/// value that it never named.
#[test]
fn atomic_arena__a_foreign_key_is_none() {
    let (mut small, large) = (pool(1), pool(1000));
    let own = small.insert(String::from("own")).expect("room");
    let mut foreign: Vec<Key<String>> = (0..1000).map(|n| large.insert(n.to_string()).expect("room")).collect();
    // Pools that stood in the same place, one after the other.
    for n in 0..100 {
        let gone = pool(1);
        foreign.push(gone.insert(n.to_string()).expect("room"));
    }
    let unused: Pool<String> = Pool::new();
    for key in foreign.iter().take(1).chain(&foreign[990..]) {
        assert!(small.get(*key).is_none() && small.get_mut(*key).is_none() && small.take(*key).is_none());
        assert!(!small.contains(*key) && !small.remove(*key) && !unused.contains(*key) && !unused.remove(*key));
    }
    assert_eq!((small.get(own).as_deref().map(String::as_str), large.len()), (Some("own"), 1000));
}

/// Removed while somebody looks at it: the original cannot be looked at and removed from at the same time.
#[test]
fn atomic_arena__from_other_threads() {
    let dropped = Arc::new(());
    let pool = pool(100);
    let keys: Vec<_> = (0..100).map(|n| pool.insert((n, Arc::clone(&dropped))).expect("room")).collect();
    let met = Barrier::new(2);
    thread::scope(|scope| {
        let looks = scope.spawn(|| {
            let looked: Vec<_> = keys.iter().map(|key| pool.get(*key)).collect();
            met.wait();
            met.wait();
            looked.iter().enumerate().all(|(n, value)| value.as_ref().is_some_and(|value| value.0 == n))
        });
        met.wait();
        let taken = keys.iter().filter(|key| pool.take(**key).is_some()).count();
        let removed = keys.iter().filter(|key| pool.remove(**key) && pool.get(**key).is_none()).count();
        let (left, alive) = (pool.len(), Arc::strong_count(&dropped));
        met.wait();
        assert_eq!((taken, removed, left, alive), (0, 100, 0, 101), "guarded values are removed, not taken, and stay");
        assert!(looks.join().expect("no panic"), "what is looked at stays");
    });
    assert_eq!(Arc::strong_count(&dropped), 1, "each was dropped by its last guard");
}
