//! Every arena that has the typed methods, for tests that are written once.
//!
//! An arena is added with a macro `name!(bytes, arena => { body })`, which runs the body with `arena` bound to a fresh
//! arena, with a line in [`for_every_arena`], and with its [`Used`]. A handle's macro makes its owner first; a scope's
//! runs the body in the scope's closure.
//!
//! A bump region has exactly `bytes` bytes. The others have twice as many to take, in which each block that lies in no
//! chunk has a node, so they serve about `bytes` in whatever blocks and refuse more than twice as many. Tests of the
//! exact end of memory are [`for_every_exact_arena`]'s.
//!
//! A scope outlives what its closure makes, so what a body puts in refers to nothing of the body's own: see
//! [`Log::leaked`](super::Log::leaked).

use std::mem::MaybeUninit;
use std::ops::Deref;

use sharded_arena::{Arena, BumpRegion, Local, Region, Scope, Scratch};

/// The figures that a refusal must leave alone.
pub(crate) trait Used {
    /// Bytes in blocks: what comes back with the last block.
    fn used(&self) -> usize;

    /// Bytes taken for blocks. A refusal may give back what lies idle.
    fn taken(&self) -> usize {
        self.used()
    }

    /// Greatest number of bytes taken so far.
    fn peak(&self) -> usize {
        self.used()
    }

    fn figures(&self) -> [usize; 3] {
        [self.used(), self.taken(), self.peak()]
    }

    /// Asserts that nothing but refusals has happened since the figures were `before`.
    fn assert_unchanged(&self, before: [usize; 3]) {
        let now = self.figures();
        assert_eq!((now[0], now[2]), (before[0], before[2]), "bytes in blocks, greatest usage");
        assert!(now[1] <= before[1], "a refusal took memory: {now:?} after {before:?}");
    }
}

impl Used for BumpRegion {
    fn used(&self) -> usize {
        self.capacity() - self.remaining()
    }
}

impl Used for Arena {
    fn used(&self) -> usize {
        self.live_bytes()
    }
    fn taken(&self) -> usize {
        self.memory_usage()
    }
    fn peak(&self) -> usize {
        self.peak_memory_usage()
    }
}

/// A handle, and who knows the figures that it does not.
pub(crate) struct Of<H, O> {
    pub(crate) handle: H,
    pub(crate) owner: O,
}

impl<H, O> Deref for Of<H, O> {
    type Target = H;
    fn deref(&self) -> &H {
        &self.handle
    }
}

impl Used for Of<Local<'_>, &Arena> {
    fn used(&self) -> usize {
        self.owner.used()
    }
    fn taken(&self) -> usize {
        self.owner.taken()
    }
    fn peak(&self) -> usize {
        self.owner.peak()
    }
}

macro_rules! used_by_the_only_user_of_a_region {
    ([$($life:tt)*] $handle:ty) => {
        impl<$($life)*> Used for Of<$handle, Region> {
            fn used(&self) -> usize {
                self.handle.live_bytes()
            }
            fn taken(&self) -> usize {
                self.handle.memory_usage()
            }
            fn peak(&self) -> usize {
                self.owner.peak_memory_usage()
            }
        }
    };
}
used_by_the_only_user_of_a_region! { [] Scratch }
used_by_the_only_user_of_a_region! { ['s, E] &Scope<'s, E> }

// ---- the arenas ---------------------------------------------------------------------------------------------------

/// Bytes of a region of which its arena may take less.
const REGION_BYTES: usize = 1 << 19;

/// A region of which `2 × bytes` may be taken.
pub(crate) fn region(bytes: usize) -> Region {
    Region::builder().capacity(REGION_BYTES).limit(2 * bytes).build().expect("memory")
}

/// The same over memory that begins at an address that is a multiple of 16 and of nothing more.
pub(crate) fn region_over_memory(bytes: usize) -> Region {
    let memory = Box::leak(vec![MaybeUninit::uninit(); REGION_BYTES + 64].into_boxed_slice());
    let from = memory.as_ptr().addr().wrapping_neg() % 32 + 16;
    let region = Region::over(&mut memory[from..from + REGION_BYTES]).expect("memory");
    assert_eq!(region.base().addr().get() % 32, 16, "the region begins where its memory does");
    region.set_limit(2 * bytes);
    region
}

/// An arena that may take `2 × bytes` of a region that has more.
pub(crate) fn limited_arena(bytes: usize) -> Arena {
    let region = region(REGION_BYTES / 2);
    Arena::builder().region(&region).limit(2 * bytes).build().expect("an arena")
}

macro_rules! bump_region {
    ($bytes:expr, $arena:ident => $body:block) => {{
        let $arena = sharded_arena::BumpRegion::with_capacity($bytes).expect("memory");
        $body
    }};
}

/// The same over memory that begins at an odd address.
macro_rules! bump_region_over_odd_memory {
    ($bytes:expr, $arena:ident => $body:block) => {{
        let $arena = sharded_arena::BumpRegion::over($crate::support::typed::odd_memory($bytes)).expect("memory");
        $body
    }};
}

macro_rules! arena {
    ($bytes:expr, $arena:ident => $body:block) => {{
        let $arena = $crate::support::typed::limited_arena($bytes);
        $body
    }};
}

macro_rules! arena_over_memory {
    ($bytes:expr, $arena:ident => $body:block) => {{
        let $arena = sharded_arena::Arena::in_region(&$crate::support::typed::region_over_memory($bytes));
        $body
    }};
}

macro_rules! local {
    ($bytes:expr, $arena:ident => $body:block) => {{
        let owner = $crate::support::typed::limited_arena($bytes);
        let $arena = $crate::support::typed::Of { handle: owner.local(), owner: &owner };
        $body
    }};
}

macro_rules! scratch {
    ($bytes:expr, $arena:ident => $body:block) => {{
        let region = $crate::support::typed::region($bytes);
        let $arena = $crate::support::typed::Of { handle: sharded_arena::Scratch::in_region(&region), owner: region };
        $body
    }};
}

macro_rules! scratch_over_memory {
    ($bytes:expr, $arena:ident => $body:block) => {{
        let region = $crate::support::typed::region_over_memory($bytes);
        let $arena = $crate::support::typed::Of { handle: sharded_arena::Scratch::in_region(&region), owner: region };
        $body
    }};
}

/// A scope inside another, which has something already.
macro_rules! scope {
    ($bytes:expr, $arena:ident => $body:block) => {{
        let region = $crate::support::typed::region($bytes);
        sharded_arena::Scratch::in_region(&region).scope(|outer| {
            let kept = outer.alloc(0x5Eu8);
            outer.scope(|inner| {
                let $arena = $crate::support::typed::Of { handle: &*inner, owner: region };
                $body
            });
            assert_eq!(*kept, 0x5E, "what the outer scope has is left alone");
        });
    }};
}

/// Makes the suite's tests for every arena.
macro_rules! for_every_arena {
    ($suite:ident) => {
        for_every_exact_arena! { $suite }
        $suite! { arena }
        $suite! { arena_over_memory }
        $suite! { local }
        $suite! { scratch }
        $suite! { scratch_over_memory }
        $suite! { scope }
    };
}

/// Makes the suite's tests for those that can hand out all they have, to the last byte.
macro_rules! for_every_exact_arena {
    ($suite:ident) => {
        $suite! { bump_region }
        $suite! { bump_region_over_odd_memory }
    };
}

/// As many bytes, from an odd address on; never freed.
pub(crate) fn odd_memory(bytes: usize) -> &'static mut [MaybeUninit<u8>] {
    let memory = Box::leak(vec![MaybeUninit::uninit(); bytes + 1].into_boxed_slice());
    let from = 1 - memory.as_ptr().addr() % 2;
    &mut memory[from..from + bytes]
}

/// An iterator that says it has `says` values and yields those of `values`.
pub(crate) struct Lying<I> {
    pub(crate) says: usize,
    pub(crate) values: I,
}

impl<I: Iterator> Iterator for Lying<I> {
    type Item = I::Item;
    fn next(&mut self) -> Option<I::Item> {
        self.values.next()
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.says, Some(self.says))
    }
}

impl<I: Iterator> ExactSizeIterator for Lying<I> {}
