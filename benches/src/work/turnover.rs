//! Turnover: a table of live keys; each step inserts a value, reads a random live one and removes a random one.
//! One thread.

use std::{hint::black_box, mem};

use crate::{
    harness::{clock::time, rng::Rng},
    peers::slots::{Slots, stamped},
};

pub struct Turnover<S: Slots> {
    slots: S,
    /// Each of a value that is stamped with its place here.
    keys: Vec<S::Key>,
    rng: Rng,
}

impl<S: Slots> Turnover<S> {
    /// A table of `live` values. Every contender draws the same places from here on.
    pub fn new(slots: S, live: usize) -> Turnover<S> {
        let keys = (0..live as u64).map(|place| slots.insert(stamped(place))).collect();
        Turnover { slots, keys, rng: Rng::new(live as u64) }
    }

    /// Does `steps` steps; nanoseconds a step.
    pub fn round(&mut self, steps: usize) -> f64 {
        let work = || {
            black_box((0..steps).map(|_| self.step()).sum::<u64>());
        };
        let spent = time(work);
        self.check();
        spent.as_nanos() as f64 / steps as f64
    }

    #[inline(always)]
    fn step(&mut self) -> u64 {
        let place = self.rng.below(self.keys.len());
        let new = self.slots.insert(stamped(place as u64));
        let read = self.slots.stamp(self.keys[self.rng.below(self.keys.len())]).expect("its key is live");
        let old = mem::replace(&mut self.keys[place], new);
        assert!(self.slots.remove(old), "its key was live");
        read
    }

    /// Looks whether each value is its own.
    fn check(&self) {
        for (place, &key) in self.keys.iter().enumerate() {
            assert!(self.slots.stamp(key) == Some(place as u64) || !S::KEEPS, "two live values share a slot");
        }
    }
}
