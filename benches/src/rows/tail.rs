//! `tail`: the latency of single calls in `churn`, and in `full` with two threads at a limit of 32 MiB. A refused call
//! counts as one of `alloc`.
//!
//! The counter's own cost is subtracted. What else a shared machine does falls on some calls of every contender: the
//! greatest of all is printed and tells little.

use super::{Row, churn, full};
use crate::{
    harness::{
        crew::{Crew, Job},
        latency::{Counts, Gauge},
        mib,
        report::Report,
        table,
    },
    peers::{
        Shared,
        capped::Capped,
        global::{JEMALLOC, MIMALLOC},
        ours::Ours,
        timed::Timed,
    },
};

const LIMIT_MIB: usize = 32;
const INSERTS: usize = 100_000;
const ROUNDS: usize = 7;
const SHARES: [(&str, f64); 5] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999), ("most", 1.0)];
const JUDGED: f64 = 0.999;
const CALLS: [&str; 2] = ["alloc", "free"];

pub(super) fn rows() -> Vec<Row> {
    vec![Row::new("tail", run)]
}

fn run(report: &mut Report) {
    let gauge = Gauge::new();
    let crew = Crew::of(churn::THREADS);
    let mut worst = ["jemalloc", "mimalloc"].map(|peer| (peer, 0.0, String::new()));
    let mut judge = |work: &str, contenders: Vec<Contender<'_>>| {
        let outcome = measure(contenders);
        table::heading("tail", &format!("{work}: ns a call"));
        for (call, name) in CALLS.iter().enumerate() {
            for (contender, counts) in &outcome {
                table::remark(&format!("{contender} {name}"), &percentiles(&gauge, &counts[call]));
            }
            let of = |name: &str| {
                let (_, counts) = outcome.iter().find(|(contender, _)| *contender == name).expect("measured");
                gauge.ns(counts[call].at(JUDGED))
            };
            for (peer, worst, which) in &mut worst {
                let ratio = of("heap") / of(peer);
                if ratio > *worst {
                    (*worst, *which) = (ratio, format!("{name} in {work}, p99.9, the worst"));
                }
            }
        }
    };
    judge(
        "churn",
        vec![
            Contender::churn("heap", &crew, Ours::with_capacity(mib(256))),
            Contender::churn("jemalloc", &crew, JEMALLOC),
            Contender::churn("mimalloc", &crew, MIMALLOC),
        ],
    );
    judge(
        "full, 32 MiB",
        vec![
            Contender::full("heap", &crew, Ours::with_capacity(mib(LIMIT_MIB))),
            Contender::full("jemalloc", &crew, Capped::new(JEMALLOC, mib(LIMIT_MIB))),
            Contender::full("mimalloc", &crew, Capped::new(MIMALLOC, mib(LIMIT_MIB))),
        ],
    );
    for (peer, ratio, which) in &worst {
        report.worst_ratio("tail", which, peer, *ratio);
    }
}

fn percentiles(gauge: &Gauge, counts: &Counts) -> String {
    SHARES.map(|(name, share)| format!("{name} {:>8.0}", gauge.ns(counts.at(share)))).join("  ")
}

/// One round of a contender: the latencies of its calls.
struct Contender<'a> {
    name: &'static str,
    round: Box<dyn FnMut() -> [Counts; 2] + 'a>,
}

impl<'a> Contender<'a> {
    fn churn<C: Shared>(name: &'static str, crew: &'a Crew, contender: C) -> Self {
        let timed = Timed::new(contender);
        let job = churn::Churn::job(timed.clone());
        Self::new(name, crew, timed, job)
    }

    fn full<C: Shared>(name: &'static str, crew: &'a Crew, contender: C) -> Self {
        let timed = Timed::new(contender);
        let job = full::Team::at_limit(&timed, LIMIT_MIB, crew, churn::THREADS).job(INSERTS);
        Self::new(name, crew, timed, job)
    }

    fn new<C: 'static>(name: &'static str, crew: &'a Crew, timed: Timed<C>, job: Job) -> Self {
        let round = move || {
            timed.take();
            crew.run(&job);
            timed.take()
        };
        Contender { name, round: Box::new(round) }
    }
}

/// Rounds in turn, after one warm-up; the latencies of all that count.
fn measure(mut contenders: Vec<Contender<'_>>) -> Vec<(&'static str, [Counts; 2])> {
    let mut sums = vec![<[Counts; 2]>::default(); contenders.len()];
    for round in 0..=ROUNDS {
        for (contender, sum) in contenders.iter_mut().zip(&mut sums) {
            let counts = (contender.round)();
            if round > 0 {
                sum.iter_mut().zip(&counts).for_each(|(sum, counts)| sum.add(counts));
            }
        }
    }
    contenders.iter().map(|contender| contender.name).zip(sums).collect()
}
