//! One half of the run: a pool over one backend, filled, emptied and watched by threads, a slice of time at a time.
//!
//! The pool is kept from slice to slice; the threads are new in each, so a slice also shows what ending threads leave.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use super::backend::Backend;
use super::block::Source;
use super::pool::{Counts, Draws, Pool};

/// A block confirms this share of what the index has room for …
const BLOCK_SHARE: usize = 24;
/// … up to as many transactions as a real one has …
const MOST_A_BLOCK: usize = 2500;
/// … and three for every four that were offered, so the pool stays at its limit.
const CONFIRMED: (usize, usize) = (3, 4);
/// Blocks that wait for a confirming thread before those that take transactions in wait too.
const WAITING_BLOCKS: usize = 1;
/// Between two samples of the usage.
const SAMPLE_PAUSE: Duration = Duration::from_micros(500);
/// Between two steps of the progress bar.
const TICK: Duration = Duration::from_millis(50);

/// What the sampler saw.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Samples {
    /// Samples with more usage than the limit.
    pub(crate) violations: u64,
    /// Samples in all, and those from the first refusal on.
    pub(crate) count: u64,
    pub(crate) pressed_count: u64,
    live_sum: u128,
    usage_sum: u128,
}

impl Samples {
    fn take<B: Backend>(&mut self, pool: &Pool<'_, B>) {
        let backend = pool.backend();
        let usage_bytes = backend.usage_bytes();
        self.count += 1;
        self.violations += u64::from(usage_bytes > backend.limit_bytes());
        if pool.is_pressed() {
            self.pressed_count += 1;
            self.usage_sum += usage_bytes as u128;
            self.live_sum += backend.live_bytes() as u128;
        }
    }

    fn mean(&self, sum: u128) -> Option<usize> {
        sum.checked_div(self.pressed_count.into()).and_then(|mean| usize::try_from(mean).ok())
    }

    /// Mean of the live bytes from the first refusal on.
    pub(crate) fn mean_live_bytes(&self) -> Option<usize> {
        self.mean(self.live_sum)
    }

    /// Mean of the usage from the first refusal on.
    pub(crate) fn mean_usage_bytes(&self) -> Option<usize> {
        self.mean(self.usage_sum)
    }
}

/// Where a thread stands in its endless repetition of the block, and what it did.
struct Feeder {
    next: usize,
    repetition: u64,
    step: u64,
    /// Transactions offered since the last block, and those in a block.
    offers: usize,
    block_len: usize,
    draws: Draws,
    counts: Counts,
}

impl Feeder {
    /// Thread `number` of `threads` makes the repetitions `number`, `number + threads`, …, each from its own start.
    fn new(number: usize, threads: usize, sources: usize, block_len: usize) -> Self {
        Self {
            next: number * sources / threads,
            repetition: number as u64,
            step: threads as u64,
            offers: 0,
            block_len,
            draws: Draws::new(number as u64),
            counts: Counts::default(),
        }
    }

    fn run<B: Backend>(&mut self, pool: &Pool<'_, B>, sources: &[Source], stop: &AtomicBool, to: &SyncSender<usize>) {
        while !stop.load(Ordering::Relaxed) {
            let index = u32::try_from(self.next).expect("a block has fewer than 2^32 transactions");
            pool.offer(&sources[self.next], index, self.repetition, &mut self.draws, &mut self.counts);
            self.next += 1;
            if self.next == sources.len() {
                self.next = 0;
                self.repetition += self.step;
            }
            self.offers += 1;
            if self.offers * CONFIRMED.0 >= self.block_len * CONFIRMED.1
                && pool.backend().usage_bytes() > pool.backend().limit_bytes() / 2
            {
                self.offers = 0;
                if to.send(self.block_len).is_err() {
                    return;
                }
            }
        }
    }
}

/// A pool with what its threads keep between slices.
pub(crate) struct Half<'b, B: Backend> {
    pub(crate) pool: Pool<'b, B>,
    feeders: Vec<Feeder>,
    confirmed: u64,
    pub(crate) elapsed: Duration,
    pub(crate) samples: Samples,
}

impl<'b, B: Backend> Half<'b, B> {
    pub(crate) fn new(pool: Pool<'b, B>, threads: usize, sources: &[Source]) -> Self {
        let block_len = (pool.capacity() / BLOCK_SHARE).clamp(1, MOST_A_BLOCK);
        let feeders = (0..threads).map(|number| Feeder::new(number, threads, sources.len(), block_len)).collect();
        Self { pool, feeders, confirmed: 0, elapsed: Duration::ZERO, samples: Samples::default() }
    }

    /// Runs the threads for `duration`, or until `stopped` is set; `tick` is called now and then with the time that has
    /// passed.
    pub(crate) fn run_slice(
        &mut self,
        sources: &[Source],
        duration: Duration,
        stopped: &AtomicBool,
        tick: impl Fn(Duration),
    ) {
        let (stop, watched) = (AtomicBool::new(false), AtomicBool::new(true));
        let start = Instant::now();
        let Self { pool, feeders, samples, confirmed, .. } = self;
        let pool = &*pool;
        thread::scope(|scope| {
            let sampler = scope.spawn(|| watch(pool, &watched, samples));
            let (senders, confirmers): (Vec<_>, Vec<_>) = (0..confirming_threads(feeders.len()))
                .map(|_| {
                    let (sender, receiver) = sync_channel(WAITING_BLOCKS);
                    (sender, scope.spawn(move || confirm(pool, &receiver)))
                })
                .unzip();
            let ingesting: Vec<_> = feeders
                .iter_mut()
                .zip(senders.iter().cycle())
                .map(|(feeder, to)| {
                    let (to, stop) = (to.clone(), &stop);
                    scope.spawn(move || feeder.run(pool, sources, stop, &to))
                })
                .collect();
            drop(senders);
            while start.elapsed() < duration && !stopped.load(Ordering::Relaxed) {
                thread::sleep(TICK.min(duration.saturating_sub(start.elapsed())));
                tick(start.elapsed());
            }
            stop.store(true, Ordering::Relaxed);
            ingesting.into_iter().for_each(joined);
            *confirmed += confirmers.into_iter().map(joined).sum::<u64>();
            self.elapsed += start.elapsed();
            watched.store(false, Ordering::Relaxed);
            joined(sampler);
        });
    }

    /// What all threads did, in all slices.
    pub(crate) fn counts(&self) -> Counts {
        let mut sum = Counts { confirmed: self.confirmed, ..Counts::default() };
        self.feeders.iter().for_each(|feeder| sum.add(&feeder.counts));
        sum
    }
}

/// One confirming thread for every four that take transactions in.
pub(crate) fn confirming_threads(threads: usize) -> usize {
    (threads / 4).max(1)
}

fn confirm<B: Backend>(pool: &Pool<'_, B>, blocks: &Receiver<usize>) -> u64 {
    let mut draws = Draws::new(u64::MAX);
    blocks.iter().map(|count| pool.confirm(count, &mut draws)).sum()
}

fn watch<B: Backend>(pool: &Pool<'_, B>, watched: &AtomicBool, samples: &mut Samples) {
    while watched.load(Ordering::Relaxed) {
        samples.take(pool);
        thread::sleep(SAMPLE_PAUSE);
    }
}

/// Waits for a thread to the end of its destructors, which the scope alone would not; its panic goes on here.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
