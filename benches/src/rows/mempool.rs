//! `mempool`: the example's pool over our heap, and over others behind the example's counter of requested bytes.
//! `mempool-resident`: what the process holds resident for it.
//!
//! A counter of requested bytes bounds something else than memory: what the allocator needs beside them comes on top.
//! `mempool-resident` tells how much.

use std::time::Duration;

use sharded_arena::{Heap, allocator_api2::alloc::Allocator};

use super::{Row, child};
use crate::{
    harness::{
        mib,
        report::Report,
        rounds::{Outcome, Rounds},
        stats::Summary,
        table,
    },
    peers::global::{GLIBC, JEMALLOC, MIMALLOC, SNMALLOC},
    work::mempool::{Running, backend::Backend, block::Source, counted::Counted, mainnet, small},
};

const SIZES_MIB: [usize; 3] = [8, 32, 256];
const THREADS: [usize; 2] = [2, 8];
const PEERS: [&str; 4] = ["glibc", "mimalloc", "jemalloc", "snmalloc"];
const ROUNDS: usize = 7;
const SLICE: Duration = Duration::from_millis(100);

/// The process whose resident memory is measured runs for so long at its limit.
const RESIDENT_MIB: usize = 32;
const RESIDENT_THREADS: usize = 2;
const RESIDENT_AFTER: Duration = Duration::from_millis(700);
const RESIDENT_ROUNDS: usize = 3;

pub(super) fn rows() -> Vec<Row> {
    vec![Row::new("mempool", run), Row::new("mempool-resident", resident)]
}

fn run(report: &mut Report) {
    let mut worst = PEERS.map(|_| (f64::INFINITY, String::new()));
    for (blocks, sources) in [("mainnet", mainnet()), ("small", small())] {
        for size in SIZES_MIB {
            for threads in THREADS {
                let case = format!("{size} MiB, {threads} threads, {blocks} transactions");
                let outcome = measure(size, threads, &sources);
                table::heading("mempool", &case);
                table::outcome(&outcome, "k tx/s");
                for (worst, peer) in worst.iter_mut().zip(PEERS) {
                    let ratio = outcome.median("heap") / outcome.median(peer);
                    if ratio < worst.0 {
                        *worst = (ratio, format!("{case}, the worst"));
                    }
                }
            }
        }
    }
    for ((ratio, case), peer) in worst.iter().zip(PEERS) {
        report.worst_ratio("mempool", case, peer, *ratio);
    }
}

fn measure(size: usize, threads: usize, sources: &[Source]) -> Outcome {
    let heap = Heap::with_capacity(mib(size)).expect("address space for a benchmark");
    let glibc = Counted::new(mib(size), GLIBC);
    let mimalloc = Counted::new(mib(size), MIMALLOC);
    let jemalloc = Counted::new(mib(size), JEMALLOC);
    let snmalloc = Counted::new(mib(size), SNMALLOC);
    let mut rounds = Rounds::default();
    rounds.add("heap", round(&heap, threads, sources));
    rounds.add("glibc", round(&glibc, threads, sources));
    rounds.add("mimalloc", round(&mimalloc, threads, sources));
    rounds.add("jemalloc", round(&jemalloc, threads, sources));
    rounds.add("snmalloc", round(&snmalloc, threads, sources));
    rounds.run(ROUNDS)
}

fn round<'b, B: Backend>(backend: &'b B, threads: usize, sources: &'b [Source]) -> impl FnMut() -> f64 + 'b {
    let mut running = Running::at_limit(backend, threads, sources);
    move || running.run(SLICE) / 1000.0
}

fn resident(report: &mut Report) {
    let figures = |peer: &str| {
        let values: Option<Vec<f64>> = (0..RESIDENT_ROUNDS)
            .map(|_| child::mempool(peer, RESIDENT_MIB, RESIDENT_THREADS).map(|[resident, live]| resident / live))
            .collect();
        values.map(|values| Summary::of(&values))
    };
    let Some(ours) = figures("heap") else { return };
    table::heading("mempool-resident", &format!("{RESIDENT_MIB} MiB, bytes resident / bytes live, a process each"));
    table::figure("heap", ours, "");
    for peer in PEERS {
        let theirs = figures(peer).expect("the system told for our own");
        table::figure(peer, theirs, "");
        report.ratio("mempool-resident", peer, ours.median / theirs.median);
    }
}

/// The child's side: bytes resident for the pool, and its live bytes; none for a peer that no parent names.
pub(super) fn run_resident(peer: &str, limit: usize, threads: usize) -> Option<[f64; 2]> {
    let sources = mainnet();
    match peer {
        "heap" => {
            Some(resident_of(|| Heap::with_capacity(limit).expect("address space for a benchmark"), threads, &sources))
        }
        "glibc" => Some(resident_of(|| Counted::new(limit, GLIBC), threads, &sources)),
        "mimalloc" => Some(resident_of(|| Counted::new(limit, MIMALLOC), threads, &sources)),
        "jemalloc" => Some(resident_of(|| Counted::new(limit, JEMALLOC), threads, &sources)),
        "snmalloc" => Some(resident_of(|| Counted::new(limit, SNMALLOC), threads, &sources)),
        _ => None,
    }
}

fn resident_of<B: Backend + Allocator>(make: impl Fn() -> B, threads: usize, sources: &[Source]) -> [f64; 2] {
    let before = child::resident();
    let backend = make();
    let mut running = Running::at_limit(&backend, threads, sources);
    running.run(RESIDENT_AFTER);
    [(child::resident() - before) as f64, running.live_bytes() as f64]
}
