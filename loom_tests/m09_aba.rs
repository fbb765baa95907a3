//! Model 9: a slot that several threads have in turn, and a thread that goes on after its token's end.
//!
//! Breaks it: `take`'s Acquire (only `aba_claim` and `aba_adopt` do: keep them), `thread.no-tombstone`,
//! `thread.token-kept`, `thread.no-generation`.

use super::support::harness::{BOUNDED, LARGE, SMALL, explore};
use super::support::threads::{Count, Place};
use crate::thread::by_hand;

/// Takes the slot of the ended thread, if it has ended, and ends without having used the heap.
fn take_and_end(place: &Place) {
    if place.is_ready() {
        by_hand::take();
        place.set_ready();
        by_hand::end();
    }
}

/// The slot's last life claims what its first has left: both ends are plain stores, and only the second is seen.
#[test]
fn m09_aba_claim() {
    static CLAIMS: Count = Count::new();
    let claims = |place: &Place| {
        if place.are_ready(2) {
            place.request_late(&CLAIMS);
        }
    };
    let roles = [Place::use_and_end, take_and_end, claims];
    explore("m09_aba::aba_claim", BOUNDED, || Place::new(1, 1), &roles, Place::check);
    CLAIMS.happened("served with what the first life had left");
}

#[test]
fn m09_aba_adopt() {
    static ADOPTED: Count = Count::new();
    let adopts = |place: &Place| {
        if place.are_ready(2) {
            place.keep_and_live(&ADOPTED);
        }
    };
    let roles = [Place::use_and_end, take_and_end, adopts];
    explore("m09_aba::aba_adopt", LARGE, || Place::new(1, 1), &roles, Place::check);
    ADOPTED.happened("served from the shard of the first life");
}

/// The slot's second holder uses the same heap while the first's shard is claimed.
#[test]
fn m09_aba_same() {
    static ADOPTED: Count = Count::new();
    static CLAIMS: Count = Count::new();
    let second = |place: &Place| {
        if place.is_ready() {
            place.use_and_live(&ADOPTED);
        }
    };
    let claims = |place: &Place| {
        if place.is_ready() {
            place.request_late(&CLAIMS);
        }
    };
    let roles = [Place::use_and_end, second, claims];
    explore("m09_aba::aba_same", LARGE, || Place::new(2, 1), &roles, Place::check);
    ADOPTED.happened("the second holder had a block of the first");
    CLAIMS.happened("the first holder's shard was claimed");
}

/// The slot's second holder lives on, without the heap: what the first has left is not its.
#[test]
fn m09_aba_alive() {
    static SERVED: Count = Count::new();
    let ends = |place: &Place| {
        assert!(place.use_once(), "a granule is free");
        place.end();
        place.tell(1);
    };
    let second = |place: &Place| {
        let knows = place.told() == 1;
        by_hand::take();
        by_hand::set_late(true);
        if knows {
            assert!(place.use_once(), "refused beside the memory of a thread known to have ended");
            SERVED.hit();
        }
    };
    explore("m09_aba::aba_alive", SMALL, || Place::new(1, 1), &[ends, second], Place::check);
    SERVED.happened("served while the slot's second holder lives");
}

/// A thread goes on after its token's end, beside a new thread that takes its slot and its shard.
#[test]
fn m09_late() {
    static LATE: Count = Count::new();
    static ADOPTED: Count = Count::new();
    let late = |place: &Place| {
        place.use_and_end();
        LATE.hit_if(place.use_once());
    };
    let adopts = |place: &Place| {
        if place.is_ready() {
            place.use_and_live(&ADOPTED);
        }
    };
    explore("m09_aba::late", BOUNDED, || Place::new(1, 1), &[late, adopts], Place::check);
    LATE.happened("served after the token's end");
    ADOPTED.happened("served from the shard of the ended thread");
}

/// A guard that comes back to life, and ends again, is another token: it ends nobody else's.
#[test]
fn m09_late_again() {
    static AGAIN: Count = Count::new();
    let again = |place: &Place| {
        place.use_and_end();
        by_hand::set_late(false);
        AGAIN.hit_if(place.use_once() && place.heap.has_shard());
        by_hand::end();
    };
    let adopts = |place: &Place| {
        if place.is_ready() {
            place.use_once();
        }
    };
    explore("m09_aba::late_again", BOUNDED, || Place::new(1, 1), &[again, adopts], Place::check);
    AGAIN.happened("a second token of one thread had a shard");
}
