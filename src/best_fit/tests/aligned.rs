//! Aligned searches: exact, and in steps of bounded work.

use super::super::{BestFit, End, Search};
use crate::base::extent::Extent;

/// An index of single granules, all used except the pairs that begin at `pairs`, freed in that order.
fn pairs(granules: u32, pairs: impl Iterator<Item = u32>) -> BestFit {
    let mut index = BestFit::new(granules, 0).expect("address space for the metadata");
    for _ in 0..granules {
        assert!(index.take(1).is_some());
    }
    for granule in pairs.flat_map(|first| [first, first + 1]) {
        assert_eq!(index.give_back_at(granule), Ok(1));
    }
    index
}

/// Searches for a pair to the end, and calls `between` between two steps; returns the outcome and the steps.
fn search(index: &mut BestFit, align: u64, end: End, between: impl Fn(&mut BestFit)) -> (Search, usize) {
    let (mut from, mut steps) = (None, 0);
    loop {
        steps += 1;
        match index.search(2, align, end, from) {
            Search::More(at) => {
                assert!(from.is_none_or(|from| from < at), "it comes to an end");
                from = Some(at);
                between(index);
            }
            outcome => return (outcome, steps),
        }
    }
}

const GRANULES: u32 = 40_000;
const COUNT: u32 = GRANULES / 4;

#[test]
fn a_search_step_looks_at_few_extents() {
    for end in [End::Tail, End::Front] {
        let mut index = pairs(GRANULES, (0..COUNT).map(|i| 4 * i + 1));
        let (outcome, steps) = search(&mut index, 4, end, |_| ());
        assert_eq!((outcome, index.free_extents()), (Search::Exhausted, COUNT as usize));
        // Each address of that alignment was looked at once, few in a step.
        assert!((COUNT as usize / 64..=COUNT as usize / 50).contains(&steps), "{steps} steps");
        // Of a great alignment there are few addresses.
        assert!(search(&mut index, 1 << 12, end, |_| ()).1 <= 3);
        assert_eq!(search(&mut index, 1 << 40, end, |_| ()), (Search::Exhausted, 2));
        index.check_invariants().expect("nothing was taken");
    }
}

#[test]
fn a_place_left_free_is_found() {
    for place in [0, COUNT / 2, COUNT - 1] {
        for end in [End::Tail, End::Front] {
            // Freed first, so that all others of its length come before it.
            let others = (0..COUNT).filter(|i| *i != place).map(|i| 4 * i + 1);
            let mut index = pairs(GRANULES, core::iter::once(4 * place).chain(others));
            let between = |index: &mut BestFit| {
                let taken: Vec<u32> = (0..7).map_while(|_| index.take(2)).collect();
                for offset in taken.iter().skip(2) {
                    assert_eq!(index.give_back_at(*offset), Ok(2));
                }
            };
            let (outcome, steps) = search(&mut index, 4, end, between);
            assert_eq!(outcome, Search::Taken(4 * place), "{steps} steps");
            assert!(steps > 1, "the search goes on where the shortest are too many");
            index.check_invariants().expect("nothing lost");
        }
    }
}

#[test]
fn a_longer_extent_spares_the_search() {
    let mut index = pairs(GRANULES, (0..COUNT).map(|i| 4 * i + 1));
    // Two pairs and what lies between: long enough wherever it begins.
    for granule in [403, 404] {
        assert_eq!(index.give_back_at(granule), Ok(1));
    }
    assert_eq!(search(&mut index, 4, End::Tail, |_| ()), (Search::Taken(404), 1));
}

#[test]
fn a_refusal_looks_at_every_extent_between() {
    // Twenty extents of nine granules; only the oldest of them, tried last, holds an aligned place.
    let mut index = BestFit::new(2_000, 0).expect("a small range");
    // Holes begin at 64 i + 1, the first at 0: only that one has a multiple of 64 with 8 granules behind it.
    let holes: Vec<(u32, u32)> = (0..20).map(|i| (if i == 0 { 0 } else { 64 * i + 1 }, 9)).collect();
    let whole = index.take(2_000).expect("empty");
    let mut rest = Extent::new(whole, 2_000);
    for &(at, len) in &holes {
        if at > rest.offset {
            index.split(rest, at - rest.offset).expect("live");
            let tail = index.take(rest.end() - at).expect("just freed");
            assert_eq!(tail, at);
            rest = Extent::new(at, rest.end() - at);
        }
        index.split(rest, len).expect("live");
        assert_eq!(index.take(rest.len - len), Some(rest.offset + len));
        rest = Extent::new(rest.offset + len, rest.len - len);
        index.give_back(Extent::new(at, len)).expect("live");
    }
    assert_eq!(index.free_extents(), 20);
    assert_eq!(index.take_at_multiple(9, 64, End::Tail), Some(0));
    assert_eq!(index.take_at_multiple(9, 64, End::Tail), None);
    assert_eq!(index.free_extents(), 19);
    index.check_invariants().expect("nothing lost");
}
