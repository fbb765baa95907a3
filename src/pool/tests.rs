//! What no caller can bring about: generations that are spent, keys with fields of one's choice, guards beyond count.

use core::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::word::{LAST_GENERATION, MOST_GUARDS, REST_AFTER};
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

/// What takes the value of a key out of a pool.
type Way = fn(&mut Pool<u32>, Key<u32>);

const WAYS: [(&str, Way); 3] = [
    ("remove", |pool, key| assert!(pool.remove(key))),
    ("take", |pool, key| assert_eq!(pool.take(key), Some(7))),
    ("last guard", |pool, key| {
        let guard = pool.get(key).expect("there");
        assert!(pool.remove(key));
        drop(guard);
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
                assert_eq!((pool.stats().retired, pool.stats().slots), (1, SLOTS));
                assert!(keys.iter().all(|key| pool.remove(*key)) && pool.is_empty(), "{name}");
            }
            assert!(pool.reserve_many::<39>().is_ok() && pool.reserve_many::<40>().is_err());
        }
    }
}

/// Ends all that is in a pool.
type End = fn(&mut Pool<u32>);

const ENDS: [(&str, End); 3] = [
    ("clear", Pool::clear),
    ("drain", |pool| assert!(pool.drain().count() > 0)),
    ("abandoned drain", |pool| assert!(pool.drain().next().is_some())),
];

/// A pool whose slots are spent is full until it is cleared. Then each has all its generations again, and no key from
/// before names anything, though slot and generation are issued anew.
#[test]
fn a_cleared_pool_has_all_its_generations_again() {
    for slots in [1, 40] {
        for (name, end) in ENDS {
            let mut pool = made(slots);
            let mut old: Vec<Key<u32>> = Vec::new();
            for round in 0..3 {
                let issue = |generation| {
                    let keys = fill_up(&pool);
                    assert_eq!(keys.len(), slots, "{name}, round {round}: every slot is free");
                    assert!(keys.iter().all(|key| key.generation() == generation));
                    keys
                };
                let first = issue(u32::from(round == 0));
                assert!(first.iter().all(|key| !old.contains(key) && pool.remove(*key)), "{name}");
                (0..).take(slots).for_each(|index| age(&pool, index, LAST_GENERATION));
                let last = issue(LAST_GENERATION);
                assert!(last.iter().all(|key| !old.contains(key)), "{name}");
                // One stays, and a guard of it is leaked; the others are spent.
                core::mem::forget(pool.get(last[0]));
                assert!(last[1..].iter().all(|key| pool.remove(*key)));
                old.extend(first.into_iter().chain(last));
                assert_eq!((fill_up(&pool).len(), pool.stats().retired), (0, slots - 1), "{name}");
                end(&mut pool);
                assert_eq!((pool.len(), pool.stats().retired), (0, 0), "{name}");
                assert!(old.iter().all(|key| pool.get(*key).is_none() && pool.get_mut(*key).is_none()), "{name}");
            }
        }
    }
}

/// A drain that is leaked ends nothing: slots that it has emptied go on where they were.
#[test]
fn a_leaked_drain_begins_nothing_anew() {
    let mut pool = made(3);
    let before = fill_up(&pool);
    let mut drain = pool.drain();
    assert_eq!(drain.by_ref().count(), 3);
    core::mem::forget(drain);
    let after = fill_up(&pool);
    assert_eq!(after.len(), 3);
    assert!(before.iter().all(|key| !pool.contains(*key) && !after.contains(key)));
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
        } else {
            drop((first, third));
            assert!(second.fill(9) == keys[1] && pool.remove(keys[1]));
        }
        assert_eq!((pool.len(), pool.capacity(), fill_up(&pool).len()), (0, 3, 0));
        assert!(pool.reserve().is_err() && pool.reserve_many::<2>().is_err());
        for _ in 0..3 {
            pool.clear();
            assert_eq!((pool.len(), pool.capacity(), fill_up(&pool).len()), (0, 3, 3));
            assert!(keys.iter().all(|key| !pool.contains(*key) && !pool.remove(*key)));
        }
    }
}

/// One value at a time wears all slots of a pool that cannot grow, and all that the thread knows of in another: a slot
/// that was used so often rests until the others were.
#[test]
fn one_value_at_a_time_wears_all_slots_alike() {
    const SLOTS: u32 = 1_000;
    let bounded = made(SLOTS as usize);
    let growing = Pool::new();
    let first: Vec<_> = (0..200).map(|_| growing.insert(7).expect("a slot")).collect();
    assert!(first.iter().all(|key| growing.remove(*key)));
    let made = growing.capacity();
    for (pool, slots, least) in [(&bounded, SLOTS, SLOTS as usize), (&growing, 200, 32)] {
        (0..slots).for_each(|index| age(pool, index, REST_AFTER - 1));
        let mut used = std::collections::HashSet::new();
        let use_one = || {
            let key = pool.insert(7).expect("a slot");
            assert!(pool.remove(key));
            key.slot()
        };
        let again = core::iter::from_fn(|| Some(use_one())).find(|slot| !used.insert(*slot));
        assert!(used.len() >= least, "{} slots were used", used.len());
        // Then each is used as often as it may be.
        assert!((0..100).all(|_| Some(use_one()) == again));
    }
    assert_eq!(growing.capacity(), made, "no slot was made for one that rests");
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
