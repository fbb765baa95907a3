//! Twins: a run against as many single requests, a batch against single give-backs.

use super::super::{BestFit, End};
use super::Dice;
use crate::base::extent::Extent;

fn twins(granules: u32) -> (BestFit, BestFit) {
    let make = || BestFit::new(granules, 77).expect("address space for the metadata");
    (make(), make())
}

#[test]
fn a_run_is_as_many_single_requests() {
    for (granules, longest, seed) in [(5_000, 60, 1), (200_000, 9_000, 2)] {
        let (mut runs, mut singles) = twins(granules);
        let mut dice = Dice(seed);
        let mut live: Vec<Extent> = Vec::new();
        for step in 0..6_000 {
            let len = dice.len(longest);
            let align = if dice.below(5) == 0 { 1 << dice.below(6) } else { 1 };
            if dice.below(100) < 30 {
                let count = dice.below(40) as usize;
                let (mut got, mut expected) = (Vec::new(), Vec::new());
                let taken = runs.take_run(len, align, count, |offset| got.push(offset));
                let mut single =
                    || if align == 1 { singles.take(len) } else { singles.take_aligned(len, align, End::Tail) };
                expected.extend((0..count).map_while(|_| single()));
                assert_eq!(got, expected);
                assert_eq!(taken, got.len());
                live.extend(got.iter().map(|&offset| Extent::new(offset, len)));
            } else {
                for _ in 0..dice.below(12).min(live.len() as u32) {
                    let extent = live.swap_remove(dice.below(live.len() as u32) as usize);
                    runs.give_back(extent).expect("live");
                    singles.give_back(extent).expect("live");
                }
            }
            if step % 500 == 0 {
                runs.check_invariants().expect("the invariants hold");
            }
            assert_eq!((runs.used(), runs.free_extents()), (singles.used(), singles.free_extents()));
        }
        assert!(runs.walk().eq(singles.walk()));
    }
}

#[test]
fn a_batch_gives_back_what_single_calls_do() {
    let (mut batch, mut singles) = twins(100_000);
    let mut dice = Dice(4);
    for _ in 0..50 {
        let mut live = Vec::new();
        for _ in 0..300 {
            let len = dice.len(400);
            if let Some(offset) = batch.take(len) {
                assert!(singles.take_aligned(len, 1, End::Tail).is_some());
                live.push(Extent::new(offset, len));
            }
        }
        // The twin may place elsewhere once their rings differ: give back everything, compare the end.
        assert_eq!(batch.give_back_all(&mut live), 0);
        let used: Vec<Extent> = singles.walk().filter(|(_, used)| *used).map(|(extent, _)| extent).collect();
        for extent in used {
            singles.give_back(extent).expect("live");
        }
        assert!(batch.walk().eq(singles.walk()));
        batch.check_invariants().expect("the invariants hold");
    }
    assert_eq!(batch.give_back_all(&mut []), 0);
}
