//! The rlsf crate: TLSF (good fit) with its headers inside the memory it manages.

use std::ptr::NonNull;

use rlsf::Tlsf;

use super::{Contender, global::bytes};
use crate::harness::memory::Memory;

/// 22 first-level classes reach 128 MiB; 32 second-level ones are the finest the crate offers.
type Index = Tlsf<'static, u32, u32, 22, 32>;

pub struct Rlsf {
    index: Index,
    _memory: Memory,
}

impl Rlsf {
    pub fn over(memory: Memory) -> Rlsf {
        let mut index = Index::new();
        let block = NonNull::slice_from_raw_parts(memory.base(), memory.bytes());
        // SAFETY: the memory is the index's alone and lives beside it.
        unsafe { index.insert_free_block_ptr(block) }.expect("the memory holds a header");
        Rlsf { index, _memory: memory }
    }
}

impl Contender for Rlsf {
    type Handle = NonNull<u8>;

    #[inline]
    fn alloc(&mut self, size: usize) -> Option<NonNull<u8>> {
        self.index.allocate(bytes(size))
    }

    #[inline]
    fn ptr(&self, block: NonNull<u8>) -> NonNull<u8> {
        block
    }

    #[inline]
    unsafe fn free(&mut self, block: NonNull<u8>, size: usize) {
        // SAFETY: allocated by this index with this alignment (the trait's contract).
        unsafe { self.index.deallocate(block, bytes(size).align()) };
    }
}
