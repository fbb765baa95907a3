//! Model 12: keys before their values. A reservation that is cancelled beside one that is filled leaves a key that
//! never names anything; its slot is used again under another. Of two threads that reserve more slots together than
//! there are, one is served; what several refused requests have held for a moment refuses no request.
//!
//! Breaks it: `pool.generation-kept` (all but reserve many), `pool.many-unlocked` (reserve many), `pool.looked-once`
//! (beside several).

use super::support::harness::{BOUNDED, explore};
use super::support::pools::Slots;
use super::support::threads::Count;
use crate::thread::by_hand;

/// Issues a key and cancels it.
fn cancels(slots: &Slots) {
    let reservation = slots.reserve().expect("a slot for each role");
    slots.hand(0, slots.issue(reservation.key()));
    drop(reservation);
}

/// Issues a key and fills it with value 1.
fn fills(slots: &Slots) {
    let reservation = slots.reserve().expect("a slot for each role");
    let key = slots.issue(reservation.key());
    slots.hand(1, key);
    assert!(slots.look(key).is_none(), "there before it was filled");
    assert!(reservation.fill(slots.value(1)) == key && slots.look(key) == Some(1));
}

#[test]
fn m12_cancelled() {
    static USED_AGAIN: Count = Count::new();
    let uses_again = |slots: &Slots| {
        cancels(slots);
        slots.insert_surely(0);
    };
    explore(
        "m12_reserve::cancelled",
        BOUNDED,
        || Slots::new(2, 2, 0),
        &[uses_again, fills],
        |slots| {
            let [cancelled, filled] = [0, 1].map(|at| slots.handed(at).expect("every role has issued one"));
            assert_eq!((slots.look(cancelled), slots.look(filled)), (None, Some(1)));
            assert!(slots.insert(2).is_none(), "two slots, two values");
            USED_AGAIN.hit();
        },
    );
    USED_AGAIN.happened("the cancelled slot was used again");
}

/// A thread that has cancelled a key of its own looks at the other's, which it has without an order.
#[test]
fn m12_looked_at() {
    static FILLED: Count = Count::new();
    let looks = |slots: &Slots| {
        cancels(slots);
        let keys = [0, 1].map(|at| slots.handed(at));
        assert!(keys[0].is_some_and(|key| slots.look(key).is_none()), "a cancelled key names a value");
        let found = keys[1].and_then(|key| slots.look(key));
        assert!(found.is_none_or(|id| id == 1), "another value under this key");
        FILLED.hit_if(found.is_some());
    };
    explore("m12_reserve::looked_at", BOUNDED, || Slots::new(2, 2, 0), &[fills, looks], Slots::check);
    FILLED.happened("seen by its key");
}

/// The other way round: who looks at a key that may be cancelled meanwhile.
#[test]
fn m12_cancelled_beside() {
    static FOUND: Count = Count::new();
    let looks = |slots: &Slots| {
        if let Some(key) = slots.handed(0) {
            assert!(slots.look(key).is_none(), "a cancelled key names a value");
            FOUND.hit();
        }
    };
    let uses_again = |slots: &Slots| {
        cancels(slots);
        slots.insert_surely(0);
    };
    explore("m12_reserve::cancelled_beside", BOUNDED, || Slots::new(1, 1, 0), &[uses_again, looks], Slots::check);
    FOUND.happened("looked at a key that was cancelled, or was about to be");
}

/// Two threads want both slots; each gives them back. Without shards, for what threads know of free slots does not
/// matter.
#[test]
fn m12_reserve_many() {
    static ONE: Count = Count::new();
    let reserves = |slots: &Slots| {
        by_hand::set_late(true);
        if let Ok(both) = slots.reserve_many::<2>() {
            for reservation in &both {
                slots.issue(reservation.key());
            }
        }
    };
    explore(
        "m12_reserve::reserve_many",
        BOUNDED,
        || Slots::new(2, 2, 0),
        &[reserves, reserves],
        |slots| {
            assert!(slots.count_issued() >= 2, "two threads refused each other");
            ONE.hit_if(slots.count_issued() == 2);
            slots.check();
        },
    );
    ONE.happened("one was refused beside the other");
}

/// One slot: two are refused, and one is not, whatever the two have meanwhile.
#[test]
fn m12_beside_several() {
    static SERVED: Count = Count::new();
    let reserves = |slots: &Slots| {
        by_hand::set_late(true);
        assert!(slots.reserve_many::<2>().is_err(), "two of one slot");
    };
    let inserts = |slots: &Slots| {
        by_hand::set_late(true);
        slots.insert_surely(0);
        SERVED.hit();
    };
    explore("m12_reserve::beside_several", BOUNDED, || Slots::new(1, 1, 0), &[reserves, inserts], Slots::check);
    SERVED.happened("served beside two that are refused");
}
