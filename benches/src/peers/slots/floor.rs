//! No table at all: what a row's loop costs with it is the row's floor.
//!
//! A value goes to the next place in a ring as large as what the row keeps alive, and nothing is taken back.

use std::{
    array::from_fn,
    iter,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use super::{Slots, Value, stamp_of};

/// Relaxed loads and stores are plain ones; only one thread inserts.
pub struct Floor {
    ring: Box<[Place]>,
    next: AtomicUsize,
}

#[repr(align(64))]
struct Place([AtomicU64; 8]);

impl Floor {
    pub fn new(live: usize) -> Floor {
        let place = || Place(from_fn(|_| AtomicU64::new(0)));
        Floor { ring: iter::repeat_with(place).take(live).collect(), next: AtomicUsize::new(0) }
    }
}

impl Slots for Floor {
    type Key = usize;

    const KEEPS: bool = false;

    #[inline(always)]
    fn insert(&self, value: Value) -> usize {
        let place = self.next.load(Relaxed);
        self.next.store(if place + 1 == self.ring.len() { 0 } else { place + 1 }, Relaxed);
        for (word, value) in self.ring[place].0.iter().zip(value) {
            word.store(value, Relaxed);
        }
        place
    }

    #[inline(always)]
    fn stamp(&self, key: usize) -> Option<u64> {
        let Place(words) = self.ring.get(key)?;
        Some(stamp_of(&from_fn(|i| words[i].load(Relaxed))))
    }

    #[inline(always)]
    fn remove(&self, _key: usize) -> bool {
        true
    }

    #[inline(always)]
    fn take(&self, key: usize) -> Option<u64> {
        self.stamp(key)
    }
}
