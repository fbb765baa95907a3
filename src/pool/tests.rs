//! What no caller can bring about: generations that are spent, keys with fields of one's choice, guards beyond count.

use core::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::word::{LAST_GENERATION, MOST_GUARDS};
use super::{Key, Pool, Slot};

fn slot<T>(pool: &Pool<T>, index: u32) -> &Slot<T> {
    pool.body.made().and_then(|body| body.slots.get(index as usize)).expect("a slot that was made")
}

/// Makes `pool`'s slot `index`, which is free, one that was used until `generation`.
fn age<T>(pool: &Pool<T>, index: u32, generation: u32) {
    slot(pool, index).word.age(generation);
}

/// Fills the pool; the keys.
fn fill_up(pool: &Pool<u32>) -> Vec<Key<u32>> {
    core::iter::from_fn(|| pool.insert(7).ok()).collect()
}

/// A pool of `slots` slots all of which were made and are free.
fn made(slots: usize) -> Pool<u32> {
    let pool = Pool::with_capacity(slots).expect("memory");
    let keys = fill_up(&pool);
    assert!(keys.len() == slots && keys.iter().all(|key| pool.remove(*key)));
    pool
}

/// What takes the value of a key out of a pool, or the whole pool's.
type Way = fn(&mut Pool<u32>, Key<u32>);

const WAYS: [(&str, Way); 8] = [
    ("remove", |pool, key| assert!(pool.remove(key))),
    ("take", |pool, key| assert_eq!(pool.take(key), Some(7))),
    ("last guard", |pool, key| {
        let guard = pool.get(key).expect("there");
        assert!(pool.remove(key));
        drop(guard);
    }),
    ("clear", |pool, _| pool.clear()),
    ("drain", |pool, _| assert!(pool.drain().count() > 0)),
    ("leaked drain", |pool, _| {
        let mut drain = pool.drain();
        assert!(drain.by_ref().count() > 0);
        core::mem::forget(drain);
    }),
    ("clear after a leaked guard", |pool, key| {
        core::mem::forget(pool.get(key).expect("there"));
        pool.clear();
    }),
    ("clear after a leaked guard of a removed value", |pool, key| {
        core::mem::forget(pool.get(key).expect("there"));
        assert!(pool.remove(key));
        pool.clear();
    }),
];

#[test]
fn a_slot_is_retired_after_its_last_generation() {
    const SLOTS: usize = 40;
    for (name, way) in WAYS {
        for index in [0, 5, 39] {
            let mut pool = made(SLOTS);
            age(&pool, index, LAST_GENERATION - 1);
            // Two more keys of that slot are issued.
            for generation in [LAST_GENERATION - 1, LAST_GENERATION] {
                let keys = fill_up(&pool);
                assert_eq!((keys.len(), pool.len()), (SLOTS, SLOTS), "{name}");
                let key = *keys.iter().find(|key| key.slot() == index).expect("all slots are in use");
                assert_eq!(key.generation(), generation);
                way(&mut pool, key);
                assert!(!pool.contains(key) && pool.get(key).is_none(), "{name}");
                let left: Vec<_> = pool.iter().map(|(key, _)| key).collect();
                assert!(left.iter().all(|key| pool.remove(*key)));
                assert_eq!((pool.len(), pool.capacity()), (0, SLOTS), "{name}");
            }
            for round in 0..3 {
                let keys = fill_up(&pool);
                assert_eq!((keys.len(), pool.len()), (SLOTS - 1, SLOTS - 1), "{name}, round {round}");
                assert!(keys.iter().all(|key| key.slot() != index), "{name}: a retired slot was issued");
                assert_eq!(pool.insert(1).expect_err("full").capacity, SLOTS);
                assert!(pool.reserve().is_err() && pool.reserve_many::<2>().is_err());
                assert_eq!((pool.iter().count(), pool.iter_mut().count()), (SLOTS - 1, SLOTS - 1));
                match round {
                    1 => pool.clear(),
                    _ => assert!(keys.iter().all(|key| pool.remove(*key))),
                }
                assert!(pool.is_empty(), "{name}");
            }
            assert!(pool.reserve_many::<39>().is_ok() && pool.reserve_many::<40>().is_err());
        }
    }
}

#[test]
fn a_cancelled_reservation_of_the_last_generation_retires_its_slot() {
    for leaks in [false, true] {
        let mut pool = made(3);
        for slot in 0..3 {
            age(&pool, slot, LAST_GENERATION);
        }
        let [first, second, third] = pool.reserve_many().expect("three slots");
        let keys = [first.key(), second.key(), third.key()];
        assert!(keys.iter().all(|key| key.generation() == LAST_GENERATION));
        if leaks {
            core::mem::forget((first, second, third));
            assert!(pool.is_empty() && pool.reserve().is_err());
            pool.clear();
        } else {
            drop((first, third));
            assert!(second.fill(9) == keys[1] && pool.remove(keys[1]));
        }
        for _ in 0..3 {
            assert_eq!((pool.len(), pool.capacity(), fill_up(&pool).len()), (0, 3, 0));
            assert!(pool.reserve().is_err() && pool.reserve_many::<2>().is_err());
            pool.clear();
        }
        assert!(keys.iter().all(|key| !pool.contains(*key) && !pool.remove(*key)));
    }
}

/// A pool that may grow makes a slot in the place of one that is retired.
#[test]
fn a_pool_that_may_grow_outlives_its_generations() {
    let pool = Pool::new();
    let first = pool.insert(7).expect("a slot");
    assert!(pool.remove(first));
    let slots = u32::try_from(pool.capacity()).expect("few");
    for slot in 0..slots {
        age(&pool, slot, LAST_GENERATION);
    }
    for round in 0..2 {
        let keys: Vec<_> = (0..slots).map(|_| pool.insert(7).expect("a slot")).collect();
        assert!(keys.iter().all(|key| (key.generation() == LAST_GENERATION) == (round == 0)));
        assert!(keys.iter().all(|key| pool.remove(*key)) && pool.is_empty());
    }
    assert_eq!(pool.capacity(), 2 * slots as usize);
    assert_eq!(pool.memory_usage(), pool.region().map_or(0, |region| region.memory_usage()));
}

#[test]
fn all_old_keys_are_stale_after_clear_and_drain() {
    let mut pool = Pool::with_capacity(50).expect("memory");
    let mut old: Vec<Key<u32>> = Vec::new();
    for round in 0..30 {
        let keys = fill_up(&pool);
        assert!(keys.len() == 50 && old.iter().all(|key| !keys.contains(key)));
        // Some slots are free, some reserved by what was leaked, when all is cleared.
        assert!(keys.iter().step_by(3).all(|key| pool.remove(*key)));
        let reservation = pool.reserve().expect("a slot");
        old.push(reservation.key());
        core::mem::forget(reservation);
        match round % 3 {
            0 => pool.clear(),
            1 => drop(pool.drain()),
            _ => assert_eq!(pool.drain().count(), 33),
        }
        old.extend(keys);
        assert!(old.iter().all(|key| !pool.contains(*key) && pool.get(*key).is_none()));
    }
    assert_eq!(fill_up(&pool).len(), 50);
    assert!(old.iter().all(|key| !pool.contains(*key) && !pool.remove(*key)));
}

// ---- keys that nobody was given ------------------------------------------------------------------------------------

#[test]
fn a_key_with_any_fields_names_what_was_issued_or_nothing() {
    let other = made(4);
    let mut pool = Pool::with_capacity(300).expect("memory");
    let keys: Vec<_> = (0..200).map(|n| pool.insert(n).expect("a slot")).collect();
    // Slots in every state: full, looked at by a leaked guard, removed under one, reserved, free, retired.
    core::mem::forget(pool.get(keys[1]));
    core::mem::forget(pool.get(keys[2]));
    assert!(pool.remove(keys[2]) && pool.remove(keys[3]) && pool.remove(keys[4]));
    let reserved = pool.reserve().expect("a slot").key();
    age(&pool, keys[3].slot(), LAST_GENERATION);
    let retired =
        core::iter::from_fn(|| pool.insert(7).ok()).find(|key| key.slot() == keys[3].slot()).expect("its turn");
    assert!(pool.remove(retired));
    core::mem::forget(pool.reserve());

    let issued: Vec<_> = pool.iter().map(|(key, _)| key).collect();
    let figures = |pool: &mut Pool<u32>| (pool.len(), pool.capacity(), pool.memory_usage(), pool.iter_mut().count());
    let before = figures(&mut pool);
    let len = u32::try_from(pool.body.made().map_or(0, |body| body.slots.len())).expect("few");
    let own = pool.id.get();
    let pools = [NonZeroU64::MIN, NonZeroU64::MAX, own, other.id.get(), own | 1, own.saturating_add(8)];
    let slots = (0..8).chain([len - 1, len, len + 1, 299, 300, 4095, 1 << 16, 1 << 31, u32::MAX - 1, u32::MAX]);
    let mut forged = 0;
    for slot in slots.chain([reserved.slot()]) {
        let current = keys.iter().find(|key| key.slot() == slot).map_or(0, |key| key.generation());
        let near = [current.wrapping_sub(1), current, current + 1, current + 2];
        for generation in near.into_iter().chain([0, 1, 1 << 31, LAST_GENERATION - 1, LAST_GENERATION]) {
            for of in pools {
                let key = Key::new(of, slot, generation);
                if issued.contains(&key) {
                    assert!(of == own && pool.contains(key) && pool.get(key).is_some());
                    continue;
                }
                assert!(!pool.contains(key) && pool.get(key).is_none(), "{key:?}");
                assert!(!pool.remove(key) && pool.take(key).is_none() && pool.get_mut(key).is_none(), "{key:?}");
                forged += 1;
            }
        }
    }
    assert!(forged > 900 && figures(&mut pool) == before);
    // A pool that nobody used has nothing to look at.
    let mut unused = Pool::new();
    let key = Key::new(unused.id.get(), 0, 0);
    assert!(!unused.contains(key) && unused.get(key).is_none() && unused.get_mut(key).is_none());
    assert!(!unused.remove(key) && unused.take(key).is_none() && unused.insert(1).is_ok_and(|first| first == key));
}

// ---- guards --------------------------------------------------------------------------------------------------------

#[test]
fn more_guards_than_can_be_counted_are_refused_aloud() {
    let mut pool = Pool::with_capacity(2).expect("memory");
    let key = pool.insert(5).expect("a slot");
    slot(&pool, key.slot()).word.crowd(MOST_GUARDS - 1);
    let last = pool.get(key).expect("room for one guard more");
    for _ in 0..3 {
        let panic = catch_unwind(AssertUnwindSafe(|| pool.get(key).is_some())).expect_err("it panics");
        assert!(panic.downcast_ref::<String>().is_some_and(|text| text.contains("guards look at one value")));
    }
    // Nothing else is the worse for it.
    assert!(*last == 5 && pool.contains(key) && pool.take(key).is_none() && pool.len() == 1);
    drop(last);
    let last = pool.get(key).expect("one has gone");
    assert!(pool.remove(key) && !pool.contains(key) && pool.get(key).is_none() && pool.is_empty());
    drop(last);
    assert!(pool.reserve_many::<2>().is_err(), "the leaked guards keep their value");
    assert_eq!(pool.get_mut(key), None);
    pool.clear();
    assert!(pool.reserve_many::<2>().is_ok());
}
