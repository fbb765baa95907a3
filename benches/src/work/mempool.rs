//! The pool of the example `mempool`, from the example's own source: what users copy is what is measured.
#![deny(unsafe_code)]
#![allow(dead_code, reason = "the example uses more of it than the rows do")]

use std::{sync::atomic::AtomicBool, time::Duration};

#[path = "../../../examples/mempool/backend.rs"]
pub mod backend;
#[path = "../../../examples/mempool/block.rs"]
pub mod block;
#[path = "../../../examples/mempool/by_fee.rs"]
mod by_fee;
#[path = "../../../examples/mempool/by_id.rs"]
mod by_id;
#[path = "../../../examples/mempool/system.rs"]
pub mod counted;
#[path = "../../../examples/mempool/half.rs"]
mod half;
#[path = "../../../examples/mempool/heap.rs"]
mod heap;
#[path = "../../../examples/mempool/lengths.rs"]
mod lengths;
#[path = "../../../examples/mempool/pool.rs"]
mod pool;
#[path = "../../../examples/mempool/record.rs"]
mod record;
#[path = "../../../examples/mempool/slab.rs"]
mod slab;
#[path = "../../../examples/mempool/stripe.rs"]
mod stripe;

use backend::Backend;
use block::Source;
use half::Half;
use lengths::Lengths;
use pool::Pool;

/// Of the mainnet block, transactions below this are small.
const SMALL_BELOW: usize = 300;
const FILL: Duration = Duration::from_millis(20);

/// The transactions of mainnet block 702861.
pub fn mainnet() -> Vec<Source> {
    block::mainnet().expect("the block is whole")
}

/// The small ones of them: the mean is 228 bytes.
pub fn small() -> Vec<Source> {
    mainnet().into_iter().filter(|source| source.bytes.len() < SMALL_BELOW).collect()
}

/// A pool at its limit with its threads.
pub struct Running<'b, B: Backend> {
    half: Half<'b, B>,
    sources: &'b [Source],
}

impl<'b, B: Backend> Running<'b, B> {
    /// A pool over `backend`, filled by `threads` threads until memory was refused.
    pub fn at_limit(backend: &'b B, threads: usize, sources: &'b [Source]) -> Self {
        let lengths = Lengths::of(sources, backend.limit_bytes()).expect("transactions fit");
        let pool = Pool::new(backend, lengths).expect("the index fits");
        let mut running = Running { half: Half::new(pool, threads, sources), sources };
        while !running.half.pool.is_pressed() {
            running.run(FILL);
        }
        running
    }

    /// Runs the threads for a while; the admitted transactions a second of that while.
    pub fn run(&mut self, duration: Duration) -> f64 {
        let admitted_before = self.half.counts().admitted;
        let elapsed_before = self.half.elapsed.as_secs_f64();
        self.half.run_slice(self.sources, duration, &AtomicBool::new(false), |_| ());
        assert_eq!(self.half.samples.violations, 0, "usage above the limit");
        let admitted = self.half.counts().admitted - admitted_before;
        admitted as f64 / (self.half.elapsed.as_secs_f64() - elapsed_before)
    }

    /// Bytes of the blocks that the pool holds, its index among them.
    pub fn live_bytes(&self) -> usize {
        self.half.pool.backend().live_bytes()
    }
}
