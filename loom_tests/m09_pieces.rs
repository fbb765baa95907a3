//! Model 9: a flush that gives back one magazine a section, beside the end and an adoption.
//!
//! Breaks it: `end`'s second Release, `exits`' Acquire; `pieces3` also `end`'s first Release, `is_dead`'s Acquire.

use super::support::harness::{LARGE, SMALL, explore};
use super::support::threads::{Count, Place};

/// Leaves two blocks, in two magazines.
fn leave_two(place: &Place) {
    let blocks = [place.alloc(), place.alloc()];
    blocks.into_iter().flatten().for_each(|block| place.free(block));
    place.set_ready();
    place.end();
}

/// Gives back what ended threads have left.
fn sweep(place: &Place, swept: &Count) {
    if place.is_ready() {
        let before = place.heap.memory_usage();
        place.region.sweep();
        swept.hit_if(place.heap.memory_usage() + 2 * 16 == before);
    }
}

#[test]
fn m09_pieces2() {
    static SWEPT: Count = Count::new();
    let sweeps = |place: &Place| sweep(place, &SWEPT);
    explore("m09_pieces::pieces2", SMALL, || Place::new(1, 2), &[leave_two, sweeps], Place::check);
    SWEPT.happened("two magazines were swept");
}

#[test]
fn m09_pieces3() {
    static SWEPT: Count = Count::new();
    static ADOPTED: Count = Count::new();
    let sweeps = |place: &Place| sweep(place, &SWEPT);
    let adopts = |place: &Place| {
        if place.is_ready() {
            place.use_and_live(&ADOPTED);
        }
    };
    explore("m09_pieces::pieces3", LARGE, || Place::new(1, 2), &[leave_two, sweeps, adopts], Place::check);
    SWEPT.happened("two magazines were swept");
    ADOPTED.happened("the shard was used beside the sweep");
}
