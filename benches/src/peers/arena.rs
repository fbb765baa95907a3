//! Our `Arena`, through `local()` and through plain calls on a shared borrow; and `BumpRegion`, its fixed sibling.

use std::ptr::NonNull;

use sharded_arena::{Arena, BumpRegion, Local};

use super::bulk::{Bulk, CopyIn, Object, Place};

fn with_capacity(bytes: usize) -> Arena {
    Arena::with_capacity(bytes).expect("the machine has address space for a benchmark")
}

/// Each thread through a handle of its own.
pub struct ViaLocal(Arena);

impl ViaLocal {
    pub fn with_capacity(bytes: usize) -> ViaLocal {
        ViaLocal(with_capacity(bytes))
    }
}

impl Bulk for ViaLocal {
    type Handle<'a> = Local<'a>;

    fn handle(&self) -> Local<'_> {
        self.0.local()
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

impl Place for Local<'_> {
    #[inline(always)]
    fn place(&mut self, object: Object) -> NonNull<Object> {
        NonNull::from(self.alloc(object))
    }
}

impl CopyIn for Local<'_> {
    #[inline(always)]
    fn copy_in(&mut self, bytes: &[u8]) -> NonNull<u8> {
        NonNull::from(self.alloc_slice_copy(bytes)).cast()
    }
}

/// All threads through one borrow.
pub struct ViaArena(Arena);

impl ViaArena {
    pub fn with_capacity(bytes: usize) -> ViaArena {
        ViaArena(with_capacity(bytes))
    }
}

impl Bulk for ViaArena {
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
        NonNull::from(self.alloc(object))
    }
}

impl CopyIn for &Arena {
    #[inline(always)]
    fn copy_in(&mut self, bytes: &[u8]) -> NonNull<u8> {
        NonNull::from(self.alloc_slice_copy(bytes)).cast()
    }
}

/// One word that all threads exchange, over memory of fixed size.
pub struct Fixed(BumpRegion);

impl Fixed {
    pub fn with_capacity(bytes: usize) -> Fixed {
        Fixed(BumpRegion::with_capacity(bytes).expect("the machine has address space for a benchmark"))
    }
}

impl Bulk for Fixed {
    type Handle<'a> = &'a BumpRegion;

    fn handle(&self) -> &BumpRegion {
        &self.0
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

impl Place for &BumpRegion {
    #[inline(always)]
    fn place(&mut self, object: Object) -> NonNull<Object> {
        NonNull::from(self.alloc(object))
    }
}

impl CopyIn for &BumpRegion {
    #[inline(always)]
    fn copy_in(&mut self, bytes: &[u8]) -> NonNull<u8> {
        NonNull::from(self.alloc_slice_copy(bytes)).cast()
    }
}
