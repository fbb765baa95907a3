//! Scratch stacks that are lent to threads and used again: `Arena::scratch`.
//!
//! Each thread has a chain of slots in a thread-local table, all threads past their end share one. Who tells threads
//! apart (the `thread_local` crate) may give an id to a new thread while the former one's destructors still use its
//! value, so a slot trusts nobody: a flag of its own says whether its stack is lent.
//!
//! - INV-arena.recycle-1: whoever has turned `lent` on has the slot's stack exclusively until it turns it off.
//! - INV-arena.recycle-2: a slot, once on a chain, stays there until the arena goes, or has it exclusively.
//!
//! A guard borrows its slot. Leaked, it leaves the slot lent: that stack's memory stays in use until the arena goes.
#![expect(unsafe_code, reason = "a stack that is lent is used through its slot")]

use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use crate::sync::{Acquire, Arc, AtomicU32, OnceLock, PerThread, Relaxed, Release};
use crate::thread;

use super::inner::Inner;
use super::scratch::Scratch;

/// A stack that is lent, or waits to be lent.
#[derive(Default)]
struct LentStack {
    /// 1 while the stack is lent.
    lent: AtomicU32,
    stack: UnsafeCell<Option<Scratch>>,
    next: OnceLock<Box<LentStack>>,
}

// SAFETY: the stack is used by who has turned `lent` on (INV-arena.recycle-1), and may go from thread to thread.
unsafe impl Sync for LentStack {}

impl LentStack {
    /// Turns `lent` on; `false` if it was.
    fn lend(&self) -> bool {
        // ORDERING(Acquire): what the former borrower did to the stack is seen.
        //   pairs: `give_back`'s Release.  loom: m15_recycled; Relaxed fails it.
        // Failure is Relaxed: the next slot is tried.
        self.lent.compare_exchange(0, 1, Acquire, Relaxed).is_ok()
    }

    fn give_back(&self) {
        // ORDERING(Release): the borrower is done with the stack.
        //   pairs: `lend`'s Acquire.  loom: m15_recycled; Relaxed fails it.
        self.lent.store(0, Release);
    }
}

impl Drop for LentStack {
    /// One after the other: a chain may be as long as a program has leaked guards.
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut slot) = next {
            next = slot.next.take();
        }
    }
}

/// The stacks of one arena.
#[derive(Default)]
pub(super) struct Recycled {
    by_thread: PerThread<Box<LentStack>>,
    late: LentStack,
}

impl Recycled {
    /// Lends the calling thread a stack of the arena of `inner`.
    pub(super) fn lend<'a>(&'a self, inner: &'a Arc<Inner>) -> ScratchGuard<'a> {
        // A thread past its end may not have values of its own any more.
        let own = if thread::own_token().is_some() { self.by_thread.get_or_default() } else { None };
        let mut slot = own.map_or(&self.late, |slot| &**slot);
        while !slot.lend() {
            slot = slot.next.get_or_init(Box::default);
        }
        // SAFETY: this call has turned `lent` on (INV-arena.recycle-1).
        let stack = unsafe { &mut *slot.stack.get() };
        let stack = stack.get_or_insert_with(|| Scratch::on(Arc::clone(inner)));
        ScratchGuard { slot, stack, inner, thread: PhantomData }
    }
}

/// A scratch stack that is lent by an arena; see [`Arena::scratch`](super::Arena::scratch). When it is dropped, all
/// that was allocated is freed, and the thread's next guard is given the same stack with its memory warm.
///
/// ```
/// use sharded_arena::Arena;
/// let arena = Arena::new();
/// for block in 0..3u64 {
///     let mut scratch = arena.scratch();
///     let digits = scratch.scope(|scope| scope.alloc_fmt(format_args!("{block}")).len());
///     assert_eq!(digits, 1);
/// }
/// ```
pub struct ScratchGuard<'a> {
    slot: &'a LentStack,
    stack: &'a mut Scratch,
    inner: &'a Arc<Inner>,
    /// Neither Send nor Sync: the stack is lent to this thread.
    thread: PhantomData<*const ()>,
}

impl fmt::Debug for ScratchGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScratchGuard").field(&self.stack).finish()
    }
}

impl Deref for ScratchGuard<'_> {
    type Target = Scratch;
    fn deref(&self) -> &Scratch {
        self.stack
    }
}

impl DerefMut for ScratchGuard<'_> {
    fn deref_mut(&mut self) -> &mut Scratch {
        self.stack
    }
}

impl Drop for ScratchGuard<'_> {
    fn drop(&mut self) {
        self.stack.reset();
        self.stack.release_idle();
        if !self.stack.is_of(self.inner) {
            // Its user has put another stack in the place of this arena's.
            *self.stack = Scratch::on(Arc::clone(self.inner));
        }
        self.slot.give_back();
    }
}
