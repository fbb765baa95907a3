//! `handoff`: one thread allocates, the other only frees; blocks go over in batches of 256, and emptied batches come
//! back. First and last byte are written. Judged with a heap of 256 MiB, printed with 32 MiB too.

use std::sync::{Arc, Mutex};

use super::Row;
use crate::{
    harness::{
        crew::{Crew, Job},
        mib,
        relay::{BATCH, BATCHES, Back, Front, relay},
        report::Report,
        rng::Rng,
        rounds::{ROUNDS, Rounds},
        sizes::{MANY_THREADS_BELOW, Sizes},
        table,
    },
    peers::{
        Block, Shared,
        floor::Floor,
        global::{GLIBC, JEMALLOC, MIMALLOC, SNMALLOC},
        has_stamp,
        ours::Ours,
        stamp,
    },
};

/// Batches a round.
const STEPS: usize = 2_400;

pub(super) fn rows() -> Vec<Row> {
    vec![Row::new("handoff", run)]
}

fn run(report: &mut Report) {
    let crew = Crew::of(2);
    let mut rounds = Rounds::default();
    let mut add = |name, job: Job| {
        let crew = &crew;
        rounds.add(name, move || crew.run(&job).as_nanos() as f64 / (STEPS * BATCH) as f64);
    };
    add("heap", job(Ours::with_capacity(mib(256))));
    add("heap 32 MiB", job(Ours::with_capacity(mib(32))));
    add("mimalloc", job(MIMALLOC));
    add("jemalloc", job(JEMALLOC));
    add("snmalloc", job(SNMALLOC));
    add("glibc", job(GLIBC));
    add("floor", job(Floor::new(BATCHES * BATCH)));
    let outcome = rounds.run(ROUNDS);

    table::heading("handoff", "one thread allocates, the other frees; handed over in batches of 256");
    table::cores(crew.share_of_cores());
    table::outcome(&outcome, "ns a block");
    for peer in ["jemalloc", "mimalloc", "snmalloc", "glibc"] {
        report.ratio("handoff", peer, outcome.median("heap") / outcome.median(peer));
    }
}

/// Member 0: fills batches.
struct Giver<C> {
    contender: C,
    rng: Rng,
    sizes: Sizes,
    front: Front<Block>,
}

/// Member 1: empties them.
struct Taker<C> {
    contender: C,
    back: Back<Block>,
}

fn job<C: Shared>(contender: C) -> Job {
    let (front, back) = relay();
    let sizes = Sizes::below(MANY_THREADS_BELOW);
    let giver = Giver { contender: contender.clone(), rng: Rng::new(3), sizes, front };
    let (giver, taker) = (Mutex::new(giver), Mutex::new(Taker { contender, back }));
    Arc::new(move |member| match member {
        0 => giver.lock().expect("no member panicked").round(),
        _ => taker.lock().expect("no member panicked").round(),
    })
}

impl<C: Shared> Giver<C> {
    fn round(&mut self) {
        for _ in 0..STEPS {
            let mut batch = self.front.blank();
            for i in 0..BATCH {
                let size = self.sizes.pick(&mut self.rng);
                let ptr = self.contender.alloc(size).expect("far below any limit");
                // SAFETY: a live block of that size.
                unsafe { stamp(ptr, size, i as u8) };
                batch.push(Block { ptr, size: size as u32 });
            }
            self.front.send(batch);
        }
    }
}

impl<C: Shared> Taker<C> {
    fn round(&mut self) {
        for step in 0..STEPS {
            let mut batch = self.back.filled();
            // A look at one block of a few batches: that it is whole, at no cost that shows.
            if step % 64 == 0 && C::DISTINCT_BLOCKS {
                let i = step / 64 % BATCH;
                // SAFETY: live, and stamped with its place in the batch.
                assert!(unsafe { has_stamp(batch[i].ptr, batch[i].size as usize, i as u8) }, "two live blocks overlap");
            }
            for block in batch.drain(..) {
                // SAFETY: live; the batch was its only holder.
                unsafe { self.contender.free(block.ptr, block.size as usize) };
            }
            self.back.send_back(batch);
        }
    }
}
