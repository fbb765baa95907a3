//! The offset-allocator crate: good fit by two-level bins, out of band, as used for graphics memory.

use std::ptr::NonNull;

use offset_allocator::{Allocation, Allocator};

use super::Contender;
use crate::harness::memory::Memory;

/// Its unit here is the granule the others use.
const GRANULE: usize = 16;
/// Nodes; more than any row has extents.
const NODES: u32 = 1 << 20;

pub struct OffsetFit {
    index: Allocator<u32>,
    memory: Memory,
}

impl OffsetFit {
    pub fn over(memory: Memory) -> OffsetFit {
        OffsetFit { index: Allocator::with_max_allocs((memory.bytes() / GRANULE) as u32, NODES), memory }
    }
}

impl Contender for OffsetFit {
    type Handle = Allocation<u32>;

    #[inline]
    fn alloc(&mut self, size: usize) -> Option<Allocation<u32>> {
        self.index.allocate(size.div_ceil(GRANULE) as u32)
    }

    #[inline]
    fn ptr(&self, block: Allocation<u32>) -> NonNull<u8> {
        // SAFETY: the index hands out offsets below the memory's length.
        unsafe { self.memory.base().add(block.offset as usize * GRANULE) }
    }

    #[inline]
    unsafe fn free(&mut self, block: Allocation<u32>, _size: usize) {
        self.index.free(block);
    }
}
