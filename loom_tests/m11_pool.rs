//! Model 11: a slot's word. What `fill` published is seen through a key that came without an order; the last guard of
//! a removed value drops it, after all reads and after what the remover did; who claims a slot again writes to it
//! after all that. No key is issued twice, and a slot whose generations are spent is used no more.
//!
//! Breaks it: `fill`'s Release and `guard`'s Acquire (guard sees), `unguard`'s Release (last guard, removed alone,
//! taken alone), `last_is_gone`'s Acquire (last guard, remover is seen), `remove`'s Release (remover is seen),
//! `remove`'s Acquire (removed alone), `take`'s Acquire (taken alone), `vacate`'s Release (slot travels), `claim`'s
//! Acquire (issued once); `pool.guards-ignored` (removed alone), `pool.guard-once` (weak failure),
//! `pool.generation-kept` (issued once), `pool.never-retired` (retired).

use super::support::harness::{BOUNDED, HEAVY, SMALL, explore};
use super::support::pools::Slots;
use super::support::threads::Count;
use crate::pool::Pool;
use crate::sync::forced_weak_failure;

/// One slot, with value 0.
fn one_full() -> Slots {
    Slots::new(1, 1, 1)
}

/// Looks at value 0, if it is still there.
fn look(slots: &Slots) {
    assert!(slots.look(slots.first[0]).is_none_or(|id| id == 0), "another value under this key");
}

fn remove(slots: &Slots) {
    slots.remove_first(0);
}

fn is_gone(slots: &Slots) {
    assert!(slots.was_dropped(0) && !slots.contains(slots.first[0]), "the value stays behind");
}

// ---- a value and its guards -------------------------------------------------------------------------------------

#[test]
fn m11_guard_sees() {
    static SEEN: Count = Count::new();
    let inserts = |slots: &Slots| slots.hand(0, slots.insert_surely(0));
    let looks = |slots: &Slots| {
        if let Some(key) = slots.handed(0)
            && let Some(id) = slots.look(key)
        {
            assert_eq!(id, 0);
            SEEN.hit();
        }
    };
    explore("m11_pool::guard_sees", SMALL, || Slots::new(1, 1, 0), &[inserts, looks], Slots::check);
    SEEN.happened("seen through a key without an order");
}

#[test]
fn m11_removed_alone() {
    explore("m11_pool::removed_alone", SMALL, one_full, &[look, remove], is_gone);
}

/// The guard's thread drops the value, after what the remover did before.
#[test]
fn m11_remover_is_seen() {
    static GUARDED: Count = Count::new();
    let looks = |slots: &Slots| {
        if let Some(value) = slots.get(slots.first[0]) {
            slots.tell(1);
            let there = !slots.was_dropped(0);
            drop(value);
            GUARDED.hit_if(there && slots.was_dropped(0));
        }
    };
    explore("m11_pool::remover_is_seen", SMALL, one_full, &[looks, remove], is_gone);
    GUARDED.happened("dropped by its guard");
}

#[test]
fn m11_last_guard() {
    explore("m11_pool::last_guard", HEAVY, one_full, &[look, look, remove], is_gone);
}

/// Two threads remove: one does.
#[test]
fn m11_removed_once() {
    let removes = |slots: &Slots| {
        if Pool::remove(slots, slots.first[0]) {
            slots.tell(1);
        }
    };
    explore("m11_pool::removed_once", SMALL, one_full, &[removes, removes], |slots| {
        assert_eq!(slots.told(), 1, "removed by one of both");
        is_gone(slots);
    });
}

/// A value is taken if no guard looks at it, and it is still there if one does.
#[test]
fn m11_taken_alone() {
    static TAKEN: Count = Count::new();
    static GUARDED: Count = Count::new();
    let takes = |slots: &Slots| {
        let taken = slots.take(slots.first[0]).is_some();
        TAKEN.hit_if(taken);
        GUARDED.hit_if(!taken);
    };
    explore("m11_pool::taken_alone", SMALL, one_full, &[look, takes], |slots| {
        assert_ne!(slots.was_dropped(0), slots.contains(slots.first[0]), "taken, or still there");
    });
    TAKEN.happened("taken");
    GUARDED.happened("not taken beside a guard");
}

/// Where the first exchange of the word fails for no reason, who looks still sees, who removes still removes.
#[test]
fn m11_weak_failure() {
    forced_weak_failure(true);
    let looks = |slots: &Slots| assert_eq!(slots.look(slots.first[0]), Some(0), "there is a value");
    explore("m11_pool::weak_failure", SMALL, one_full, &[looks, looks], Slots::check);
    explore("m11_pool::weak_failure_of_remove", SMALL, one_full, &[look, remove], is_gone);
    forced_weak_failure(false);
}

// ---- a slot and its next holder ---------------------------------------------------------------------------------

/// Another thread finds the slot, by a look at its word.
#[test]
fn m11_slot_travels() {
    static AGAIN: Count = Count::new();
    let inserts = |slots: &Slots| {
        if let Some(key) = slots.insert(1) {
            assert_eq!(slots.look(key), Some(1));
            AGAIN.hit();
        }
    };
    explore("m11_pool::slot_travels", SMALL, one_full, &[remove, inserts], Slots::check);
    AGAIN.happened("claimed what another had freed");
}

/// Another thread finds the slot by a hint: the third that a shard, here that of all threads without one, has no room
/// for.
#[test]
fn m11_hint_travels() {
    static BY_HINT: Count = Count::new();
    let make = || {
        let slots = Slots::new(3, 3, 3);
        (0..2).for_each(|id| slots.remove_first(id));
        slots
    };
    let removes = |slots: &Slots| slots.remove_first_late(2);
    let inserts = |slots: &Slots| {
        let key = slots.insert_surely(3);
        assert_eq!(slots.look(key), Some(3));
    };
    explore("m11_pool::hint_travels", BOUNDED, make, &[removes, inserts], |slots| {
        BY_HINT.hit_if(!slots.has_batch());
        slots.check();
    });
    BY_HINT.happened("claimed by another's hint");
}

// ---- keys -------------------------------------------------------------------------------------------------------

/// A thread uses the slot again while another has the first key: that names value 0, or nothing.
#[test]
fn m11_stale_key() {
    let uses_again = |slots: &Slots| {
        slots.remove_first(0);
        slots.insert(1);
    };
    explore("m11_pool::stale_key", BOUNDED, one_full, &[uses_again, look], is_gone);
}

/// Two threads use the slot again and again; a hint may be older than the slot's last use.
#[test]
fn m11_issued_once() {
    static REUSED: Count = Count::new();
    let removes = |slots: &Slots| {
        slots.remove_first(0);
        slots.insert(1);
    };
    let inserts = |slots: &Slots| {
        if let Some(key) = slots.insert(2) {
            assert!(slots.remove(2, key), "nobody else has this key");
        }
    };
    explore("m11_pool::issued_once", BOUNDED, one_full, &[removes, inserts], |slots| {
        REUSED.hit_if(slots.count_issued() == 3);
        is_gone(slots);
    });
    REUSED.happened("used three times");
}

/// The slot has one use left when value 0 is gone, which some role may have; then it has none.
#[test]
fn m11_retired() {
    static SPENT: Count = Count::new();
    fn uses(slots: &Slots, id: usize) {
        if let Some(key) = slots.insert(id) {
            assert!(slots.remove(id, key), "nobody else has this key");
        }
    }
    let make = || {
        let mut slots = Slots::new(1, 1, 0);
        slots.age(2);
        slots.first.push(slots.insert_surely(0));
        slots
    };
    explore("m11_pool::retired", BOUNDED, make, &[remove, |slots| uses(slots, 1)], |slots| {
        SPENT.hit_if(slots.count_issued() == 2);
        (2..4).for_each(|id| uses(slots, id));
        assert_eq!(slots.count_issued(), 2, "a slot whose generations are spent was used again");
        slots.check();
    });
    SPENT.happened("the last use was a role's");
}
