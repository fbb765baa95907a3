//! `interner`: two threads intern a text of 200,000 words each, of a vocabulary of 20,000, into one interner that is
//! empty at first, and resolve every fourth symbol. Judged against the faster of lasso with its own hasher and with
//! ours; of ours counts the slower of one in a region that lives longer and one with its own. Printed too: one thread,
//! words all known, words all different, symbols resolved alone.

use std::hash::RandomState;

use lasso::{Spur, ThreadedRodeo};
use sharded_arena::{Interner, Region};

use super::Row;
use crate::{
    harness::{
        crew::Crew,
        mib,
        report::Report,
        rounds::{Outcome, ROUNDS, Rounds},
        table,
    },
    peers::words::{Hasher, floor::Floor},
    work::interning::{Ask, Interning},
};

const CAPACITY: usize = mib(256);

pub(super) fn rows() -> Vec<Row> {
    vec![Row::new("interner", run)]
}

fn run(report: &mut Report) {
    let read = measure("two threads intern 200,000 words each of 20,000, resolve every fourth", 2, Ask::Read);
    measure("the same, one thread", 1, Ask::Read);
    measure("all words known, none resolved", 2, Ask::Known);
    measure("all words different, none resolved", 2, Ask::Different);
    measure("symbols resolved, no word interned", 2, Ask::Resolve);
    let (warm, own) = (read.median("interner"), read.median("  own region"));
    let which = if own > warm { "own region, new pages; the worse" } else { "warm region; the worse" };
    let peer = read.median("lasso").min(read.median("lasso, foldhash"));
    report.worst_ratio("interner", which, "lasso", warm.max(own) / peer);
}

fn measure(about: &str, threads: usize, ask: Ask) -> Outcome {
    let crew = Crew::of(threads);
    let work = Interning::new(&crew, threads, ask);
    // As the peer's, whose memory comes from the process's allocator: one region for the interners of all rounds.
    let region = Region::with_capacity(CAPACITY).expect("the machine has address space for a benchmark");
    let mut rounds = Rounds::default();
    rounds.add("interner", work.rounds(move || Interner::in_region(&region)));
    rounds.add("  own region", work.rounds(Interner::new));
    rounds.add("lasso", work.rounds(ThreadedRodeo::<Spur, RandomState>::default));
    rounds.add("lasso, foldhash", work.rounds(|| ThreadedRodeo::<Spur, Hasher>::with_hasher(Hasher::default())));
    rounds.add("floor", work.rounds(Floor::default));
    let outcome = rounds.run(ROUNDS);

    table::heading("interner", about);
    table::cores(crew.share_of_cores());
    table::outcome(&outcome, "ns a word and thread");
    outcome
}
