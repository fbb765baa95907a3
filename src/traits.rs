//! What code can be generic over: any arena ([`Bump`]), any reader of interned strings ([`Resolve`]), anything that
//! reports its memory ([`MemoryUsage`]).
//!
//! Each trait says no more than the inherent methods of the same names, which no import is needed for. All are sealed:
//! only types of the crate implement them, so that methods may be added.

use core::fmt::Debug;

use crate::alloc::Raw;
use crate::alloc::methods::typed_methods;
use crate::alloc::slice_methods::slice_methods;
use crate::{
    Arena, BlockArena, BumpRegion, FrozenInterner, Heap, Interner, InternerIter, Local, Pool, Region, Scope, Scratch,
    Symbol,
};

mod sealed {
    pub trait Sealed {}
}

/// A reference to an arena whose results live for `'r`: the typed methods of all arenas, for code that is generic over
/// them. Sealed.
///
/// `&'r Arena`, `&'r Scratch` and `&'r BumpRegion` hand out results that live as long as the reference, `&Local<'r>`
/// and `&Scope<'r>` such that live as long as the arena's borrow or the scope.
///
/// ```
/// use sharded_arena::{Arena, Bump, Scratch};
///
/// fn squares<'r>(arena: impl Bump<'r>, count: u32) -> &'r mut [u32] {
///     arena.alloc_from_iter((0..count).map(|n| n * n))
/// }
///
/// let arena = Arena::new();
/// assert_eq!(squares(&arena, 3), [0, 1, 4]);
/// assert_eq!(squares(&arena.local(), 3), [0, 1, 4]);
/// assert_eq!(Scratch::new().scope(|scope| squares(&*scope, 5).len()), 5);
/// ```
#[expect(private_bounds, reason = "seals it")]
#[allow(clippy::mut_from_ref, reason = "every call hands out memory of its own")]
#[allow(clippy::must_use_candidate, reason = "a value may be put in for its address to stand, or for a test")]
pub trait Bump<'r>: Raw<'r> {
    typed_methods! { @each for 'r }
    slice_methods! { for 'r }
}

impl<'r> Bump<'r> for &'r Arena {}
impl<'r> Bump<'r> for &'r BumpRegion {}
impl<'r> Bump<'r> for &'r Scratch {}
impl<'r> Bump<'r> for &Local<'r> {}
impl<'r, Outside> Bump<'r> for &Scope<'r, Outside> {}

/// The memory of a region, or of what takes memory from one, in bytes: for gauges. Sealed.
///
/// ```
/// use sharded_arena::{Arena, Heap, MemoryUsage, Region};
/// let region = Region::with_capacity(1 << 20)?;
/// let (heap, arena) = (Heap::in_region(&region), Arena::in_region(&region));
/// arena.alloc([0u8; 100]);
/// let gauges: [(&str, &dyn MemoryUsage); 3] = [("region", &region), ("heap", &heap), ("arena", &arena)];
/// let used: Vec<_> = gauges.iter().filter(|(_, gauge)| gauge.memory_usage() > 0).map(|(name, _)| *name).collect();
/// assert_eq!(used, ["region", "arena"]);
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
pub trait MemoryUsage: sealed::Sealed + Debug {
    /// Returns the bytes in use now. One load.
    fn memory_usage(&self) -> usize;

    /// Returns the most bytes that were in use so far. One load.
    fn peak_memory_usage(&self) -> usize;

    /// Returns the bytes that may be in use, of a limit of its own or the region's.
    fn limit(&self) -> usize;
}

macro_rules! memory_usage {
    ($([$($generic:tt)*] $type:ty;)+) => {$(
        impl $($generic)* sealed::Sealed for $type {}

        impl $($generic)* MemoryUsage for $type {
            fn memory_usage(&self) -> usize {
                <$type>::memory_usage(self)
            }

            fn peak_memory_usage(&self) -> usize {
                <$type>::peak_memory_usage(self)
            }

            fn limit(&self) -> usize {
                <$type>::limit(self)
            }
        }
    )+};
}

memory_usage! {
    [] Region;
    [] Heap;
    [] Arena;
    [] Scratch;
    [] BlockArena;
    [<T>] Pool<T>;
    [] Interner;
    [] FrozenInterner;
}

/// Strings and the symbols they have: what an [`Interner`] and a [`FrozenInterner`] have in common. Sealed.
///
/// ```
/// use sharded_arena::{Interner, Resolve, Symbol};
///
/// fn longest(strings: &impl Resolve) -> Option<Symbol> {
///     strings.iter().max_by_key(|(_, text)| text.len()).map(|(symbol, _)| symbol)
/// }
///
/// let names = Interner::new();
/// let beta = names.intern("beta")?;
/// names.intern("pi")?;
/// assert_eq!(longest(&names), Some(beta));
/// assert_eq!(longest(&names.freeze()), Some(beta));
/// # Ok::<(), sharded_arena::AllocError>(())
/// ```
pub trait Resolve: sealed::Sealed {
    /// Returns the symbol of `text`, or `None` if it was not interned.
    fn get(&self, text: &str) -> Option<Symbol>;

    /// Returns the string of `symbol`, or `None` if there is no such symbol.
    fn resolve(&self, symbol: Symbol) -> Option<&str>;

    /// Returns `true` if `text` was interned.
    fn contains(&self, text: &str) -> bool;

    /// Returns the number of strings.
    fn len(&self) -> usize;

    /// Returns `true` if there is no string.
    fn is_empty(&self) -> bool;

    /// Returns all strings and their symbols, in the order of symbols.
    fn iter(&self) -> InternerIter<'_>;
}

macro_rules! resolve {
    ($($type:ty),+) => {$(
        impl Resolve for $type {
            fn get(&self, text: &str) -> Option<Symbol> {
                <$type>::get(self, text)
            }

            fn resolve(&self, symbol: Symbol) -> Option<&str> {
                <$type>::resolve(self, symbol)
            }

            fn contains(&self, text: &str) -> bool {
                <$type>::contains(self, text)
            }

            fn len(&self) -> usize {
                <$type>::len(self)
            }

            fn is_empty(&self) -> bool {
                <$type>::is_empty(self)
            }

            fn iter(&self) -> InternerIter<'_> {
                <$type>::iter(self)
            }
        }
    )+};
}

resolve! { Interner, FrozenInterner }
