//! Model 9: a local handle that is used after its thread's token has ended, or is leaked.
//!
//! Breaks it: `unpin`'s Release, `is_pinned`'s Acquire, `thread.local-not-counted`, `thread.swept-beside-pinned`.

use super::support::harness::{BOUNDED, SMALL, explore};
use super::support::threads::{Count, Place};
use crate::thread::by_hand;

/// Uses a local handle, ends, and uses it again; counts that.
fn outlive(place: &Place, late: &Count) {
    let local = place.heap.local();
    place.use_local(&local);
    place.set_ready();
    place.end();
    late.hit_if(place.use_local(&local));
    drop(local);
}

#[test]
fn m09_local_claim() {
    static LATE: Count = Count::new();
    static CLAIMS: Count = Count::new();
    let local = |place: &Place| outlive(place, &LATE);
    let claims = |place: &Place| {
        if place.is_ready() {
            place.request_late(&CLAIMS);
        }
    };
    explore("m09_local::local_claim", BOUNDED, || Place::new(1, 1), &[local, claims], Place::check);
    LATE.happened("used after the token's end");
    CLAIMS.happened("served with what the local had left");
}

#[test]
fn m09_local_adopt() {
    static LATE: Count = Count::new();
    static ADOPTED: Count = Count::new();
    let local = |place: &Place| outlive(place, &LATE);
    let adopts = |place: &Place| {
        if place.is_ready() {
            place.use_and_live(&ADOPTED);
        }
    };
    explore("m09_local::local_adopt", BOUNDED, || Place::new(1, 1), &[local, adopts], Place::check);
    LATE.happened("used after the token's end");
    ADOPTED.happened("served from the shard that the local had left");
}

/// Refused twice: while the local lives, and once it is known to be gone.
#[test]
fn m09_local_skip() {
    static SERVED: Count = Count::new();
    let local = |place: &Place| {
        let local = place.heap.local();
        assert!(place.use_local(&local), "a granule is free");
        place.set_ready();
        place.end();
        drop(local);
        place.tell(1);
    };
    let twice = |place: &Place| {
        by_hand::set_late(true);
        if !place.is_ready() || place.use_once() {
            return;
        }
        if place.told() == 1 {
            assert!(place.use_once(), "refused beside the memory of a thread known to have ended");
            SERVED.hit();
        }
    };
    explore("m09_local::local_skip", SMALL, || Place::new(1, 1), &[local, twice], Place::check);
    SERVED.happened("refused, then served");
}

/// A leaked local costs its shard, for as long as its heap (`m10_leaked`); the rest comes back.
#[test]
fn m09_local_leak() {
    static KEPT: Count = Count::new();
    let leaks = |place: &Place| {
        let local = place.heap.local();
        assert!(place.use_local(&local), "two granules are free");
        core::mem::forget(local);
        place.set_ready();
        place.end();
    };
    let asks = |place: &Place| {
        if place.is_ready() {
            by_hand::set_late(true);
            let blocks = [place.alloc(), place.alloc()];
            KEPT.hit_if(blocks[0].is_some());
            assert!(blocks.contains(&None), "the leaked local's block was given away");
            blocks.into_iter().flatten().for_each(|block| place.free(block));
        }
    };
    explore("m09_local::local_leak", BOUNDED, || Place::new(2, 2), &[leaks, asks], Place::check_leaked);
    KEPT.happened("served beside a leaked local");
}
