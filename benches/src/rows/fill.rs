//! `fill-…`, `refill-…`: transactions below 100,000 bytes into a heap until a request of at most 1 KiB is refused;
//! nine of ten evicted at random; then 1.3 × the sizes until a request of at most 1 KiB is refused. Live bytes
//! (requested ones) by the limit after each. Every thread stops at its own first refusal, all are joined.
//!
//! Other allocators know no limit: each runs in a process of its own, stops when its live bytes come to the limit,
//! and is measured by its resident memory. Every byte of every block is written.

use super::{Row, child, once};
use crate::{
    harness::{mib, report::Report, stats::Summary, table},
    peers::ours::Ours,
    work::fill::{Table, fill_twice, ratio},
};

const ROUNDS: usize = 3;
const PEERS: [&str; 4] = ["glibc", "jemalloc", "snmalloc", "mimalloc"];

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for size in [8, 32, 256] {
        for threads in [1, 2, 64] {
            let shared = once(move || measure(size, threads));
            let figures = shared.clone();
            rows.push(Row::new(format!("fill-{size}-{threads}"), move |report| {
                tell(report, "fill", size, threads, &figures().0);
            }));
            let row = Row::new(format!("refill-{size}-{threads}"), move |report| {
                tell(report, "refill", size, threads, &shared().1);
            });
            rows.push(if threads == 2 { row.extra() } else { row });
        }
    }
    rows
}

/// Each contender's rounds, ours first.
type Figures = Vec<(&'static str, Summary)>;

/// After the first fill, and after the second.
fn measure(size: usize, threads: usize) -> (Figures, Figures) {
    let heap =
        || fill_twice(Ours::with_capacity(mib(size)), Table::new(mib(size), threads), |live| ratio(live, mib(size)));
    let mut contenders: Vec<(&'static str, Vec<[f64; 2]>)> = vec![("heap", (0..ROUNDS).map(|_| heap()).collect())];
    for peer in PEERS {
        let rounds: Option<Vec<_>> = (0..ROUNDS).map(|_| child::fill(peer, size, threads)).collect();
        contenders.extend(rounds.map(|rounds| (peer, rounds)));
    }
    let nth = |nth: usize| {
        let summary = |rounds: &[[f64; 2]]| Summary::of(&rounds.iter().map(|round| round[nth]).collect::<Vec<_>>());
        contenders.iter().map(|(name, rounds)| (*name, summary(rounds))).collect()
    };
    (nth(0), nth(1))
}

fn tell(report: &mut Report, fill: &str, size: usize, threads: usize, figures: &Figures) {
    let row = format!("{fill}-{size}-{threads}");
    let what = if fill == "fill" { "the first fill" } else { "eviction and the second fill" };
    table::heading(&row, &format!("live bytes after {what} of {size} MiB by {threads} thread(s)"));
    for (name, summary) in figures {
        let of = if *name == "heap" { "of the limit" } else { "of resident memory" };
        table::figure(name, *summary, of);
    }
    let ours = figures[0].1.median;
    report.ratio(&row, "limit", ours);
    for (peer, summary) in &figures[1..] {
        report.ratio(&row, peer, ours / summary.median);
    }
}
