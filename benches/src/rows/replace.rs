//! `replace-1k`, `replace-20k`: a table of live transactions; each step frees a random one and allocates another
//! size. One thread, sizes of the whole block; each new block's first and last byte are written.

use super::Row;
use crate::{
    harness::{
        mib,
        report::Report,
        rounds::{ROUNDS, Rounds},
        sizes::Sizes,
        table,
    },
    peers::{
        floor::Floor,
        global::{GLIBC, JEMALLOC, MIMALLOC, SNMALLOC},
        ours::{Ours, OursLocal},
    },
    work::replace::Replace,
};

const CAPACITY: usize = mib(256);
const STEPS: usize = 500_000;

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new("replace-1k", |report| run(report, "replace-1k", 1_000)),
        Row::new("replace-20k", |report| run(report, "replace-20k", 20_000)),
    ]
}

fn run(report: &mut Report, row: &str, live: usize) {
    let sizes = Sizes::all();
    let (ours, local) = (Ours::with_capacity(CAPACITY), Ours::with_capacity(CAPACITY));
    let mut rounds = Rounds::default();
    // One block for each contender: their types differ.
    let mut heap = Replace::new(ours, live, &sizes);
    rounds.add("heap", move || heap.round(STEPS));
    let mut handle = Replace::new(OursLocal::of(&local), live, &sizes);
    rounds.add("heap local", move || handle.round(STEPS));
    let mut peer = Replace::new(MIMALLOC, live, &sizes);
    rounds.add("mimalloc", move || peer.round(STEPS));
    let mut peer = Replace::new(JEMALLOC, live, &sizes);
    rounds.add("jemalloc", move || peer.round(STEPS));
    let mut peer = Replace::new(SNMALLOC, live, &sizes);
    rounds.add("snmalloc", move || peer.round(STEPS));
    let mut peer = Replace::new(GLIBC, live, &sizes);
    rounds.add("glibc", move || peer.round(STEPS));
    let mut floor = Replace::new(Floor::new(live), live, &sizes);
    rounds.add("floor", move || floor.round(STEPS));
    let outcome = rounds.run(ROUNDS);

    table::heading(row, &format!("free a random one of {live} transactions, allocate another size; one thread"));
    table::outcome(&outcome, "ns a pair");
    for peer in ["mimalloc", "jemalloc", "snmalloc", "glibc"] {
        report.ratio(row, peer, outcome.median("heap") / outcome.median(peer));
    }
}
