//! `drop`: everything freed at once, by dropping a heap of 256 MiB full of transactions (huge pages on, unmapping
//! included), against the same blocks freed one by one in random order.

use super::Row;
use crate::{
    harness::{
        clock::time,
        mib,
        report::Report,
        rng::Rng,
        rounds::{ROUNDS, Rounds},
        table,
    },
    peers::{Block, Contender, ours::Ours},
    work::fill::{Filling, Table, Write},
};

const CAPACITY: usize = mib(256);

pub(super) fn rows() -> Vec<Row> {
    vec![Row::new("drop", run)]
}

fn run(report: &mut Report) {
    let mut rounds = Rounds::default();
    rounds.add("drop", || {
        let (heap, _blocks) = full_heap();
        time(|| drop(heap)).as_nanos() as f64 / 1e6
    });
    rounds.add("one by one", || {
        let (mut heap, mut blocks) = full_heap();
        Rng::new(5).shuffle(&mut blocks);
        let free_all = || {
            for block in blocks {
                // SAFETY: live, each freed once.
                unsafe { heap.free(block.ptr, block.size as usize) };
            }
        };
        time(free_all).as_nanos() as f64 / 1e6
    });
    let outcome = rounds.run(ROUNDS);

    table::heading("drop", "free everything in a heap of 256 MiB full of transactions");
    table::outcome(&outcome, "ms");
    report.ratio("drop", "self", outcome.median("drop") / outcome.median("one by one"));
}

fn full_heap() -> (Ours, Vec<Block>) {
    let mut filling = Filling::new(Ours::with_capacity(CAPACITY), Table::new(CAPACITY, 1), Write::Whole);
    filling.first();
    filling.into_parts()
}
