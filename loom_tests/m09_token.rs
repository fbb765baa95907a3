//! Model 9: a thread ends while others look for memory, and a shard.
//!
//! Breaks it: `end`'s first Release, `is_dead`'s Acquire, `end`'s second Release, `exits`' Acquire,
//! `thread.exit-before-generation`, `thread.adopt-outside-lock`.

use super::support::harness::{BOUNDED, LARGE, SMALL, explore};
use super::support::threads::{Count, Place};
use crate::thread::by_hand;

#[test]
fn m09_end_claim() {
    static CLAIMS: Count = Count::new();
    let make = || Place::new(2, 1);
    explore(
        "m09_token::end_claim",
        BOUNDED,
        make,
        &[Place::use_and_end, |place| place.use_and_live(&CLAIMS)],
        Place::check,
    );
    CLAIMS.happened("served with what the ended thread had left");
}

#[test]
fn m09_end_skip() {
    static CLAIMS: Count = Count::new();
    let twice = |place: &Place| {
        place.request_late(&CLAIMS);
        place.request_late(&CLAIMS);
    };
    explore("m09_token::end_skip", SMALL, || Place::new(2, 1), &[Place::use_and_end, twice], Place::check);
    CLAIMS.happened("served with what the ended thread had left");
}

#[test]
fn m09_claim_claim() {
    static CLAIMS: Count = Count::new();
    let late = |place: &Place| {
        place.request_late(&CLAIMS);
    };
    explore("m09_token::claim_claim", BOUNDED, || Place::new(1, 1), &[Place::use_and_end, late, late], Place::check);
    CLAIMS.happened("served with what the ended thread had left");
}

/// Whoever knows of the end is not refused, though another may have swept beside it, before or at once.
#[test]
fn m09_exact() {
    static SERVED: Count = Count::new();
    static REFUSED: Count = Count::new();
    fn asks(place: &Place) {
        if place.is_ready() {
            by_hand::set_late(true);
            let knows = place.told() == 1;
            let block = place.alloc();
            assert!(block.is_some() || !knows, "refused beside the memory of a thread known to have ended");
            SERVED.hit_if(knows);
            REFUSED.hit_if(block.is_none());
            if let Some(block) = block {
                place.keep(block);
            }
        }
    }
    let ends = |place: &Place| {
        let blocks = [place.alloc(), place.alloc()].map(|block| block.expect("two granules are free"));
        for block in blocks {
            place.free(block);
        }
        place.set_ready();
        place.end();
        place.tell(1);
    };
    explore("m09_token::exact", BOUNDED, || Place::new(1, 2), &[ends, asks, asks], Place::check);
    SERVED.happened("served after the end");
    REFUSED.happened("refused before it was known");
}

/// As [`Place::use_and_live`], once the other is ready to end.
fn adopt_when_ready(place: &Place, adopted: &Count) {
    if place.is_ready() {
        place.use_and_live(adopted);
    }
}

/// As [`Place::request_late`], once the other is ready to end.
fn request_when_ready(place: &Place, claims: &Count) {
    if place.is_ready() {
        place.request_late(claims);
    }
}

#[test]
fn m09_adopt_adopt() {
    static ADOPTED: Count = Count::new();
    let adopts = |place: &Place| {
        if place.is_ready() {
            place.keep_and_live(&ADOPTED);
        }
    };
    explore("m09_token::adopt_adopt", LARGE, || Place::new(1, 1), &[Place::use_and_end, adopts, adopts], Place::check);
    ADOPTED.happened("served from the shard of the ended thread");
}

#[test]
fn m09_adopt_claim() {
    static ADOPTED: Count = Count::new();
    static CLAIMS: Count = Count::new();
    let adopts = |place: &Place| adopt_when_ready(place, &ADOPTED);
    let claims = |place: &Place| request_when_ready(place, &CLAIMS);
    explore("m09_token::adopt_claim", LARGE, || Place::new(1, 1), &[Place::use_and_end, adopts, claims], Place::check);
    ADOPTED.happened("served from the shard of the ended thread");
    CLAIMS.happened("served by a sweep");
}
