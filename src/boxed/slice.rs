//! Owners of values: moved in, or slices, made by copying, cloning, a closure, an iterator, or from a vector.
#![expect(unsafe_code, reason = "makes slices in blocks of an allocator")]

use core::mem::MaybeUninit;
use core::ptr::NonNull;

use allocator_api2::alloc::Allocator;
use allocator_api2::vec::Vec;

use super::arc::Counted;
use super::source::place;
use super::{Arc, Box, ReserveError, TryNewError};
use crate::alloc::block::Plain;
use crate::alloc::making::{Made, Making};
use crate::alloc::slice::{collected, copied, filled, room};
use crate::base::error::granted;

macro_rules! slice_methods {
    ($owner:ident, $head:ident, $name:literal, $how:literal, $($bound:tt)+) => {
        impl<T, A: $($bound)+> $owner<T, A> {
            #[doc = concat!("Moves `value` into a block of `alloc`", $how)]
            ///
            /// # Panics
            /// If the allocator refuses.
            #[inline]
            #[track_caller]
            pub fn new_in(value: T, alloc: A) -> Self {
                granted(Self::try_new_in(value, alloc))
            }

            #[doc = concat!("Moves `value` into a block of `alloc`", $how)]
            ///
            /// # Errors
            /// If the allocator refuses; the value comes back in the error.
            #[inline]
            pub fn try_new_in(value: T, alloc: A) -> Result<Self, TryNewError<T>> {
                let place = match place::<$head, T, A>(&alloc) {
                    Ok(place) => place,
                    Err(error) => return Err(TryNewError { error, value }),
                };
                // SAFETY: a fresh place for a `T`.
                unsafe { place.write(value) };
                Ok(Self::from_parts((place, alloc)))
            }

            /// Room for a value, in a block of `alloc`.
            ///
            /// # Panics
            /// If the allocator refuses.
            #[inline]
            #[track_caller]
            pub fn new_uninit_in(alloc: A) -> $owner<MaybeUninit<T>, A> {
                $owner::new_in(MaybeUninit::uninit(), alloc)
            }

            /// Room for a value, in a block of `alloc`.
            ///
            /// # Errors
            /// If the allocator refuses.
            #[inline]
            pub fn try_new_uninit_in(alloc: A) -> Result<$owner<MaybeUninit<T>, A>, ReserveError> {
                $owner::try_new_in(MaybeUninit::uninit(), alloc).map_err(|refusal| refusal.error)
            }
        }

        impl<T, A: $($bound)+> $owner<MaybeUninit<T>, A> {
            /// The value that was written into the room.
            ///
            /// # Safety
            /// One was.
            #[inline]
            #[must_use]
            pub unsafe fn assume_init(self) -> $owner<T, A> {
                let (ptr, alloc) = self.into_parts();
                $owner::from_parts((ptr.cast(), alloc))
            }
        }

        impl<T, A: $($bound)+> $owner<[MaybeUninit<T>], A> {
            /// The values that were written into the room.
            ///
            /// # Safety
            /// All were.
            #[inline]
            #[must_use]
            pub unsafe fn assume_init(self) -> $owner<[T], A> {
                let (ptr, alloc) = self.into_parts();
                $owner::from_parts((NonNull::slice_from_raw_parts(ptr.cast(), ptr.len()), alloc))
            }
        }

        /// # Slices
        ///
        /// Values that were made in vain, because a later one panicked or was refused, are dropped, and their block
        /// goes back. What makes values may use the same allocator. Each method has a twin that returns its refusal.
        ///
        /// ```
        #[doc = concat!("use sharded_arena::{Heap, boxed::", $name, "};")]
        /// let heap = Heap::with_capacity(1 << 20)?;
        #[doc = concat!("let squares = ", $name, "::from_fn_in(4, |n| n * n, &heap);")]
        #[doc = concat!("let names = ", $name, "::from_iter_in(\"a b c\".split(' '), &heap);")]
        /// assert_eq!((&*squares, &*names), (&[0, 1, 4, 9][..], &["a", "b", "c"][..]));
        #[doc = concat!("assert_eq!(", $name, "::copy_from_slice_in(&squares[2..], &heap)[1], 9);")]
        /// # Ok::<(), sharded_arena::RegionError>(())
        /// ```
        impl<T, A: $($bound)+> $owner<[T], A> {
            /// Copies a slice.
            ///
            /// # Panics
            /// If the allocator refuses.
            #[track_caller]
            pub fn copy_from_slice_in(source: &[T], alloc: A) -> Self
            where
                T: Copy,
            {
                granted(Self::try_copy_from_slice_in(source, alloc))
            }

            /// Copies a slice.
            ///
            /// # Errors
            /// If the allocator refuses.
            pub fn try_copy_from_slice_in(source: &[T], alloc: A) -> Result<Self, ReserveError>
            where
                T: Copy,
            {
                copied::<$head, T, A>(source, alloc).map(Self::from_made)
            }

            /// Clones the values of a slice, in their order.
            ///
            /// # Panics
            /// If the allocator refuses, or a clone panics.
            #[track_caller]
            pub fn clone_from_slice_in(source: &[T], alloc: A) -> Self
            where
                T: Clone,
            {
                granted(Self::try_clone_from_slice_in(source, alloc))
            }

            /// Clones the values of a slice, in their order.
            ///
            /// # Errors
            /// If the allocator refuses; nothing is cloned then.
            pub fn try_clone_from_slice_in(source: &[T], alloc: A) -> Result<Self, ReserveError>
            where
                T: Clone,
            {
                Self::try_from_fn_in(source.len(), |index| source[index].clone(), alloc)
            }

            /// `len` values, each made in its place from its index.
            ///
            /// # Panics
            /// If the allocator refuses, or `make` panics.
            #[track_caller]
            pub fn from_fn_in(len: usize, make: impl FnMut(usize) -> T, alloc: A) -> Self {
                granted(Self::try_from_fn_in(len, make, alloc))
            }

            /// `len` values, each made in its place from its index.
            ///
            /// # Errors
            /// If the allocator refuses; `make` is not called then.
            pub fn try_from_fn_in(len: usize, mut make: impl FnMut(usize) -> T, alloc: A) -> Result<Self, ReserveError> {
                filled::<$head, T, A, _>(len, move |index| Ok(make(index)), alloc).map(Self::from_made)
            }

            /// As many values as the iterator yields. The block grows as they come, and what it did not need goes back.
            ///
            /// # Panics
            /// If the allocator refuses, or the iterator panics.
            #[track_caller]
            pub fn from_iter_in(values: impl IntoIterator<Item = T>, alloc: A) -> Self {
                granted(Self::try_from_iter_in(values, alloc))
            }

            /// As many values as the iterator yields. The block grows as they come, and what it did not need goes back.
            ///
            /// # Errors
            /// If the allocator refuses; the values are dropped.
            pub fn try_from_iter_in(values: impl IntoIterator<Item = T>, alloc: A) -> Result<Self, ReserveError> {
                collected::<$head, T, A>(values.into_iter(), alloc).map(Self::from_made)
            }

            /// Room for `len` values.
            ///
            /// # Panics
            /// If the allocator refuses.
            #[track_caller]
            pub fn new_uninit_slice_in(len: usize, alloc: A) -> $owner<[MaybeUninit<T>], A> {
                granted(Self::try_new_uninit_slice_in(len, alloc))
            }

            /// Room for `len` values.
            ///
            /// # Errors
            /// If the allocator refuses.
            pub fn try_new_uninit_slice_in(len: usize, alloc: A) -> Result<$owner<[MaybeUninit<T>], A>, ReserveError> {
                room::<$head, T, A>(len, alloc).map($owner::from_made)
            }

            /// The values of a vector, in a block of their length.
            ///
            /// # Panics
            /// If the allocator refuses that block.
            #[track_caller]
            pub fn from_vec(values: Vec<T, A>) -> Self {
                granted(Self::try_from_vec(values))
            }

            #[inline]
            fn from_made(made: Made<T, A>) -> Self {
                Self::from_parts(made.into_parts())
            }
        }
    };
}

slice_methods! { Box, Plain, "Box", ". A value of no size needs none.", Allocator }
slice_methods! { Arc, Counted, "Arc", ", behind a count of one.", Allocator + Clone }

impl<T, A: Allocator> Box<[T], A> {
    /// The values of a vector. Its block becomes the box's, and is shortened if it was longer than they are.
    ///
    /// # Errors
    /// If the allocator refuses to shorten it, which no heap and no arena does; the vector comes back.
    pub fn try_from_vec(values: Vec<T, A>) -> Result<Self, TryNewError<Vec<T, A>>> {
        let (ptr, len, capacity, alloc) = values.into_raw_parts_with_alloc();
        // SAFETY: a vector's address is never null.
        let ptr = unsafe { NonNull::new_unchecked(ptr) };
        // SAFETY: a vector's parts, of which nobody else knows: as many values, in a block that is empty or of its
        // capacity.
        let mut making = unsafe { Making::<T, A, Plain>::from_parts(ptr, len, capacity, alloc) };
        if let Err(error) = making.resize(len) {
            let (ptr, len, capacity, alloc) = making.into_parts();
            // SAFETY: the vector's parts, as they were.
            let value = unsafe { Vec::from_raw_parts_in(ptr.as_ptr(), len, capacity, alloc) };
            return Err(TryNewError { error, value });
        }
        // SAFETY: resized to the number of its values.
        Ok(Self::from_made(unsafe { making.finish_resized() }))
    }

    /// The values as a vector, in the box's block.
    ///
    /// ```
    /// use sharded_arena::{Heap, boxed::Box};
    /// let heap = Heap::with_capacity(1 << 20)?;
    /// let mut values = Box::into_vec(Box::copy_from_slice_in(&[1, 2], &heap));
    /// values.push(3);
    /// assert_eq!(*Box::from_vec(values), [1, 2, 3]);
    /// # Ok::<(), sharded_arena::RegionError>(())
    /// ```
    #[must_use = "drop the box if the values are not wanted"]
    pub fn into_vec(this: Self) -> Vec<T, A> {
        let (ptr, alloc) = this.into_parts();
        // SAFETY: as many values, in a block of as many that nobody else knows, or in none if they have no size.
        unsafe { Vec::from_raw_parts_in(ptr.cast().as_ptr(), ptr.len(), ptr.len(), alloc) }
    }
}

impl<T, A: Allocator + Clone> Arc<[T], A> {
    /// The values of a vector, moved into a block of a clone of its allocator, behind a count of one.
    ///
    /// # Errors
    /// If the allocator refuses that block; the vector comes back.
    pub fn try_from_vec(mut values: Vec<T, A>) -> Result<Self, TryNewError<Vec<T, A>>> {
        let mut making = Making::<T, A, Counted>::new(values.allocator().clone());
        if let Err(error) = making.resize(values.len()) {
            return Err(TryNewError { error, value: values });
        }
        let len = values.len();
        // SAFETY: none of them is a length too long; the values are the new block's from here on.
        unsafe { values.set_len(0) };
        // SAFETY: the values that the vector has forgotten, in a block of its own; there is a slot for each.
        unsafe { making.take_over(values.as_ptr(), len) };
        // SAFETY: resized to their number.
        Ok(Self::from_made(unsafe { making.finish_resized() }))
    }
}
