//! `pool-cross`: one thread inserts values of 64 bytes, the other reads them through their guards and removes them;
//! keys go over in batches of 256. Printed too: both threads do both, each with the other's keys.

use std::sync::{Arc, Mutex};

use sharded_arena::Pool;

use super::Row;
use crate::{
    harness::{
        crew::{Crew, Job},
        relay::{BATCH, BATCHES, Back, Front, relay},
        report::Report,
        rounds::{ROUNDS, Rounds},
        table,
    },
    peers::slots::{
        Slots, Taken,
        floor::Floor,
        sharded_slab::{as_it_comes, one_page},
        stamped,
    },
};

/// Batches a round, and as many each way where both threads insert.
const STEPS: usize = 2_400;
/// Slots of the peer's page: four times what is under way, the fastest of those tried on two machines.
const PAGE: usize = 1 << 14;

pub(super) fn rows() -> Vec<Row> {
    vec![Row::new("pool-cross", run)]
}

fn run(report: &mut Report) {
    let crew = Crew::of(2);
    let mut rounds = Rounds::default();
    let mut add = |name: &str, job: Job| {
        let crew = &crew;
        rounds.add(name, move || crew.run(&job).as_nanos() as f64 / (STEPS * BATCH) as f64);
    };
    add("pool", one_way(Pool::new()));
    add("pool, taken", one_way(Taken(Pool::new())));
    add("sharded-slab", one_way(as_it_comes()));
    add("  one page", one_way(one_page::<PAGE>()));
    add("  one page, taken", one_way(Taken(one_page::<PAGE>())));
    add("floor", one_way(Floor::new(BATCHES * BATCH)));
    add("both: pool", both_ways(Pool::new()));
    add("both: sharded-slab", both_ways(as_it_comes()));
    add("both: one page", both_ways(one_page::<PAGE>()));
    let outcome = rounds.run(ROUNDS);

    table::heading("pool-cross", "one thread inserts, the other reads and removes; keys in batches of 256");
    table::cores(crew.share_of_cores());
    table::outcome(&outcome, "ns a value");
    let (pool, as_it_comes) = (outcome.median("pool"), outcome.median("sharded-slab"));
    let peer = as_it_comes.min(outcome.median("  one page"));
    let (floor, as_it_comes) = (outcome.median("floor") / peer, pool / as_it_comes);
    let which = format!("without a table {floor:.2}; to the peer as it comes {as_it_comes:.2}");
    report.worst_ratio("pool-cross", &which, "sharded-slab", pool / peer);
}

fn one_way<S: Slots>(slots: S) -> Job {
    let (front, back) = relay();
    let (front, back) = (Mutex::new(front), Mutex::new(back));
    Arc::new(move |member| match member {
        0 => each_step(|| put(&slots, &front.lock().expect("no member panicked"))),
        _ => each_step(|| pull(&slots, &back.lock().expect("no member panicked"))),
    })
}

fn both_ways<S: Slots>(slots: S) -> Job {
    let ((to_second, from_first), (to_first, from_second)) = (relay(), relay());
    let ends = [Mutex::new((to_second, from_second)), Mutex::new((to_first, from_first))];
    Arc::new(move |member| {
        let ends = ends[member].lock().expect("no member panicked");
        each_step(|| {
            put(&slots, &ends.0);
            pull(&slots, &ends.1);
        });
    })
}

#[inline]
fn each_step(mut step: impl FnMut()) {
    for _ in 0..STEPS {
        step();
    }
}

#[inline]
fn put<S: Slots>(slots: &S, to: &Front<S::Key>) {
    let mut batch = to.blank();
    batch.extend((0..BATCH as u64).map(|stamp| slots.insert(stamped(stamp))));
    to.send(batch);
}

#[inline]
fn pull<S: Slots>(slots: &S, from: &Back<S::Key>) {
    let mut batch = from.filled();
    let mut sum = 0;
    for key in batch.drain(..) {
        sum += slots.stamp(key).expect("its key is live");
        assert!(slots.remove(key), "its key was live");
    }
    assert_eq!(sum, (0..BATCH as u64).sum(), "each value is what was put in");
    from.send_back(batch);
}
