//! `pool`: a table of 1,000 live values of 64 bytes; each step inserts one, reads a random one through its guard and
//! removes a random one. One thread. Judged against the faster of sharded-slab as it comes and with one page that
//! holds them all. Printed too: 20,000 values, and values taken instead of removed.

use sharded_arena::Pool;

use super::Row;
use crate::{
    harness::{
        report::Report,
        rounds::{ROUNDS, Rounds},
        table,
    },
    peers::slots::{
        Slots, Taken,
        floor::Floor,
        sharded_slab::{as_it_comes, one_page},
    },
    work::turnover::Turnover,
};

const STEPS: usize = 500_000;
/// Slots of the peer's page: more than a table ever has.
const PAGE: usize = 1 << 15;

pub(super) fn rows() -> Vec<Row> {
    vec![Row::new("pool", |report| {
        run(report, "pool", 1_000);
        run(report, "pool-20k", 20_000);
    })]
}

fn run(report: &mut Report, row: &str, live: usize) {
    let mut rounds = Rounds::default();
    add(&mut rounds, "pool", live, Pool::new());
    add(&mut rounds, "pool, taken", live, Taken(Pool::new()));
    add(&mut rounds, "sharded-slab", live, as_it_comes());
    add(&mut rounds, "  one page", live, one_page::<PAGE>());
    add(&mut rounds, "  one page, taken", live, Taken(one_page::<PAGE>()));
    add(&mut rounds, "floor", live, Floor::new(live + 1));
    let outcome = rounds.run(ROUNDS);

    table::heading(row, &format!("insert, read a random one, remove a random one of {live} values; one thread"));
    table::outcome(&outcome, "ns a step");
    let peer = outcome.median("sharded-slab").min(outcome.median("  one page"));
    report.ratio(row, "sharded-slab", outcome.median("pool") / peer);
}

fn add<'a>(rounds: &mut Rounds<'a>, name: &str, live: usize, slots: impl Slots + 'a) {
    let mut turnover = Turnover::new(slots, live);
    rounds.add(name, move || turnover.round(STEPS));
}
