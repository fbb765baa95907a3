//! Our `BestFitArena`: exact best fit, out of band.

use std::ptr::NonNull;

use sharded_arena::BestFitArena;

use super::Contender;
use crate::harness::memory::Memory;

pub struct BestFit {
    arena: BestFitArena<'static>,
    _memory: Memory,
}

impl BestFit {
    pub fn over(memory: Memory) -> BestFit {
        // SAFETY: the memory lives beside the arena and is used through it alone.
        let arena = unsafe { BestFitArena::new(memory.base().as_ptr(), memory.bytes(), 16) };
        BestFit { arena: arena.expect("the memory is mapped and aligned"), _memory: memory }
    }
}

impl Contender for BestFit {
    type Handle = NonNull<u8>;

    #[inline]
    fn alloc(&mut self, size: usize) -> Option<NonNull<u8>> {
        self.arena.alloc(size)
    }

    #[inline]
    fn ptr(&self, block: NonNull<u8>) -> NonNull<u8> {
        block
    }

    #[inline]
    unsafe fn free(&mut self, block: NonNull<u8>, _size: usize) {
        self.arena.free(block.as_ptr()).expect("a block in use");
    }
}
