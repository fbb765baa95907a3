//! bump-scope: one thread's arena with checkpoints, bumping upwards as it does unless told otherwise.

use std::{alloc::Layout, ptr::NonNull};

use bump_scope::{Bump, BumpBox};

use super::bulk::{Bulk, CopyIn, Object, Place};

pub struct BumpScope(Bump);

impl BumpScope {
    pub fn with_capacity(bytes: usize) -> BumpScope {
        BumpScope(Bump::with_capacity(Layout::array::<u8>(bytes).expect("a capacity far below the address space")))
    }
}

impl Bulk for BumpScope {
    type Handle<'a> = &'a Bump;

    fn handle(&self) -> &Bump {
        &self.0
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

impl Place for &Bump {
    #[inline(always)]
    fn place(&mut self, object: Object) -> NonNull<Object> {
        BumpBox::into_raw(self.alloc(object))
    }
}

impl CopyIn for &Bump {
    #[inline(always)]
    fn copy_in(&mut self, bytes: &[u8]) -> NonNull<u8> {
        BumpBox::into_raw(self.alloc_slice_copy(bytes)).cast()
    }
}
