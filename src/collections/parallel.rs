//! From a parallel iterator of rayon into a vector, in the iterator's order.
//!
//! An iterator that knows its length is driven into one block: each part of it writes to its own part of the room
//! behind the vector's values. One that does not know it is collected in pieces first, in the global allocator's
//! memory, which are then moved.
//!
//! - INV-collections.parallel-1: places are rooms for values behind a vector's, handed on by splitting them, so nobody
//!   else has them.
//! - INV-collections.parallel-2: the first `built` of some places hold values, which are dropped with them unless they
//!   are finished.
//!
//! Who drives may be wrong in safe code: yield more, or fewer, or join what does not belong together. Each of these is
//! a panic, after which all values that were yielded are dropped.
#![expect(unsafe_code, reason = "writes values into the room behind a vector's")]

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use allocator_api2::alloc::Allocator;
use rayon::iter::plumbing::{Consumer, Folder, Reducer, UnindexedConsumer};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::reserve::{reserve, reserve_exact};
use super::{ReserveError, Vec};
use crate::base::error::granted;

/// Collects what `values` yields on many threads into a vector in `alloc`, in the iterator's order.
///
/// The vector is one block, asked for by the calling thread, so any allocator will do; what makes the values may use
/// the same arena or heap. [`Vec::leak`] gives `&mut [T]` for as long as an arena's borrow lasts. An iterator that does
/// not know its length, one with a `filter`, is collected outside of `alloc` first.
///
/// ```
/// use rayon::prelude::*;
/// use sharded_arena::collections::{self, String};
/// use sharded_arena::{Arena, Heap, format_in};
///
/// let arena = Arena::with_capacity(1 << 20)?; // one, for all threads
/// let name = |n: u32| format_in!(&arena, "name {n}");
/// let names: &mut [String<&Arena>] = collections::par_collect_in((0..1_000).into_par_iter().map(name), &arena).leak();
/// assert_eq!(names[42], "name 42");
///
/// let heap = Heap::with_capacity(1 << 20)?;
/// let ends = collections::par_collect_in(names.par_iter().filter(|name| name.ends_with("99")), &heap);
/// assert_eq!((ends[0].as_str(), ends.len()), ("name 99", 10));
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
///
/// # Panics
/// If the allocator refuses, or the iterator panics; what was yielded is dropped then, and the block goes back.
#[track_caller]
pub fn par_collect_in<T: Send, A: Allocator>(values: impl IntoParallelIterator<Item = T>, alloc: A) -> Vec<T, A> {
    granted(try_par_collect_in(values, alloc))
}

/// Collects what `values` yields on many threads into a vector in `alloc`, in the iterator's order.
///
/// # Errors
/// If the allocator refuses; what was yielded is dropped. An iterator that knows its length yields nothing then.
///
/// # Panics
/// If the iterator panics; what was yielded is dropped.
#[track_caller]
pub fn try_par_collect_in<T: Send, A: Allocator>(
    values: impl IntoParallelIterator<Item = T>,
    alloc: A,
) -> Result<Vec<T, A>, ReserveError> {
    let mut collected = Vec::new_in(alloc);
    try_par_extend(&mut collected, values)?;
    Ok(collected)
}

/// Adds what `values` yields on many threads at the end of `target`, in the iterator's order.
///
/// # Panics
/// If the allocator refuses, or the iterator panics; `target` is then as it was.
#[track_caller]
pub fn par_extend<T: Send, A: Allocator>(target: &mut Vec<T, A>, values: impl IntoParallelIterator<Item = T>) {
    granted(try_par_extend(target, values));
}

/// Adds what `values` yields on many threads at the end of `target`, in the iterator's order.
///
/// # Errors
/// If the allocator refuses; `target` is as it was.
///
/// # Panics
/// If the iterator panics; `target` is then as it was.
#[track_caller]
pub fn try_par_extend<T: Send, A: Allocator>(
    target: &mut Vec<T, A>,
    values: impl IntoParallelIterator<Item = T>,
) -> Result<(), ReserveError> {
    let values = values.into_par_iter();
    match values.opt_len() {
        Some(len) => in_place(target, len, values),
        None => in_pieces(target, values),
    }
}

/// Room for exactly `more` values in an empty vector, which are often all.
fn room<T, A: Allocator>(target: &mut Vec<T, A>, more: usize) -> Result<(), ReserveError> {
    match target.capacity() {
        0 => reserve_exact(target, more),
        _ => reserve(target, more),
    }
}

#[track_caller]
fn in_place<T: Send, A: Allocator>(
    target: &mut Vec<T, A>,
    len: usize,
    values: impl ParallelIterator<Item = T>,
) -> Result<(), ReserveError> {
    room(target, len)?;
    let before = target.len();
    let placed = values.drive_unindexed(Places::behind(target, len));
    if let Err(built) = placed.finish(len) {
        wrong_number(len, built);
    }
    // SAFETY: `len` values stand in the `len` places behind the vector's own, which it has room for.
    unsafe { target.set_len(before + len) };
    Ok(())
}

#[cold]
#[track_caller]
fn wrong_number(len: usize, built: usize) -> ! {
    panic!("the parallel iterator said it had {len} values and yielded {built} in order")
}

fn in_pieces<T: Send, A: Allocator>(
    target: &mut Vec<T, A>,
    values: impl ParallelIterator<Item = T>,
) -> Result<(), ReserveError> {
    let pieces = values.collect_vec_list();
    room(target, pieces.iter().map(std::vec::Vec::len).fold(0, usize::saturating_add))?;
    for piece in pieces {
        target.extend(piece);
    }
    Ok(())
}

/// Rooms for `len` values from `first` on; INV-collections.parallel-1.
struct Places<'v, T> {
    first: NonNull<T>,
    len: usize,
    _room: PhantomData<&'v mut [T]>,
}

// SAFETY: values are written through it, and dropped, on any thread; it is the only way to its places
// (INV-collections.parallel-1).
unsafe impl<T: Send> Send for Places<'_, T> {}

impl<'v, T> Places<'v, T> {
    /// The first `len` places of the room behind the values of `target`.
    fn behind<A: Allocator>(target: &'v mut Vec<T, A>, len: usize) -> Self {
        let spare = target.spare_capacity_mut();
        assert!(len <= spare.len(), "room for {} values, {len} are to come", spare.len());
        Self { first: NonNull::from(spare).cast(), len, _room: PhantomData }
    }

    /// The place behind `count` others.
    fn place(&self, count: usize) -> NonNull<T> {
        assert!(count <= self.len, "place {count} of {}", self.len);
        // SAFETY: `NonNull::add`: in the room or at its end.
        unsafe { self.first.add(count) }
    }

    /// The places that `self` begins with, and the others.
    fn split(self, count: usize) -> (Self, Self) {
        let behind = Self { first: self.place(count), len: self.len - count, _room: PhantomData };
        (Self { len: count, ..self }, behind)
    }
}

impl<'v, T: Send> Consumer<T> for Places<'v, T> {
    type Folder = Placed<'v, T>;
    type Reducer = Join;
    type Result = Placed<'v, T>;

    fn split_at(self, index: usize) -> (Self, Self, Join) {
        let (front, behind) = self.split(index);
        (front, behind, Join)
    }

    fn into_folder(self) -> Placed<'v, T> {
        Placed { places: self, built: 0 }
    }

    fn full(&self) -> bool {
        false
    }
}

impl<T: Send> UnindexedConsumer<T> for Places<'_, T> {
    /// No places: only iterators that know their length get here, and they do not ask.
    fn split_off_left(&self) -> Self {
        Self { len: 0, ..*self }
    }

    fn to_reducer(&self) -> Join {
        Join
    }
}

/// Places of which the first `built` are taken; INV-collections.parallel-2.
struct Placed<'v, T> {
    places: Places<'v, T>,
    built: usize,
}

impl<T> Placed<'_, T> {
    /// The values are the vector's from now on, if they are `len`, all there are places for; else they are dropped, and
    /// their number comes back.
    fn finish(self, len: usize) -> Result<(), usize> {
        if self.built != len {
            return Err(self.built);
        }
        let _theirs = ManuallyDrop::new(self);
        Ok(())
    }
}

impl<T: Send> Folder<T> for Placed<'_, T> {
    type Result = Self;

    #[inline]
    fn consume(mut self, value: T) -> Self {
        assert!(self.built < self.places.len, "the parallel iterator yields more values than it said it had");
        let place = self.places.place(self.built);
        // SAFETY: a place of its own (INV-collections.parallel-1), which holds no value yet
        // (INV-collections.parallel-2).
        unsafe { place.write(value) };
        self.built += 1;
        self
    }

    fn complete(self) -> Self {
        self
    }

    fn full(&self) -> bool {
        false
    }
}

impl<T> Drop for Placed<'_, T> {
    fn drop(&mut self) {
        let values = NonNull::slice_from_raw_parts(self.places.first, self.built);
        // SAFETY: INV-collections.parallel-2: its own values, dropped once, for it is being dropped.
        unsafe { values.drop_in_place() };
    }
}

/// Joins places that lie behind each other.
struct Join;

impl<'v, T: Send> Reducer<Placed<'v, T>> for Join {
    fn reduce(self, front: Placed<'v, T>, behind: Placed<'v, T>) -> Placed<'v, T> {
        let is_full = front.built == front.places.len;
        if is_full && front.places.place(front.built) == behind.places.first {
            // They are parts of the same room, the only one that is being split.
            let (mut front, behind) = (front, ManuallyDrop::new(behind));
            front.places.len += behind.places.len;
            front.built += behind.built;
            return front;
        }
        // Too few in front, or not in order: what is behind is dropped, and the number will be wrong.
        front
    }
}
