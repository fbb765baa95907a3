//! `shared-local`, `shared-arena`, `shared-2v1`: 1, 2 and 4 threads place 400,000 objects of 24 bytes each into one
//! arena. The threads, their handles and the memory are there before the clock; the reset is not on it.
//!
//! Against other crates two threads are judged. `shared-2v1` is the time an object costs with two threads by that with
//! one, which is 1 where threads do not disturb each other; the worse of `local()` and `&Arena` counts.

use std::{
    array::from_fn,
    sync::{Arc, RwLock},
    time::Duration,
};

use mimalloc::MiMalloc;

use super::{Row, once};
use crate::{
    harness::{
        crew::{Clock, Crew, PreparedJob, cores_for},
        mib,
        report::Report,
        rounds::{Outcome, ROUNDS, Rounds},
        table,
    },
    peers::{
        arena::{self, ViaArena, ViaLocal},
        bare::Bare,
        bitena,
        blink::SyncBlink,
        bulk::{Bulk, Object, Place},
        bumpalo::{BumpByThread, BumpaloHerd},
        one_by_one::OneByOne,
    },
    work::place::{Placed, STANDS, place},
};

const THREADS: [usize; 3] = [1, 2, 4];
/// Objects a thread.
const OBJECTS: usize = 400_000;
const CAPACITY: usize = mib(256);
/// Fillings a round: one alone is less than a millisecond, or many where all threads exchange one word.
const FILLINGS: usize = 2 * STANDS;
const FILLINGS_OF_ONE_WORD: usize = 1;
/// Fillings before the rounds, on top of the warm-up that every row has: a herd's arenas have found their size then.
const WARM_UPS: usize = 2;

pub(super) fn rows() -> Vec<Row> {
    let measured = once(measure);
    let against = |row: &'static str, ours: &'static str| {
        let measured = measured.clone();
        Row::new(row, move |report| {
            let outcome = measured();
            for peer in ["herd", "syncblink", "thread_local"] {
                report.ratio(row, peer, outcome.median(&name(ours, 2)) / outcome.median(&name(peer, 2)));
            }
        })
    };
    let (local, arena) = (against("shared-local", "local"), against("shared-arena", "arena"));
    vec![Row::new("shared-2v1", move |report| two_by_one(report, &measured())), local, arena]
}

fn two_by_one(report: &mut Report, outcome: &Outcome) {
    let ratio = |ours: &str| outcome.median(&name(ours, 2)) / outcome.median(&name(ours, 1));
    table::heading("shared-2v1", "time an object with two threads, by that with one");
    for contender in ["local", "arena", "herd", "floor"] {
        table::remark(contender, &format!("{:>10.4}", ratio(contender)));
    }
    let worse = if ratio("arena") > ratio("local") { "arena" } else { "local" };
    let which = format!("{worse}, the worse; without an allocator {:.2}", ratio("floor"));
    report.worst_ratio("shared-2v1", &which, "self", ratio(worse));
}

fn name(contender: &str, threads: usize) -> String {
    format!("{contender} x{threads}")
}

fn measure() -> Outcome {
    let crews = THREADS.map(Crew::of);
    let of = |threads: usize| threads * OBJECTS * size_of::<Object>() + 64;
    let mut rounds = Rounds::default();
    add(&mut rounds, &crews, FILLINGS, "local", |_| ViaLocal::with_capacity(CAPACITY));
    add(&mut rounds, &crews, FILLINGS, "arena", |_| ViaArena::with_capacity(CAPACITY));
    add(&mut rounds, &crews, FILLINGS, "herd", |_| BumpaloHerd::default());
    add(&mut rounds, &crews, FILLINGS, "thread_local", |_| BumpByThread::default());
    add(&mut rounds, &crews, FILLINGS, "floor", |threads| Bare::with_capacity(of(1), threads));
    add(&mut rounds, &crews, FILLINGS, "mimalloc, freed", |_| OneByOne::new(&MiMalloc, OBJECTS));
    add(&mut rounds, &crews, FILLINGS_OF_ONE_WORD, "syncblink", |threads| SyncBlink::with_capacity(of(threads)));
    add(&mut rounds, &crews, FILLINGS_OF_ONE_WORD, "bump region", |threads| arena::Fixed::with_capacity(of(threads)));
    add(&mut rounds, &crews, FILLINGS_OF_ONE_WORD, "bitena", |threads| bitena::Fixed::with_capacity(of(threads)));
    let outcome = rounds.run(ROUNDS);

    table::heading("shared", "1, 2, 4 threads place 400,000 objects of 24 bytes each into one reset arena");
    for crew in &crews {
        table::cores(crew.share_of_cores());
    }
    table::outcome(&outcome, "ns an object and core");
    outcome
}

/// One contender with each number of threads, each time with an arena of its own.
fn add<'a, A: Bulk + Send + Sync>(
    rounds: &mut Rounds<'a>,
    crews: &'a [Crew; THREADS.len()],
    fillings: usize,
    contender: &str,
    make: impl Fn(usize) -> A,
) where
    for<'h> A::Handle<'h>: Place,
{
    for (crew, threads) in crews.iter().zip(THREADS) {
        let arena = Arc::new(RwLock::new(make(threads)));
        let check = checking(arena.clone());
        let jobs: [PreparedJob; STANDS] = from_fn(|stand| placing(arena.clone(), stand));
        let fill = move |job: &PreparedJob| {
            arena.write().expect("no member panicked").reset();
            crew.run_prepared(job)
        };
        fill(&check);
        for job in jobs.iter().take(WARM_UPS) {
            fill(job);
        }
        // Time of one core: threads beyond the cores wait for each other.
        let objects = fillings * threads * OBJECTS / cores_for(threads);
        rounds.add(name(contender, threads), move || {
            let spent: Duration = jobs.iter().cycle().take(fillings).map(&fill).sum();
            spent.as_nanos() as f64 / objects as f64
        });
    }
}

fn placing<A: Bulk + Send + Sync>(arena: Arc<RwLock<A>>, stand: usize) -> PreparedJob
where
    for<'h> A::Handle<'h>: Place,
{
    Arc::new(move |_, clock: &Clock| {
        let arena = arena.read().expect("no member panicked");
        let mut handle = Some(arena.handle());
        clock(&mut || handle = handle.take().map(|handle| place(handle, OBJECTS, stand)));
    })
}

/// Looks, once all members have placed theirs, whether each object is whole.
fn checking<A: Bulk + Send + Sync>(arena: Arc<RwLock<A>>) -> PreparedJob
where
    for<'h> A::Handle<'h>: Place,
{
    Arc::new(move |member, clock: &Clock| {
        let arena = arena.read().expect("no member panicked");
        let mut handle = arena.handle();
        let placed = Placed::new(&mut handle, OBJECTS, member);
        clock(&mut || placed.check());
        handle.finish();
    })
}
