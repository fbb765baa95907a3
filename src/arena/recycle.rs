//! Scratch stacks that are lent to threads and used again: `Arena::scratch`.
//!
//! Each thread that has a token has a chain of stacks, all others share one. A slot's next thread has the same chain as
//! the former one, whose destructors may still hold a guard. So a chain relies on no thread: of its first few stacks,
//! flags say whether each is lent, and those beyond change hands under a lock. A call looks at no more than one beyond
//! them, however many are lent.
//!
//! - INV-arena.recycle-1: a stack is used by who has turned its `lent` on, until it turns it off, or who took it out of
//!   `free`, until it puts it back.
//! - INV-arena.recycle-2: a stack, once made, stays where it is until the arena goes, or has it exclusively.
//!
//! A guard borrows its stack. Leaked, it leaves it lent: that stack's memory stays in use until the arena goes.
#![expect(unsafe_code, reason = "a stack that is lent is used through its slot")]

use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

use crate::base::steps::step;
use crate::sync::{Acquire, Arc, AtomicU32, Mutex, Relaxed, Release};
use crate::thread::{self, PerThread};

use super::inner::Inner;
use super::scratch::Scratch;

/// Stacks of a chain that are lent without a lock.
const NEAR: usize = 4;

/// A stack that is lent, or waits to be lent; made when it is first lent.
#[derive(Default)]
struct LentStack {
    /// 1 while a near stack is lent.
    lent: AtomicU32,
    stack: UnsafeCell<Option<Scratch>>,
}

/// The stacks of one thread.
#[derive(Default)]
struct Chain {
    near: [LentStack; NEAR],
    far: Mutex<Far>,
}

/// The stacks beyond the near ones.
#[derive(Default)]
struct Far {
    #[expect(clippy::vec_box, reason = "INV-arena.recycle-2")]
    all: Vec<Box<LentStack>>,
    /// Those of `all` that are not lent.
    free: Vec<NonNull<LentStack>>,
}

// SAFETY: a stack is used by one thread at a time (INV-arena.recycle-1), and may go from thread to thread; the rest is
// atomics and a lock.
unsafe impl Sync for Chain {}
// SAFETY: it owns its stacks, which are Send; `free` points to them.
unsafe impl Send for Chain {}

impl LentStack {
    /// Turns `lent` on; `false` if it was.
    fn lend(&self) -> bool {
        step();
        // ORDERING(Acquire): what the former borrower did to the stack is seen.
        //   pairs: `give_back`'s Release.  loom: m15_recycled; Relaxed fails it.
        // Failure is Relaxed: another stack is lent.
        self.lent.compare_exchange(0, 1, Acquire, Relaxed).is_ok()
    }

    fn give_back(&self) {
        // ORDERING(Release): the borrower is done with the stack.
        //   pairs: `lend`'s Acquire.  loom: m15_recycled; Relaxed fails it.
        self.lent.store(0, Release);
    }
}

impl Chain {
    /// Lends a stack.
    fn lend(&self) -> &LentStack {
        self.near.iter().find(|slot| slot.lend()).unwrap_or_else(|| self.lend_far())
    }

    #[cold]
    fn lend_far(&self) -> &LentStack {
        step();
        let slot = self.far.with(|Far { all, free }| {
            free.pop().unwrap_or_else(|| {
                all.push(Box::default());
                // So that giving one back asks for no memory.
                free.reserve(all.len());
                NonNull::from(&**all.last().unwrap_or_else(|| unreachable!("one was just pushed")))
            })
        });
        // SAFETY: one of `all`, which stands as long as this (INV-arena.recycle-2).
        unsafe { slot.as_ref() }
    }

    /// Takes back `slot`, which this has lent.
    fn give_back(&self, slot: &LentStack) {
        if self.near.as_ptr_range().contains(&core::ptr::from_ref(slot)) {
            slot.give_back();
        } else {
            self.far.with(|far| far.free.push(NonNull::from(slot)));
        }
    }
}

/// The stacks of one arena.
#[derive(Default)]
pub(super) struct Recycled {
    by_thread: PerThread<Chain>,
    /// Of threads without a token: past their end, or beyond those that may have one.
    late: Chain,
}

impl Recycled {
    /// Lends the calling thread a stack of the arena of `inner`.
    pub(super) fn lend<'a>(&'a self, inner: &'a Arc<Inner>) -> ScratchGuard<'a> {
        let chain = thread::own_token().map_or(&self.late, |token| self.by_thread.get_or_default(token));
        let slot = chain.lend();
        // SAFETY: it was lent to this call (INV-arena.recycle-1).
        let stack = unsafe { &mut *slot.stack.get() };
        let stack = NonNull::from(stack.get_or_insert_with(|| Scratch::on(Arc::clone(inner))));
        ScratchGuard { chain, slot, stack, inner, borrow: PhantomData }
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
    chain: &'a Chain,
    slot: &'a LentStack,
    /// No reference: another guard may have the stack while a function that this one was moved into still runs.
    stack: NonNull<Scratch>,
    inner: &'a Arc<Inner>,
    /// Neither Send nor Sync, as the pointer: the stack is lent to this thread.
    borrow: PhantomData<&'a mut Scratch>,
}

impl fmt::Debug for ScratchGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScratchGuard").field(&**self).finish()
    }
}

impl Deref for ScratchGuard<'_> {
    type Target = Scratch;
    fn deref(&self) -> &Scratch {
        // SAFETY: lent to this guard (INV-arena.recycle-1), and borrowed as the guard is.
        unsafe { self.stack.as_ref() }
    }
}

impl DerefMut for ScratchGuard<'_> {
    fn deref_mut(&mut self) -> &mut Scratch {
        // SAFETY: lent to this guard (INV-arena.recycle-1), and borrowed as the guard is.
        unsafe { self.stack.as_mut() }
    }
}

impl Drop for ScratchGuard<'_> {
    fn drop(&mut self) {
        self.reset();
        self.release_idle();
        if !self.is_of(self.inner) {
            // Its user has put another stack in the place of this arena's.
            **self = Scratch::on(Arc::clone(self.inner));
        }
        self.chain.give_back(self.slot);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::Arena;
    use crate::base::steps::steps_of;

    const COUNT: usize = 1_000;
    /// Of a call at most.
    const STEPS: usize = super::NEAR + 1;

    #[test]
    fn many_guards_cost_no_more_each() {
        let arena = Arena::new();
        drop(arena.scratch());
        let mut guards = Vec::new();
        assert!(steps_of(|| guards.extend((0..COUNT).map(|_| arena.scratch()))) <= STEPS * COUNT);
        // Every third is given back, and lent again.
        let mut n = 0;
        guards.retain(|_| {
            n += 1;
            n % 3 != 0
        });
        assert!(steps_of(|| guards.extend((0..COUNT / 3).map(|_| arena.scratch()))) <= STEPS * COUNT / 3);
    }

    #[test]
    fn leaked_guards_make_no_call_longer() {
        let arena = Arena::new();
        drop(arena.scratch());
        assert!(steps_of(|| (0..COUNT).for_each(|_| core::mem::forget(arena.scratch()))) <= STEPS * COUNT);
        assert!(steps_of(|| drop(arena.scratch())) <= STEPS);
    }
}
