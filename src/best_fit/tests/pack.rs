//! Nodes of the bins that are packed and go, beside changes of the index.

use super::{Dice, Shadow};
use crate::base::extent::Extent;
use crate::best_fit::BestFit;

impl Shadow {
    /// Packs some of the nodes, and lets some go, or be there again.
    pub(super) fn pack(&mut self, dice: &mut Dice) {
        if self.index.begin_pack() {
            self.index.pack(dice.below(300) as usize);
        }
        if dice.below(2) == 0 {
            return;
        }
        if core::mem::take(&mut self.going) {
            self.index.end_discard();
        } else if let Some(nodes) = self.index.begin_discard() {
            self.index.tables().discard_nodes(nodes);
            self.going = true;
            self.went += 1;
        }
    }
}

/// So many free extents that their nodes are worth it, beside changes at every stage.
#[cfg(not(miri))]
#[test]
fn nodes_are_packed_and_go() {
    let (mut shadow, mut dice) = (Shadow::new(60_000, 7), Dice(7));
    for _ in 0..3 {
        while shadow.used_granules < shadow.granules {
            shadow.take(1);
        }
        for step in 0..90_000 {
            if dice.below(100) < 30 {
                shadow.take(1 + dice.below(2));
            } else {
                shadow.give_back(&mut dice);
            }
            if step > 30_000 && step % 8 == 0 {
                shadow.pack(&mut dice);
            }
            if step % 3_000 == 0 {
                shadow.check_all();
            }
        }
    }
    shadow.run(1_000, 2, 7);
    assert!(shadow.went > 6, "nodes went {} times", shadow.went);
}

/// One extent that is freed and taken again, many times between two sections of the packing: each time a node becomes a
/// hole, and another is asked for.
#[test]
fn holes_are_found_before_nodes_run_out() {
    const GRANULES: u32 = 1 << 16;
    let mut index = BestFit::new(GRANULES, 0).expect("address space for the metadata");
    (0..GRANULES).for_each(|_| _ = index.take(1).expect("room"));
    // Every fourth is free once, most of them only then.
    let isolated = || (0..GRANULES).step_by(4);
    isolated().for_each(|offset| index.give_back_at(offset).map(|_| ()).expect("used"));
    isolated().skip(1_000).for_each(|offset| assert!(index.take_at(Extent::new(offset, 1))));
    assert!(index.begin_pack() && !index.pack(60));
    let before = index.index.bins.touched();
    for round in 0.. {
        for offset in isolated().skip(1_000).take(100) {
            index.give_back_at(offset).expect("used");
            assert!(index.take_at(Extent::new(offset, 1)));
        }
        index.check_invariants().expect("the invariants hold");
        if index.pack(1) {
            assert!(round > 0);
            break;
        }
    }
    let after = index.index.bins.touched();
    assert!(after - before < 4_000, "{before} nodes were touched, then {after}");
}
