//! No allocator at all: what a row's loop costs with it is the row's floor.
//!
//! A request gets the next place in a range of its thread's own, as large as the row's live blocks take, round and
//! round. So the floor pays for two writes into memory that was last touched a table's turn ago, and for nothing that
//! an allocator does.

use std::ptr::NonNull;

use super::Contender;
use crate::harness::memory::Memory;

/// From one place to the next: about the mean size.
const STRIDE: usize = 560;
/// Longer than any request: room behind the last place.
const MARGIN: usize = 256 * 1024;

pub struct Floor {
    memory: Memory,
    next: usize,
}

impl Floor {
    /// For a thread with so many live blocks.
    pub fn new(live: usize) -> Floor {
        Floor { memory: Memory::map(live * STRIDE + MARGIN).warm(), next: 0 }
    }
}

/// A clone has a range of its own: threads of the floor share nothing but what the row itself shares.
impl Clone for Floor {
    fn clone(&self) -> Floor {
        Floor { memory: Memory::map(self.memory.bytes()).warm(), next: 0 }
    }
}

impl Contender for Floor {
    type Handle = NonNull<u8>;

    const DISTINCT_BLOCKS: bool = false;

    #[inline]
    fn alloc(&mut self, _size: usize) -> Option<NonNull<u8>> {
        // SAFETY: `next` is below the mapping's length less the margin.
        let place = unsafe { self.memory.base().add(self.next) };
        self.next += STRIDE;
        if self.next + MARGIN >= self.memory.bytes() {
            self.next = 0;
        }
        Some(place)
    }

    #[inline]
    fn ptr(&self, block: NonNull<u8>) -> NonNull<u8> {
        block
    }

    #[inline]
    unsafe fn free(&mut self, _block: NonNull<u8>, _size: usize) {}
}
