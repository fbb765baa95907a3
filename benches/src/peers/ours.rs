//! Our `Heap`: plain calls on a handle, as most programs make them, and `local()`'s.

use std::ptr::NonNull;

use sharded_arena::{Heap, LocalHeap, Region};

use super::{Contender, global::bytes};

/// A handle to a heap; clones are the same heap.
#[derive(Clone)]
pub struct Ours(Heap);

impl Ours {
    /// A heap as `Heap::with_capacity` makes it: huge pages are asked for from 4 MiB on.
    pub fn with_capacity(bytes: usize) -> Ours {
        Ours(Heap::with_capacity(bytes).expect("the machine has address space for a benchmark"))
    }

    /// A heap whose resident memory is exact to the small page.
    pub fn with_small_pages(bytes: usize) -> Ours {
        let region = Region::builder().capacity(bytes).huge_pages(false).build();
        Ours(Heap::in_region(&region.expect("the machine has address space for a benchmark")))
    }

    pub fn heap(&self) -> &Heap {
        &self.0
    }
}

impl Contender for Ours {
    type Handle = NonNull<u8>;

    #[inline]
    fn alloc(&mut self, size: usize) -> Option<NonNull<u8>> {
        self.0.alloc(bytes(size)).ok().map(NonNull::cast)
    }

    #[inline]
    fn ptr(&self, block: NonNull<u8>) -> NonNull<u8> {
        block
    }

    #[inline]
    unsafe fn free(&mut self, block: NonNull<u8>, size: usize) {
        // SAFETY: allocated by this heap with this layout (the trait's contract).
        unsafe { self.0.free(block, bytes(size)) };
    }
}

/// One thread's handle, which skips the look-up of the thread's shard.
pub struct OursLocal<'a>(LocalHeap<'a>);

impl<'a> OursLocal<'a> {
    pub fn of(heap: &'a Ours) -> OursLocal<'a> {
        OursLocal(heap.0.local())
    }
}

impl Contender for OursLocal<'_> {
    type Handle = NonNull<u8>;

    #[inline]
    fn alloc(&mut self, size: usize) -> Option<NonNull<u8>> {
        self.0.alloc(bytes(size)).ok().map(NonNull::cast)
    }

    #[inline]
    fn ptr(&self, block: NonNull<u8>) -> NonNull<u8> {
        block
    }

    #[inline]
    unsafe fn free(&mut self, block: NonNull<u8>, size: usize) {
        // SAFETY: allocated by this heap with this layout (the trait's contract).
        unsafe { self.0.free(block, bytes(size)) };
    }
}
