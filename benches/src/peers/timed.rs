//! A contender whose calls are timed, one by one.

use std::{
    ptr::NonNull,
    sync::{Arc, Mutex},
};

use super::{Contender, Shared};
use crate::harness::latency::{Counts, Histogram, ticks};

/// The latencies of one handle's calls.
#[derive(Default)]
struct Own {
    alloc: Histogram,
    free: Histogram,
}

/// A contender and the latencies of its calls; each clone writes its own, any of them reads all.
pub struct Timed<C> {
    contender: C,
    own: Arc<Own>,
    all: Arc<Mutex<Vec<Arc<Own>>>>,
}

impl<C> Timed<C> {
    pub fn new(contender: C) -> Self {
        Timed::with(contender, Arc::default())
    }

    fn with(contender: C, all: Arc<Mutex<Vec<Arc<Own>>>>) -> Self {
        let own = Arc::<Own>::default();
        all.lock().expect("no clone panicked").push(own.clone());
        Timed { contender, own, all }
    }

    /// The latencies of `alloc` and of `free` since this was asked last.
    pub fn take(&self) -> [Counts; 2] {
        let (mut alloc, mut free) = (Counts::default(), Counts::default());
        for own in &*self.all.lock().expect("no clone panicked") {
            own.alloc.drain_into(&mut alloc);
            own.free.drain_into(&mut free);
        }
        [alloc, free]
    }
}

impl<C: Clone> Clone for Timed<C> {
    fn clone(&self) -> Self {
        Timed::with(self.contender.clone(), self.all.clone())
    }
}

impl<C: Shared> Contender for Timed<C> {
    type Handle = NonNull<u8>;

    const DISTINCT_BLOCKS: bool = C::DISTINCT_BLOCKS;

    #[inline]
    fn alloc(&mut self, size: usize) -> Option<NonNull<u8>> {
        let start = ticks();
        let block = self.contender.alloc(size);
        self.own.alloc.add(ticks() - start);
        block
    }

    #[inline]
    fn ptr(&self, block: NonNull<u8>) -> NonNull<u8> {
        block
    }

    #[inline]
    unsafe fn free(&mut self, block: NonNull<u8>, size: usize) {
        let start = ticks();
        // SAFETY: the contender's block (the trait's contract).
        unsafe { self.contender.free(block, size) };
        self.own.free.add(ticks() - start);
    }
}
