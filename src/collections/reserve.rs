//! How everything in `collections` grows: [`try_reserve`], and one function that asks for less before it gives up.

use core::hash::{BuildHasher, Hash};

use allocator_api2::alloc::Allocator;

use super::{HashMap, HashSet, ReserveError, String, Vec};
use crate::alloc::making::double;

/// A collection that [`try_reserve`] makes room in.
pub trait Reserve {
    #[doc(hidden)]
    fn room_for(&mut self, more: usize) -> Result<(), ReserveError>;
}

/// Makes room for `more` values beyond those in `collection`, a vector, string, table or set of this crate's.
///
/// As the method of that name, which other crates define for all but [`String`]: their errors have no figures, and
/// hashbrown's is no [`Error`](std::error::Error). What follows cannot be refused. Costs what growing does.
///
/// # Errors
/// [`ReserveError`] with the kind and the figures of the refusal; nothing was changed.
///
/// ```
/// use sharded_arena::collections::{HashMap, try_reserve};
/// use sharded_arena::{AllocErrorKind, Heap};
/// fn count<'h>(words: &[&'h str], heap: &'h Heap) -> Result<usize, Box<dyn std::error::Error>> {
///     let mut seen: HashMap<&str, u32, &Heap> = HashMap::new_in(heap);
///     for word in words {
///         try_reserve(&mut seen, 1)?;
///         *seen.entry(word).or_default() += 1;
///     }
///     Ok(seen.len())
/// }
/// let heap = Heap::with_capacity(1 << 20)?;
/// assert_eq!(count(&["a", "b", "a"], &heap)?, 2);
///
/// let mut table: HashMap<u64, u64, &Heap> = HashMap::new_in(&heap);
/// let cause = try_reserve(&mut table, 1 << 20).unwrap_err().cause().unwrap();
/// assert_eq!((cause.kind, cause.limit), (AllocErrorKind::LimitReached, 1 << 20));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn try_reserve(collection: &mut impl Reserve, more: usize) -> Result<(), ReserveError> {
    collection.room_for(more)
}

impl<T, A: Allocator> Reserve for Vec<T, A> {
    fn room_for(&mut self, more: usize) -> Result<(), ReserveError> {
        reserve(self, more)
    }
}

impl<A: Allocator> Reserve for String<A> {
    fn room_for(&mut self, more: usize) -> Result<(), ReserveError> {
        String::try_reserve(self, more)
    }
}

impl<K: Eq + Hash, V, A: Allocator, S: BuildHasher> Reserve for HashMap<K, V, A, S> {
    fn room_for(&mut self, more: usize) -> Result<(), ReserveError> {
        self.try_reserve(more).map_err(|error| ReserveError::of_table::<A>(&error))
    }
}

impl<T: Eq + Hash, A: Allocator, S: BuildHasher> Reserve for HashSet<T, A, S> {
    fn room_for(&mut self, more: usize) -> Result<(), ReserveError> {
        self.try_reserve(more).map_err(|error| ReserveError::of_table::<A>(&error))
    }
}

/// Room for exactly `more` values beyond the vector's length. A refusal leaves it as it was.
pub(super) fn reserve_exact<T, A: Allocator>(values: &mut Vec<T, A>, more: usize) -> Result<(), ReserveError> {
    values.try_reserve_exact(more).map_err(|error| ReserveError::of_vec::<A>(&error))
}

/// Room for `more` values beyond the vector's length. A refusal leaves it as it was.
#[inline]
pub(super) fn reserve<T, A: Allocator>(values: &mut Vec<T, A>, more: usize) -> Result<(), ReserveError> {
    if values.capacity() - values.len() >= more { Ok(()) } else { grow(values, more) }
}

#[cold]
fn grow<T, A: Allocator>(values: &mut Vec<T, A>, more: usize) -> Result<(), ReserveError> {
    let first = if size_of::<T>() > 64 { 1 } else { 64 / size_of::<T>().max(1) };
    let needed = values.len().checked_add(more).ok_or(ReserveError::CapacityOverflow)?;
    double(values.capacity(), needed, first, |slots| reserve_exact(values, slots - values.len()))
}
