//! No allocator at all: every request gets the same warm block. What a row's loop costs with it is the row's floor.

use std::ptr::NonNull;

use super::Contender;

/// Longer than any request.
const BYTES: usize = 256 * 1024;

pub struct Floor(Box<[u8]>);

impl Floor {
    pub fn new() -> Floor {
        Floor(vec![1; BYTES].into())
    }
}

/// A clone has a block of its own: threads of the floor share nothing but what the row itself shares.
impl Clone for Floor {
    fn clone(&self) -> Floor {
        Floor::new()
    }
}

impl Contender for Floor {
    type Handle = NonNull<u8>;

    const DISTINCT_BLOCKS: bool = false;

    #[inline]
    fn alloc(&mut self, _size: usize) -> Option<NonNull<u8>> {
        Some(NonNull::from(&mut *self.0).cast())
    }

    #[inline]
    fn ptr(&self, block: NonNull<u8>) -> NonNull<u8> {
        block
    }

    #[inline]
    unsafe fn free(&mut self, _block: NonNull<u8>, _size: usize) {}
}
