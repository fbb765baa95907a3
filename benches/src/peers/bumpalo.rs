//! bumpalo, the arena of one thread that ours are judged by; and one `Bump` a thread: bumpalo-herd's, whose handles are
//! taken once, and those that the crate `thread_local` finds at each object.

use std::ptr::NonNull;

use bumpalo::Bump;
use bumpalo_herd::{Herd, Member};
use thread_local::ThreadLocal;

use super::bulk::{Bulk, CopyIn, Object, Place};

/// One chunk that holds everything from the start.
pub struct Bumpalo(Bump);

impl Bumpalo {
    pub fn with_capacity(bytes: usize) -> Bumpalo {
        Bumpalo(Bump::with_capacity(bytes))
    }
}

impl Bulk for Bumpalo {
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
        NonNull::from(self.alloc(object))
    }
}

impl CopyIn for &Bump {
    #[inline(always)]
    fn copy_in(&mut self, bytes: &[u8]) -> NonNull<u8> {
        NonNull::from(self.alloc_slice_copy(bytes)).cast()
    }
}

/// A herd cannot be told a capacity; after two rounds each `Bump` has one chunk that holds a thread's objects.
#[derive(Default)]
pub struct BumpaloHerd(Herd);

impl Bulk for BumpaloHerd {
    type Handle<'a> = Member<'a>;

    fn handle(&self) -> Member<'_> {
        self.0.get()
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

impl Place for Member<'_> {
    #[inline(always)]
    fn place(&mut self, object: Object) -> NonNull<Object> {
        NonNull::from(self.alloc(object))
    }
}

/// What plain calls on `&Arena` are, made by hand.
#[derive(Default)]
pub struct BumpByThread(ThreadLocal<Bump>);

impl Bulk for BumpByThread {
    type Handle<'a> = &'a ThreadLocal<Bump>;

    fn handle(&self) -> &ThreadLocal<Bump> {
        &self.0
    }

    fn reset(&mut self) {
        self.0.iter_mut().for_each(Bump::reset);
    }
}

impl Place for &ThreadLocal<Bump> {
    #[inline(always)]
    fn place(&mut self, object: Object) -> NonNull<Object> {
        NonNull::from(self.get_or_default().alloc(object))
    }
}
