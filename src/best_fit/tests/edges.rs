//! The least and the greatest range, single granules, alignment at the ends.

use super::super::{BestFit, End};
use crate::base::error::{FreeError, RegionError};
use crate::base::extent::Extent;

const MAX: u32 = u32::MAX - 255;

#[test]
fn one_granule() {
    let mut index = BestFit::new(1, 5).expect("one granule");
    assert_eq!((index.take(0), index.take(2), index.take(u32::MAX)), (None, None, None));
    assert_eq!((index.take_aligned(0, 1, End::Tail), index.take_aligned(0, 2, End::Front)), (None, None));
    assert_eq!((index.take_aligned(1, 2, End::Tail), index.take_aligned(1, 3, End::Tail)), (None, None));
    for _ in 0..3 {
        assert_eq!((index.take_aligned(1, 1, End::Tail), index.take(1)), (Some(0), None));
        assert_eq!((index.largest_free(), index.free_extents(), index.take_at(Extent::new(0, 1))), (0, 0, false));
        index.check_invariants().expect("full");
        assert_eq!(index.give_back_at(1), Err(FreeError::OutOfRegion));
        assert_eq!(index.give_back_at(u32::MAX), Err(FreeError::OutOfRegion));
        assert_eq!(index.give_back_at(0), Ok(1));
        assert_eq!(index.give_back_at(0), Err(FreeError::NotLive));
        index.check_invariants().expect("empty");
    }
}

#[test]
fn capacities_at_below_and_above_the_bounds() {
    assert!(matches!(BestFit::new(0, 0), Err(RegionError::ZeroCapacity)));
    for granules in MAX + 1..=u32::MAX {
        assert!(matches!(BestFit::new(granules, 0), Err(RegionError::AboveGreatest { .. })));
    }
    assert!(matches!(BestFit::new(2, u64::MAX - 1), Err(RegionError::Overflow)));
    assert!(BestFit::new(1, u64::MAX - 1).is_ok());
}

/// While nodes are packed, those in use may be as many as there can be.
#[cfg(not(miri))]
#[test]
fn holes_are_used_when_nothing_else_is_left() {
    const GRANULES: u32 = 60_000;
    let mut index = BestFit::new(GRANULES, 0).expect("address space for the metadata");
    (0..GRANULES).for_each(|_| _ = index.take(1).expect("room"));
    (0..GRANULES).step_by(2).for_each(|offset| index.give_back_at(offset).map(|_| ()).expect("used"));
    let again: Vec<u32> = (0..10_000).map(|_| index.take(1).expect("room")).collect();
    assert!(index.begin_pack() && !index.pack(100));
    for offset in again {
        index.give_back_at(offset).expect("used");
    }
    assert_eq!(index.free_extents(), GRANULES as usize / 2);
    index.check_invariants().expect("the invariants hold");
    while !index.pack(60) {}
    index.check_invariants().expect("the invariants hold");
}

#[cfg(not(miri))]
#[test]
fn the_greatest_range_costs_address_space_only() {
    for granules in [MAX, MAX - 1, MAX - 255, MAX - 256] {
        let mut index = BestFit::new(granules, 0).expect("address space for the metadata");
        let resident = |index: &BestFit| index.tables().resident_bytes(index.touched());
        assert!(resident(&index) < 1 << 20, "{}", resident(&index));
        assert_eq!(index.take(granules.saturating_add(1)), None);
        assert_eq!(index.take(granules), Some(0));
        assert_eq!(index.give_back_at(0), Ok(granules));
        let top = index.take(300).expect("room");
        assert_eq!(top, granules - 300);
        let half = index.take_aligned(5, 1 << 31, End::Tail).expect("room");
        assert_eq!(half, 1 << 31);
        assert_eq!((index.largest_free(), index.free_extents()), (1 << 31, 2));
        assert_eq!(index.take(1 << 31), Some(0));
        assert_eq!(index.extend_left(Extent::new(top, 300), 7), Ok(true));
        let mut all = [Extent::new(0, 1 << 31), Extent::new(half, 5), Extent::new(top - 7, 307)];
        assert_eq!(index.give_back_all(&mut all), 0);
        assert_eq!((index.largest_free(), index.free_extents(), index.used()), (granules, 1, 0));
    }
}

#[test]
fn every_other_granule_free_is_the_worst_case_and_is_covered() {
    for granules in [1, 2, 63, 64, 65, 256, 257, 1000, 4095, 4096, 4097, 20_001] {
        let mut index = BestFit::new(granules, 0).expect("address space for the metadata");
        for _ in 0..granules {
            assert!(index.take(1).is_some());
        }
        for granule in (0..granules).step_by(2) {
            assert_eq!(index.give_back_at(granule), Ok(1));
        }
        assert_eq!(index.free_extents(), granules.div_ceil(2) as usize);
        index.check_invariants().expect("the worst case");
        assert_eq!(index.take(2), None);
        for granule in (1..granules).step_by(2) {
            assert_eq!(index.give_back(Extent::new(granule, 1)), Ok(()));
        }
        index.check_invariants().expect("empty again");
        assert_eq!((index.free_extents(), index.largest_free()), (1, granules));
    }
}

#[test]
fn every_length_and_rest_of_small_ranges() {
    for granules in 1..=80 {
        for first in 1..=granules {
            let mut index = BestFit::new(granules, 0).expect("a small range");
            let mut live = vec![index.take(first).expect("empty")];
            for len in (1..=granules - first).rev() {
                live.extend(index.take(len));
            }
            index.check_invariants().expect("while filled");
            for at in live {
                assert!(index.give_back_at(at).is_ok());
                index.check_invariants().expect("while emptied");
            }
            assert_eq!(index.largest_free(), granules);
        }
    }
}

#[test]
fn alignment_is_of_the_absolute_address() {
    for origin in 0..130 {
        for align in [2, 4, 64, 128] {
            let mut index = BestFit::new(200, origin).expect("a small range");
            let mut offsets = Vec::new();
            while let Some(offset) = index.take_aligned(3, align, End::Tail) {
                assert_eq!((origin + u64::from(offset)) % u64::from(align), 0);
                offsets.push(offset);
            }
            let places = (0..198).filter(|at| (origin + at) % u64::from(align) == 0).count();
            // With an alignment of 2, three granules cover two places.
            assert_eq!(offsets.len(), if align == 2 { offsets.len() } else { places });
            index.check_invariants().expect("full of aligned extents");
            for at in offsets {
                assert_eq!(index.give_back_at(at), Ok(3));
            }
            assert_eq!(index.free_extents(), 1);
        }
    }
}

#[test]
fn equals_are_taken_newest_first_whatever_leaves_between() {
    for len in [50, 5_000] {
        let mut index = BestFit::new(10 * (len + 1), 0).expect("a range");
        let (mut blocks, mut walls) = (Vec::new(), Vec::new());
        for _ in 0..10 {
            blocks.extend(index.take(len));
            walls.extend(index.take(1));
        }
        for &block in &blocks {
            assert_eq!(index.give_back_at(block), Ok(len));
        }
        // A wall gone, its two neighbours are one and no equals any more: the oldest two, and two in the middle.
        for wall in [walls[0], walls[5]] {
            assert_eq!(index.give_back_at(wall), Ok(1));
            index.check_invariants().expect("after two left their ring");
        }
        for left in [9, 8, 7, 4, 3, 2] {
            assert_eq!(index.take(len), Some(blocks[left]));
        }
    }
}
