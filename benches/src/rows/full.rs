//! `full`, `full-scale`, `full-dense`: the steady state at the limit. Each thread inserts transactions below 8 KB and
//! evicts its own at random until the next one fits.
//!
//! `full` compares the time of an insert with that of the same work below the limit: a heap of twice the size, and
//! evictions by the harness's own count until as much is live as the heap at its limit held. Judged with one thread,
//! at the worst of the three sizes. `full-scale` is the inserts a second of two threads at the limit by those of one,
//! round by round in turn. `full-dense` is the live bytes by the limit, as the mean over all inserts of a round, after
//! two turns of the contents below the limit and two at it; each round is about one turn more. (Density goes on falling
//! a little with age, as it does in best fit itself: `full-aged`.)

use std::{
    cell::RefCell,
    sync::{Arc, Mutex},
    thread,
};

use super::{Row, once};
use crate::{
    harness::{
        crew::{Crew, Job, cores_for},
        mib,
        report::Report,
        rng::Rng,
        rounds::{Outcome, ROUNDS, Rounds},
        sizes::{AT_LIMIT_BELOW, Sizes},
        stats::Summary,
        table,
    },
    peers::{Block, Shared, ours::Ours, stamp},
};

const SIZES_MIB: [usize; 3] = [8, 32, 256];
/// Inserts a round: one thread turns the contents over once, and inserts this many at least; several together insert
/// this many.
const INSERTS_AT_LEAST: usize = 50_000;
const INSERTS_TOGETHER: usize = 100_000;

pub(super) fn rows() -> Vec<Row> {
    let alone = once(|| SIZES_MIB.map(|size| measure(size, 1)));
    let time = alone.clone();
    vec![
        Row::new("full", move |report| full(report, &time())),
        Row::new("full-scale", scale),
        Row::new("full-dense", move |report| dense(report, &alone())),
    ]
}

/// What one limit and number of threads came to.
#[derive(Clone)]
struct Figures {
    mib: usize,
    times: Outcome,
    /// Live bytes / limit.
    density: Summary,
    share_of_cores: f64,
}

impl Figures {
    fn ratio(&self) -> f64 {
        self.times.median("at the limit") / self.times.median("below")
    }

    fn tell(&self, threads: usize) {
        table::heading(
            "full",
            &format!("{} MiB, {threads} thread(s): insert, evict at random until it fits", self.mib),
        );
        table::outcome(&self.times, "ns an insert");
        table::remark("ratio", &format!("{:>10.2}", self.ratio()));
        table::figure("live / limit", self.density, "");
        if threads > 1 {
            table::cores(self.share_of_cores);
        }
    }
}

fn full(report: &mut Report, alone: &[Figures]) {
    for figures in alone {
        figures.tell(1);
    }
    for threads in [2, 8] {
        for size in SIZES_MIB {
            measure(size, threads).tell(threads);
        }
    }
    let worst = alone.iter().max_by(|a, b| a.ratio().total_cmp(&b.ratio())).expect("three of them");
    report.worst_ratio("full", &format!("{}MiB, the worst", worst.mib), "self", worst.ratio());
}

fn scale(report: &mut Report) {
    for size in SIZES_MIB {
        let teams = [1, 2].map(|threads| {
            let crew = Crew::of(threads);
            let team = Team::at_limit(&Ours::with_capacity(mib(size)), size, &crew, threads);
            (crew, team)
        });
        let mut rounds = Rounds::default();
        for (name, (crew, team)) in ["one thread", "two threads"].into_iter().zip(&teams) {
            let threads = team.0.len();
            let inserts = INSERTS_TOGETHER / threads;
            let job = team.job(inserts);
            rounds.add(name, move || (inserts * threads) as f64 * 1000.0 / crew.run(&job).as_nanos() as f64);
        }
        let outcome = rounds.run(ROUNDS);
        let ratio = outcome.median("two threads") / outcome.median("one thread");
        table::heading("full-scale", &format!("{size} MiB: inserts a second at the limit"));
        table::outcome(&outcome, "M inserts/s");
        table::cores(teams[1].0.share_of_cores());
        report.ratio_at("full-scale", &format!("{size}MiB"), "self", ratio);
    }
}

fn dense(report: &mut Report, alone: &[Figures]) {
    table::heading("full-dense", "live bytes / limit at the limit, one thread, mean over all inserts");
    for Figures { mib, density, .. } in alone {
        table::figure(&format!("{mib} MiB"), *density, "");
        if *mib > 8 {
            report.ratio_at("full-dense", &format!("{mib}MiB"), "limit", density.median);
        }
    }
}

fn measure(size: usize, threads: usize) -> Figures {
    let crew = Crew::of(threads);
    let sizes = Sizes::below(AT_LIMIT_BELOW);
    let turn = mib(size) / sizes.mean();

    let at_limit = Team::at_limit(&Ours::with_capacity(mib(size)), size, &crew, threads);
    let below = Team::new(&Ours::with_capacity(2 * mib(size)), threads);
    below.set_budget(at_limit.live_bytes() / threads);
    crew.run(&below.job(2 * turn / threads));

    // Time of one core: threads beyond the cores wait for each other.
    let cores = cores_for(threads);
    let inserts = if threads == 1 { INSERTS_AT_LEAST.max(turn) } else { INSERTS_TOGETHER / threads };
    let time = |job: &Job| (crew.run(job).as_nanos() as usize * cores) as f64 / (inserts * threads) as f64;
    let densities = RefCell::new(Vec::new());
    let (job, job_below) = (at_limit.job(inserts), below.job(inserts));
    let mut rounds = Rounds::default();
    rounds.add("at the limit", || {
        let time = time(&job);
        densities.borrow_mut().push(at_limit.mean_live_bytes() / mib(size) as f64);
        time
    });
    rounds.add("below", || time(&job_below));
    let times = rounds.run(ROUNDS);
    // The first is the warm-up's.
    let density = Summary::of(&densities.borrow()[1..]);
    Figures { mib: size, times, density, share_of_cores: crew.share_of_cores() }
}

/// The threads that share one heap.
pub(super) struct Team<C>(Arc<[Mutex<Member<C>>]>);

impl<C: Shared> Team<C> {
    /// The team of `crew`, at the limit of `heap` since two turns of its contents.
    pub(super) fn at_limit(heap: &C, size: usize, crew: &Crew, threads: usize) -> Self {
        let team = Team::new(heap, threads);
        let warm_inserts = 2 * mib(size) / Sizes::below(AT_LIMIT_BELOW).mean() / threads;
        // Equal parts first, below the limit, so that no thread starts with everything and none with nothing.
        team.set_budget(mib(size) * 4 / 5 / threads);
        crew.run(&team.job(warm_inserts));
        team.set_budget(usize::MAX);
        crew.run(&team.job(warm_inserts));
        team
    }

    fn new(heap: &C, threads: usize) -> Self {
        Team((0..threads).map(|member| Mutex::new(Member::new(heap.clone(), member))).collect())
    }

    /// What each thread may hold live from here on.
    fn set_budget(&self, bytes: usize) {
        for member in &*self.0 {
            member.lock().expect("no member panicked").budget = bytes;
        }
    }

    pub(super) fn job(&self, inserts: usize) -> Job {
        let members = self.0.clone();
        Arc::new(move |member| members[member].lock().expect("no member panicked").round(inserts))
    }

    fn live_bytes(&self) -> usize {
        self.0.iter().map(|member| member.lock().expect("no member panicked").live_bytes).sum()
    }

    fn mean_live_bytes(&self) -> f64 {
        self.0.iter().map(|member| member.lock().expect("no member panicked").mean_live_bytes).sum()
    }
}

/// One thread's part: its blocks, and how many bytes of them it may hold (without end for one that the heap limits).
struct Member<C> {
    heap: C,
    blocks: Vec<Block>,
    live_bytes: usize,
    budget: usize,
    mean_live_bytes: f64,
    sizes: Sizes,
    rng: Rng,
}

impl<C: Shared> Member<C> {
    fn new(heap: C, member: usize) -> Self {
        let sizes = Sizes::below(AT_LIMIT_BELOW);
        let rng = Rng::new(member as u64);
        Member { heap, blocks: Vec::new(), live_bytes: 0, budget: 0, mean_live_bytes: 0.0, sizes, rng }
    }

    fn round(&mut self, inserts: usize) {
        let mut sum = 0;
        for _ in 0..inserts {
            self.insert();
            sum += self.live_bytes as u64;
        }
        self.mean_live_bytes = sum as f64 / inserts as f64;
    }

    fn insert(&mut self) {
        let size = self.sizes.pick(&mut self.rng);
        while self.live_bytes + size > self.budget && self.evict() {}
        loop {
            if let Some(ptr) = self.heap.alloc(size) {
                // SAFETY: a live block of that size.
                unsafe { stamp(ptr, size, 1) };
                self.blocks.push(Block { ptr, size: size as u32 });
                self.live_bytes += size;
                return;
            }
            if !self.evict() {
                // The other threads hold everything; this insert is left out.
                thread::yield_now();
                return;
            }
        }
    }

    /// Frees a random block; whether there was one.
    fn evict(&mut self) -> bool {
        if self.blocks.is_empty() {
            return false;
        }
        let block = self.blocks.swap_remove(self.rng.below(self.blocks.len()));
        self.live_bytes -= block.size as usize;
        // SAFETY: live, and out of the table.
        unsafe { self.heap.free(block.ptr, block.size as usize) };
        true
    }
}
