//! No allocator at all, on the bump side: the next place in memory that is the thread's own, counted in a register.
//! What a row's loop costs with it is the row's floor.

use std::{
    ptr::NonNull,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::bulk::{Bulk, CopyIn, Object, Place};
use crate::harness::memory::Memory;

pub struct Bare {
    ranges: Box<[Memory]>,
    handed_out: AtomicUsize,
}

impl Bare {
    /// So many bytes for each of so many threads.
    pub fn with_capacity(bytes: usize, threads: usize) -> Bare {
        let ranges = (0..threads).map(|_| Memory::map(bytes).warm()).collect();
        Bare { ranges, handed_out: AtomicUsize::new(0) }
    }
}

impl Bulk for Bare {
    type Handle<'a> = Range;

    fn handle(&self) -> Range {
        // A plain count: it publishes nothing.
        let memory = &self.ranges[self.handed_out.fetch_add(1, Ordering::Relaxed)];
        Range { next: memory.base(), left: memory.bytes() }
    }

    fn reset(&mut self) {
        *self.handed_out.get_mut() = 0;
    }
}

/// One thread's memory.
pub struct Range {
    next: NonNull<u8>,
    left: usize,
}

impl Range {
    #[inline(always)]
    fn take(&mut self, bytes: usize) -> NonNull<u8> {
        self.left = self.left.checked_sub(bytes).expect("room for what the row places");
        let place = self.next;
        // SAFETY: so many bytes were left behind `next`.
        self.next = unsafe { place.add(bytes) };
        place
    }
}

impl Place for Range {
    #[inline(always)]
    fn place(&mut self, object: Object) -> NonNull<Object> {
        let place = self.take(size_of::<Object>()).cast();
        // SAFETY: taken just now; a row places objects or copies bytes, so the place is aligned as the mapping is.
        unsafe { place.write(object) };
        place
    }
}

impl CopyIn for Range {
    #[inline(always)]
    fn copy_in(&mut self, bytes: &[u8]) -> NonNull<u8> {
        let place = self.take(bytes.len());
        // SAFETY: taken just now, as long as `bytes`, and apart from them.
        unsafe { place.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
        place
    }
}
