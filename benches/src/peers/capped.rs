//! An allocator without a limit, refused by the harness when its live bytes would pass one.

use std::{
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{Contender, Shared};

#[derive(Clone)]
pub struct Capped<C> {
    contender: C,
    live: Arc<AtomicUsize>,
    limit: usize,
}

impl<C> Capped<C> {
    pub fn new(contender: C, limit: usize) -> Self {
        Capped { contender, live: Arc::default(), limit }
    }
}

impl<C: Shared> Contender for Capped<C> {
    type Handle = NonNull<u8>;

    fn alloc(&mut self, size: usize) -> Option<NonNull<u8>> {
        // A plain count: it publishes nothing.
        if self.live.fetch_add(size, Ordering::Relaxed) + size > self.limit {
            self.live.fetch_sub(size, Ordering::Relaxed);
            return None;
        }
        self.contender.alloc(size)
    }

    fn ptr(&self, block: NonNull<u8>) -> NonNull<u8> {
        block
    }

    unsafe fn free(&mut self, block: NonNull<u8>, size: usize) {
        self.live.fetch_sub(size, Ordering::Relaxed);
        // SAFETY: this contender's block (the trait's contract).
        unsafe { self.contender.free(block, size) };
    }
}
