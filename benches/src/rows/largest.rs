//! `largest-256`: after a fill of 256 MiB and the eviction of nine blocks of ten, the largest request that is still
//! granted, by the region's capacity. One thread.

use super::Row;
use crate::{
    harness::{mib, report::Report, stats::Summary, table},
    peers::{Contender, ours::Ours},
    work::fill::{Filling, Table, Write, ratio},
};

const CAPACITY: usize = mib(256);
const ROUNDS: usize = 3;
/// The answer is exact to this.
const STEP: usize = 4096;

pub(super) fn rows() -> Vec<Row> {
    vec![Row::new("largest-256", |report| {
        let rounds: Vec<f64> = (0..ROUNDS).map(|_| ratio(largest(), CAPACITY)).collect();
        tell(report, Summary::of(&rounds));
    })]
}

fn tell(report: &mut Report, largest: Summary) {
    table::heading("largest-256", "the largest request granted after the eviction, by the capacity");
    table::figure("heap", largest, "");
    report.ratio("largest-256", "capacity", largest.median);
}

fn largest() -> usize {
    let mut ours = Ours::with_capacity(CAPACITY);
    let mut filling = Filling::new(ours.clone(), Table::new(CAPACITY, 1), Write::None);
    filling.first();
    filling.evict();
    let (mut granted, mut refused) = (0, CAPACITY / STEP + 1);
    while granted + 1 < refused {
        let steps = usize::midpoint(granted, refused);
        if let Some(block) = ours.alloc(steps * STEP) {
            // SAFETY: allocated just now.
            unsafe { ours.free(block, steps * STEP) };
            granted = steps;
        } else {
            refused = steps;
        }
    }
    filling.clear();
    granted * STEP
}
