//! Model 11: when a pool is full, and how it grows. A request is refused only if all slots were in use at one moment,
//! as far as the refused thread can tell: a value that changes places beside it does not make one of two.
//!
//! Breaks it: `count_claimed`'s Release, `claimed`'s Acquire, `count_released`'s Release, `released`'s Acquire,
//! `is_free`'s Acquire, `claim`'s Release, and `pool.scanned-once` (never full), `last_is_gone`'s Release (never full
//! parted), `get`'s Acquire and `grow`'s first Release (grown), `len`'s Acquire and `grow`'s second Release (grown
//! once). Further, as in model 9, `end`'s first Release and `is_dead`'s Acquire (hints adopted).

use super::support::harness::{BOUNDED, HEAVY, SMALL, explore};
use super::support::pools::Slots;
use super::support::threads::Count;
use crate::thread::by_hand;

/// Two slots, value 0 in the first.
fn one_of_two() -> Slots {
    Slots::new(2, 2, 1)
}

/// Value 0 goes, value 1 comes, into the other slot if nobody else has that.
fn moves(slots: &Slots) {
    slots.remove_first_late(0);
    slots.insert_surely(1);
}

fn inserts(slots: &Slots) {
    slots.insert_surely(2);
}

#[test]
fn m11_never_full() {
    explore("m11_pool_full::never_full", BOUNDED, one_of_two, &[moves, inserts], Slots::check);
}

/// As above, where value 1 is removed and goes with its guard.
#[test]
fn m11_never_full_parted() {
    static PARTED: Count = Count::new();
    let moves = |slots: &Slots| {
        slots.remove_first_late(0);
        let key = slots.insert_surely(1);
        let value = slots.get(key).expect("nobody else has this key");
        slots.remove(1, key);
        PARTED.hit_if(!slots.was_dropped(1));
        drop(value);
    };
    explore("m11_pool_full::never_full_parted", HEAVY, one_of_two, &[moves, inserts], Slots::check);
    PARTED.happened("removed while guarded");
}

/// Another thread goes on with the hints of one that has ended.
#[test]
fn m11_hints_adopted() {
    static ADOPTED: Count = Count::new();
    let ends = |slots: &Slots| {
        slots.remove_first(0);
        slots.hand(0, slots.first[0]);
        by_hand::end();
    };
    let adopts = |slots: &Slots| {
        if slots.handed(0).is_some() {
            let had = slots.hints() == Some(1);
            let key = slots.insert_surely(1);
            ADOPTED.hit_if(had && slots.look(key) == Some(1));
        }
    };
    explore("m11_pool_full::hints_adopted", BOUNDED, one_of_two, &[ends, adopts], Slots::check);
    ADOPTED.happened("went on with the hint of an ended thread");
}

// ---- grown ------------------------------------------------------------------------------------------------------

#[test]
fn m11_grown() {
    static SEEN: Count = Count::new();
    let grows = |slots: &Slots| slots.hand(0, slots.insert_surely(0));
    let looks = |slots: &Slots| {
        if let Some(key) = slots.handed(0) {
            SEEN.hit_if(slots.look(key).is_some());
        }
    };
    explore("m11_pool_full::grown", SMALL, || Slots::new(4, 0, 0), &[grows, looks], Slots::check);
    SEEN.happened("seen in a new segment");
}

/// Two threads at an empty pool: one makes a segment, the other uses it.
#[test]
fn m11_grown_once() {
    fn inserts(slots: &Slots, id: usize) {
        let key = slots.insert_surely(id);
        assert_eq!(slots.look(key), Some(id));
    }
    let roles = [|slots: &Slots| inserts(slots, 0), |slots: &Slots| inserts(slots, 1)];
    explore(
        "m11_pool_full::grown_once",
        BOUNDED,
        || Slots::new(4, 0, 0),
        &roles,
        |slots| {
            assert_eq!(slots.count_slots(), 2, "one segment is enough");
            slots.check();
        },
    );
}
