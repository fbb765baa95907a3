//! From an iterator into a vector, without ending the process where memory is refused.

use allocator_api2::alloc::Allocator;

use super::reserve::{reserve, reserve_exact};
use super::{ReserveError, Vec};
use crate::base::error::granted;

/// Collects what `values` yields into a vector in `alloc`, in its order.
///
/// The iterator's lower bound is asked for first and believed only if it fits; the vector then grows as it must. What
/// yields the values may use the same arena or heap. [`Vec::leak`] gives `&mut [T]` for as long as an arena's borrow
/// lasts.
///
/// ```
/// use sharded_arena::{Arena, Heap, collections};
/// let (arena, heap) = (Arena::new(), Heap::with_capacity(1 << 20)?);
/// let squares: &mut [u64] = collections::collect_in((0..4).map(|n| n * n), &arena).leak();
/// let odd = collections::collect_in(squares.iter().filter(|n| **n % 2 == 1), &heap);
/// assert_eq!(odd, [&1, &9]);
/// assert!(collections::try_collect_in(0u64.., &heap).is_err()); // it ends where the heap does
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
///
/// # Panics
/// If the allocator refuses, or the iterator panics; what was collected is dropped then.
#[track_caller]
pub fn collect_in<T, A: Allocator>(values: impl IntoIterator<Item = T>, alloc: A) -> Vec<T, A> {
    granted(try_collect_in(values, alloc))
}

/// Collects what `values` yields into a vector in `alloc`, in its order.
///
/// # Errors
/// If the allocator refuses; what was collected is dropped.
pub fn try_collect_in<T, A: Allocator>(
    values: impl IntoIterator<Item = T>,
    alloc: A,
) -> Result<Vec<T, A>, ReserveError> {
    let mut collected = Vec::new_in(alloc);
    add(&mut collected, values.into_iter())?;
    Ok(collected)
}

/// [`collect_in`] and [`try_collect_in`] as methods of every iterator.
///
/// ```
/// use sharded_arena::{Arena, collections::CollectIn};
/// let arena = Arena::with_capacity(1 << 20)?;
/// let odd = (0..100).filter(|n| n % 2 == 1).collect_in(&arena);
/// assert_eq!((odd.len(), odd[49]), (50, 99));
/// assert!((0u64..).try_collect_in(&arena).is_err());
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
pub trait CollectIn: Iterator + Sized {
    /// Collects the rest of the iterator into a vector in `alloc`, as [`collect_in`] does.
    ///
    /// # Panics
    /// If the allocator refuses, or the iterator panics; what was collected is dropped then.
    #[track_caller]
    fn collect_in<A: Allocator>(self, alloc: A) -> Vec<Self::Item, A> {
        collect_in(self, alloc)
    }

    /// Collects the rest of the iterator into a vector in `alloc`, as [`try_collect_in`] does.
    ///
    /// # Errors
    /// If the allocator refuses; what was collected is dropped.
    fn try_collect_in<A: Allocator>(self, alloc: A) -> Result<Vec<Self::Item, A>, ReserveError> {
        try_collect_in(self, alloc)
    }
}

impl<I: Iterator> CollectIn for I {}

/// Adds what `values` yields at the end of `target`.
///
/// # Panics
/// If the allocator refuses; `target` is then as it was. If the iterator panics; what it yielded until then stays.
#[track_caller]
pub fn extend<T, A: Allocator>(target: &mut Vec<T, A>, values: impl IntoIterator<Item = T>) {
    granted(try_extend(target, values));
}

/// Adds what `values` yields at the end of `target`.
///
/// # Errors
/// If the allocator refuses; what was added is dropped, `target` is as it was.
pub fn try_extend<T, A: Allocator>(
    target: &mut Vec<T, A>,
    values: impl IntoIterator<Item = T>,
) -> Result<(), ReserveError> {
    let len = target.len();
    add(target, values.into_iter()).inspect_err(|_| target.truncate(len))
}

fn add<T, A: Allocator>(target: &mut Vec<T, A>, values: impl Iterator<Item = T>) -> Result<(), ReserveError> {
    // A hint that is refused may be a lie. What is empty gets as much as it says, for it may be all.
    let hint = if size_of::<T>() == 0 { 0 } else { values.size_hint().0 };
    let _believed = match target.capacity() {
        0 => reserve_exact(target, hint).is_ok(),
        _ => reserve(target, hint).is_ok(),
    };
    for value in values {
        reserve(target, 1)?;
        target.push(value);
    }
    Ok(())
}

/// A vector in `alloc` of `len` clones of `value`, the last of which is `value` itself; as `vec_in![alloc; value;
/// len]`.
///
/// # Panics
/// If the allocator refuses, or `Clone` panics; what was cloned is dropped then.
#[track_caller]
pub fn repeat_in<T: Clone, A: Allocator>(value: T, len: usize, alloc: A) -> Vec<T, A> {
    let mut values = super::vec_with_capacity_in(len, alloc);
    values.resize(len, value);
    values
}
