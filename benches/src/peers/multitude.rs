//! multitude: one thread's arena whose chunks may outlive it. It has no chunk above 64 KiB.

use std::ptr::NonNull;

use multitude::{Alloc, Arena};

use super::bulk::{Bulk, CopyIn, Object, Place};

pub struct Multitude(Arena);

impl Multitude {
    pub fn with_capacity(bytes: usize) -> Multitude {
        Multitude(Arena::builder().with_capacity(bytes).build())
    }
}

impl Bulk for Multitude {
    type Handle<'a> = &'a Arena;

    fn handle(&self) -> &Arena {
        &self.0
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

impl Place for &Arena {
    #[inline(always)]
    fn place(&mut self, object: Object) -> NonNull<Object> {
        NonNull::from(Alloc::leak(self.alloc(object)))
    }
}

impl CopyIn for &Arena {
    #[inline(always)]
    fn copy_in(&mut self, bytes: &[u8]) -> NonNull<u8> {
        NonNull::from(Alloc::leak(self.alloc_slice_copy(bytes))).cast()
    }
}
