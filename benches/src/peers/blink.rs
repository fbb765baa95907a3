//! blink-alloc: `Blink` over its arena of one thread, and over `SyncBlinkAlloc`, its arena that all threads share.

use std::ptr::NonNull;

use blink_alloc::{Blink, BlinkAlloc, BlinkAllocator, SyncBlinkAlloc};

use super::bulk::{Bulk, CopyIn, Object, Place};

pub struct LocalBlink(Blink<BlinkAlloc>);

impl LocalBlink {
    pub fn with_capacity(bytes: usize) -> LocalBlink {
        LocalBlink(Blink::with_chunk_size(bytes))
    }
}

impl Bulk for LocalBlink {
    type Handle<'a> = &'a Blink<BlinkAlloc>;

    fn handle(&self) -> &Blink<BlinkAlloc> {
        &self.0
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

impl<A: BlinkAllocator> Place for &Blink<A> {
    #[inline(always)]
    fn place(&mut self, object: Object) -> NonNull<Object> {
        NonNull::from(self.put(object))
    }
}

impl<A: BlinkAllocator> CopyIn for &Blink<A> {
    #[inline(always)]
    fn copy_in(&mut self, bytes: &[u8]) -> NonNull<u8> {
        NonNull::from(self.copy_slice(bytes)).cast()
    }
}

pub struct SyncBlink(SyncBlinkAlloc);

impl SyncBlink {
    #[expect(clippy::default_trait_access, reason = "the allocator of chunks has its name in a crate not used here")]
    pub fn with_capacity(bytes: usize) -> SyncBlink {
        SyncBlink(SyncBlinkAlloc::with_chunk_size_in(bytes, Default::default()))
    }
}

impl Bulk for SyncBlink {
    type Handle<'a> = Blink<&'a SyncBlinkAlloc>;

    fn handle(&self) -> Blink<&SyncBlinkAlloc> {
        Blink::new_in(&self.0)
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

impl Place for Blink<&SyncBlinkAlloc> {
    #[inline(always)]
    fn place(&mut self, object: Object) -> NonNull<Object> {
        NonNull::from(self.put(object))
    }
}
