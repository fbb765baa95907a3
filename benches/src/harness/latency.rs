//! Latencies of single calls: a cheap counter, and a histogram whose classes are a thirty-second of their value wide.

use std::{
    array,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// The processor's counter of time, where it has one that programs may read.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has the instruction.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Nanoseconds of the system's clock.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub fn ticks() -> u64 {
    use std::sync::OnceLock;

    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

const SUB_BITS: u32 = 5;
const SUBS: usize = 1 << SUB_BITS;
const CLASSES: usize = SUBS * 36;

/// How often calls took how many ticks. One thread writes; others may read when it has stopped.
pub struct Histogram([AtomicU32; CLASSES]);

impl Default for Histogram {
    fn default() -> Self {
        Histogram(array::from_fn(|_| AtomicU32::new(0)))
    }
}

impl Histogram {
    #[inline]
    pub fn add(&self, ticks: u64) {
        let class = &self.0[class_of(ticks)];
        // One writer: a load and a store are enough.
        class.store(class.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Adds this one's counts to `sum` and forgets them.
    pub fn drain_into(&self, sum: &mut Counts) {
        for (class, sum) in self.0.iter().zip(&mut sum.0) {
            *sum += u64::from(class.swap(0, Ordering::Relaxed));
        }
    }
}

/// Values below 32 have a class each; above, 32 classes lie between two powers of two. The last takes the rest.
fn class_of(ticks: u64) -> usize {
    if ticks < SUBS as u64 {
        return ticks as usize;
    }
    let shift = ticks.ilog2() - SUB_BITS;
    (((shift as usize + 1) << SUB_BITS) + (ticks >> shift) as usize - SUBS).min(CLASSES - 1)
}

/// The least value of a class.
fn least_of(class: usize) -> u64 {
    match class >> SUB_BITS {
        0 => class as u64,
        octave => ((class % SUBS + SUBS) as u64) << (octave - 1),
    }
}

/// The counts of several histograms together.
#[derive(Clone)]
pub struct Counts(Box<[u64]>);

impl Default for Counts {
    fn default() -> Self {
        Counts(vec![0; CLASSES].into())
    }
}

impl Counts {
    pub fn add(&mut self, other: &Counts) {
        self.0.iter_mut().zip(&other.0).for_each(|(sum, count)| *sum += count);
    }

    /// The value that `share` of all calls do not pass, in ticks.
    pub fn at(&self, share: f64) -> u64 {
        let all: u64 = self.0.iter().sum();
        let rank = ((all as f64 * share).ceil() as u64).clamp(1, all.max(1));
        let mut seen = 0;
        let class = self.0.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        least_of(class.unwrap_or(0))
    }
}

/// What the counter's readings are worth.
#[derive(Clone, Copy)]
pub struct Gauge {
    /// Ticks between two readings with nothing in between.
    own: u64,
    ns_a_tick: f64,
}

impl Gauge {
    pub fn new() -> Gauge {
        let mut gaps = Counts::default();
        let histogram = Histogram::default();
        for _ in 0..100_000 {
            let start = ticks();
            histogram.add(ticks() - start);
        }
        histogram.drain_into(&mut gaps);
        let (start, began) = (Instant::now(), ticks());
        while start.elapsed() < Duration::from_millis(50) {}
        let passed = ticks() - began;
        Gauge { own: gaps.at(0.5), ns_a_tick: start.elapsed().as_nanos() as f64 / passed as f64 }
    }

    /// The time of a call that took so many ticks with its two readings.
    pub fn ns(&self, ticks: u64) -> f64 {
        ticks.saturating_sub(self.own) as f64 * self.ns_a_tick
    }
}

#[cfg(test)]
mod tests {
    use super::{CLASSES, Counts, Histogram, class_of, least_of};

    #[test]
    fn every_class_begins_at_its_least_value() {
        for class in 0..CLASSES - 1 {
            assert_eq!((class_of(least_of(class)), class_of(least_of(class + 1) - 1)), (class, class));
        }
        assert_eq!(class_of(u64::MAX), CLASSES - 1);
    }

    #[test]
    fn shares_of_known_values() {
        let (histogram, mut counts) = (Histogram::default(), Counts::default());
        (0..1000).for_each(|value| histogram.add(if value < 990 { 7 } else { 1 << 20 }));
        histogram.drain_into(&mut counts);
        assert_eq!((counts.at(0.5), counts.at(0.99), counts.at(0.991)), (7, 7, 1 << 20));
    }
}
