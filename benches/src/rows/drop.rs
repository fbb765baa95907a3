//! `drop`: everything freed at once, by dropping a heap or an arena of 256 MiB full of transactions (huge pages on,
//! unmapping included) or by resetting the arena, against the heap's blocks freed one by one in random order.

use sharded_arena::Arena;

use super::Row;
use crate::{
    harness::{
        clock::time,
        mib,
        report::Report,
        rng::Rng,
        rounds::{ROUNDS, Rounds},
        sizes::{MANY_THREADS_BELOW, Sizes},
        table,
    },
    peers::{Block, Contender, ours::Ours},
    work::fill::{Filling, SMALL_BYTES, Table, Write},
};

const CAPACITY: usize = mib(256);
/// What is judged, all at once.
const AT_ONCE: [&str; 3] = ["heap dropped", "arena dropped", "arena reset"];

pub(super) fn rows() -> Vec<Row> {
    vec![Row::new("drop", run)]
}

fn run(report: &mut Report) {
    let mut rounds = Rounds::default();
    rounds.add(AT_ONCE[0], || {
        let (heap, _blocks) = full_heap();
        time(|| drop(heap)).as_nanos() as f64 / 1e6
    });
    rounds.add(AT_ONCE[1], || {
        let arena = full_arena();
        time(|| drop(arena)).as_nanos() as f64 / 1e6
    });
    rounds.add(AT_ONCE[2], || {
        let mut arena = full_arena();
        time(|| arena.reset()).as_nanos() as f64 / 1e6
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

    table::heading("drop", "free everything in a heap or an arena of 256 MiB full of transactions");
    table::outcome(&outcome, "ms");
    let ratios = AT_ONCE.map(|name| (name, outcome.median(name) / outcome.median("one by one")));
    let (worst, ratio) = ratios.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).expect("three of them");
    report.worst_ratio("drop", &format!("{worst}, the worst"), "self", ratio);
}

fn full_heap() -> (Ours, Vec<Block>) {
    let mut filling = Filling::new(Ours::with_capacity(CAPACITY), Table::new(CAPACITY, 1), Write::Whole);
    filling.first();
    filling.into_parts()
}

/// As full as the heap: until a small request is refused.
fn full_arena() -> Arena {
    let arena = Arena::with_capacity(CAPACITY).expect("the machine has address space for a benchmark");
    let (sizes, mut rng) = (Sizes::below(MANY_THREADS_BELOW), Rng::new(1));
    loop {
        let size = sizes.pick(&mut rng);
        if arena.try_alloc_slice_fill_copy(size, 1_u8).is_err() && size <= SMALL_BYTES {
            return arena;
        }
    }
}
