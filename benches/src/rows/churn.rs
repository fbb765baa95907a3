//! `churn`: two threads replace random entries of one table of 40,000 transactions, so half of all frees are of the
//! other thread's blocks. First and last byte are written. The floor, the same swaps without an allocator, is
//! subtracted from both sides of the ratio. Judged with a heap of 256 MiB, printed with 32 MiB too.

use std::{
    ptr::NonNull,
    sync::{
        Arc, Mutex,
        atomic::{AtomicPtr, Ordering},
    },
};

use super::Row;
use crate::{
    harness::{
        crew::{Crew, Job},
        mib,
        report::Report,
        rng::Rng,
        rounds::{ROUNDS, Rounds},
        sizes::{MANY_THREADS_BELOW, Sizes},
        table,
    },
    peers::{
        Shared,
        floor::Floor,
        global::{GLIBC, JEMALLOC, MIMALLOC, SNMALLOC},
        has_stamp,
        ours::Ours,
        stamp,
    },
};

const ENTRIES: usize = 40_000;
pub(super) const THREADS: usize = 2;
/// Steps of a thread in a round.
const STEPS: usize = 300_000;
/// An entry is one word: the block's address, and in the bits no address uses the index of its size.
const TAG_SHIFT: u32 = 48;
const ADDRESS: usize = (1 << TAG_SHIFT) - 1;

pub(super) fn rows() -> Vec<Row> {
    vec![Row::new("churn", run)]
}

fn run(report: &mut Report) {
    let crew = Crew::of(THREADS);
    let mut rounds = Rounds::default();
    let mut add = |name, job: Job| {
        let crew = &crew;
        rounds.add(name, move || crew.run(&job).as_nanos() as f64 / STEPS as f64);
    };
    add("heap", Churn::job(Ours::with_capacity(mib(256))));
    add("heap 32 MiB", Churn::job(Ours::with_capacity(mib(32))));
    add("mimalloc", Churn::job(MIMALLOC));
    add("jemalloc", Churn::job(JEMALLOC));
    add("snmalloc", Churn::job(SNMALLOC));
    add("glibc", Churn::job(GLIBC));
    add("floor", Churn::job(Floor::new(ENTRIES / THREADS)));
    let outcome = rounds.run(ROUNDS);

    table::heading("churn", "2 threads replace random entries of one table of 40,000 transactions");
    table::cores(crew.share_of_cores());
    table::outcome(&outcome, "ns a pair and thread");
    let floor = outcome.median("floor");
    for peer in ["jemalloc", "mimalloc", "snmalloc", "glibc"] {
        report.ratio("churn", peer, (outcome.median("heap") - floor) / (outcome.median(peer) - floor));
    }
}

pub(super) struct Churn<C: Shared> {
    members: [Mutex<(C, Rng)>; THREADS],
    table: Box<[AtomicPtr<u8>]>,
    sizes: Sizes,
}

impl<C: Shared> Churn<C> {
    pub(super) fn job(mut contender: C) -> Job {
        let sizes = Sizes::below(MANY_THREADS_BELOW);
        let mut rng = Rng::new(0);
        let table = (0..ENTRIES).map(|_| AtomicPtr::new(fresh(&mut contender, &sizes, &mut rng))).collect();
        let members = [1, 2].map(|seed| Mutex::new((contender.clone(), Rng::new(seed))));
        let churn = Churn { members, table, sizes };
        Arc::new(move |member| churn.round(member))
    }

    fn round(&self, member: usize) {
        let (contender, rng) = &mut *self.members[member].lock().expect("no member panicked");
        for _ in 0..STEPS {
            let block = fresh(contender, &self.sizes, rng);
            // Each side's writes into its block precede the other's free of it.
            let old = self.table[rng.below(ENTRIES)].swap(block, Ordering::AcqRel);
            let (ptr, index) = unpack(old);
            // SAFETY: the swap made this thread the block's only holder.
            unsafe { contender.free(ptr, self.sizes.at(index)) };
        }
    }
}

#[inline]
fn fresh<C: Shared>(contender: &mut C, sizes: &Sizes, rng: &mut Rng) -> *mut u8 {
    let index = sizes.pick_index(rng);
    let ptr = contender.alloc(sizes.at(index)).expect("far below any limit");
    // SAFETY: a live block of that size.
    unsafe { stamp(ptr, sizes.at(index), index as u8) };
    ptr.as_ptr().map_addr(|address| address | index << TAG_SHIFT)
}

#[inline]
fn unpack(entry: *mut u8) -> (NonNull<u8>, usize) {
    let ptr = NonNull::new(entry.map_addr(|address| address & ADDRESS)).expect("entries hold blocks");
    (ptr, entry.addr() >> TAG_SHIFT)
}

impl<C: Shared> Drop for Churn<C> {
    fn drop(&mut self) {
        let (contender, _) = &mut *self.members[0].lock().expect("no member panicked");
        for entry in &mut self.table {
            let (ptr, index) = unpack(*entry.get_mut());
            // SAFETY: live, and stamped with its size's index.
            let whole = unsafe { has_stamp(ptr, self.sizes.at(index), index as u8) };
            assert!(whole || !C::DISTINCT_BLOCKS, "two live blocks overlap");
            // SAFETY: live; the table goes.
            unsafe { contender.free(ptr, self.sizes.at(index)) };
        }
    }
}
