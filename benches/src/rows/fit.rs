//! `fit`: `BestFitArena` alone on the work of `replace`, one thread, at 1,000 and at 20,000 live transactions (with
//! `--all` at 400,000 too). Each contender manages 64 MiB of its own, mapped and touched beforehand, huge pages on.

use super::Row;
use crate::{
    harness::{
        memory::Memory,
        mib,
        report::Report,
        rounds::{Outcome, ROUNDS, Rounds},
        sizes::Sizes,
        table,
    },
    peers::{best_fit::BestFit, btree::BTreeFit, floor::Floor, offset_allocator::OffsetFit, rlsf::Rlsf},
    work::replace::Replace,
};

const STEPS: usize = 200_000;

pub(super) fn rows() -> Vec<Row> {
    vec![Row::new("fit", judged), Row::new("fit-400k", |_| _ = at("fit-400k", 400_000, mib(512))).extra()]
}

/// Judged at the worse of the two.
fn judged(report: &mut Report) {
    let outcomes = [(1_000, "1k"), (20_000, "20k")].map(|(live, which)| (which, at("fit", live, mib(64))));
    for peer in ["btree", "offset-allocator", "rlsf"] {
        let ratios = outcomes.iter().map(|(which, o)| (*which, o.median("best-fit") / o.median(peer)));
        let (which, worst) = ratios.max_by(|a, b| a.1.total_cmp(&b.1)).expect("two of them");
        report.worst_ratio("fit", &format!("{which}, the worse"), peer, worst);
    }
}

fn at(row: &str, live: usize, bytes: usize) -> Outcome {
    let sizes = Sizes::all();
    let memory = || Memory::map(bytes).warm();
    let mut rounds = Rounds::default();
    let mut ours = Replace::new(BestFit::over(memory()), live, &sizes);
    rounds.add("best-fit", move || ours.round(STEPS));
    let mut peer = Replace::new(BTreeFit::over(memory()), live, &sizes);
    rounds.add("btree", move || peer.round(STEPS));
    let mut peer = Replace::new(OffsetFit::over(memory()), live, &sizes);
    rounds.add("offset-allocator", move || peer.round(STEPS));
    let mut peer = Replace::new(Rlsf::over(memory()), live, &sizes);
    rounds.add("rlsf", move || peer.round(STEPS));
    let mut floor = Replace::new(Floor::new(live), live, &sizes);
    rounds.add("floor", move || floor.round(STEPS));
    let outcome = rounds.run(ROUNDS);
    table::heading(row, &format!("free a random one of {live} transactions, allocate another size; one thread"));
    table::outcome(&outcome, "ns a pair");
    outcome
}
