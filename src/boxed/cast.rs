//! To trait objects and slices, and back.
//!
//! [`unsize!`](crate::unsize) has the compiler coerce the raw pointer, which it does to a type that the value's really
//! unsizes to and to no other, with the metadata that belong to it, at the same address. A function from `&mut T` to
//! `&mut U` is no substitute, even one whose result is at the same address and of the same layout: a value of no size
//! may be another's, borrowed, and would be dropped twice; a field as large as its owner would be dropped as if nobody
//! owned it.
#![expect(unsafe_code, reason = "puts a value's owner together again around another pointer to it")]

use core::any::Any;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use allocator_api2::alloc::Allocator;

use super::{Arc, Box};

mod sealed {
    pub trait Sealed {}
}

/// A box or an `Arc`, for [`unsize!`](crate::unsize); of no other use.
#[doc(hidden)]
pub trait Owner: sealed::Sealed + Sized {
    type Value: ?Sized;
    type Alloc;
    type Of<U: ?Sized>;

    fn into_pair(self) -> (NonNull<Self::Value>, Self::Alloc);

    /// # Safety
    /// `pair` is what `into_pair` gave, but for a coercion.
    unsafe fn from_pair<U: ?Sized>(pair: (NonNull<U>, Self::Alloc)) -> Self::Of<U>;
}

/// What is left of an owner when its value's address is taken from it; dropped, it leaks the value.
#[doc(hidden)]
#[expect(missing_debug_implementations, reason = "nobody sees it")]
pub struct Rest<O: Owner>(O::Alloc);

impl<O: Owner> Rest<O> {
    #[inline]
    pub fn of(owner: O) -> (*mut O::Value, Self) {
        let (ptr, alloc) = owner.into_pair();
        (ptr.as_ptr(), Self(alloc))
    }

    /// # Safety
    /// `raw` is what `of` gave, coerced by the compiler.
    #[inline]
    pub unsafe fn with<U: ?Sized>(self, raw: *mut U) -> O::Of<U> {
        // SAFETY: an owner's address, so not null.
        let ptr = unsafe { NonNull::new_unchecked(raw) };
        // SAFETY: this function's contract.
        unsafe { O::from_pair((ptr, self.0)) }
    }
}

macro_rules! owner {
    ($owner:ident, $($bound:tt)+) => {
        impl<T: ?Sized, A: $($bound)+> $owner<T, A> {
            /// Returns the allocator. A function of the type, so that it hides no method of the value.
            #[inline]
            #[must_use]
            pub fn allocator(this: &Self) -> &A {
                &this.alloc
            }

            /// Where the value is.
            #[inline(always)]
            pub(super) fn ptr(&self) -> NonNull<T> {
                self.ptr
            }

            #[inline]
            pub(super) fn from_parts((ptr, alloc): (NonNull<T>, A)) -> Self {
                Self { ptr, alloc, _owns: PhantomData }
            }

            #[inline]
            pub(super) fn into_parts(self) -> (NonNull<T>, A) {
                let this = ManuallyDrop::new(self);
                // SAFETY: the owner is forgotten, so its allocator is moved out of it, not copied.
                let alloc = unsafe { core::ptr::read(&raw const this.alloc) };
                (this.ptr, alloc)
            }
        }

        impl<T: ?Sized, A: $($bound)+> sealed::Sealed for $owner<T, A> {}

        impl<T: ?Sized, A: $($bound)+> Owner for $owner<T, A> {
            type Value = T;
            type Alloc = A;
            type Of<U: ?Sized> = $owner<U, A>;

            #[inline]
            fn into_pair(self) -> (NonNull<T>, A) {
                self.into_parts()
            }

            #[inline]
            unsafe fn from_pair<U: ?Sized>(pair: (NonNull<U>, A)) -> $owner<U, A> {
                $owner::from_parts(pair)
            }
        }
    };
}

owner! { Box, Allocator }
owner! { Arc, Allocator + Clone }

/// What of `dyn Any` and its kin is cast back.
macro_rules! downcast {
    ($owner:ident, $name:literal, $any:ty, [$($send:tt)*], $($bound:tt)+) => {
        impl<A: $($bound)+> $owner<$any, A> {
            /// The value as what it is, in its block.
            ///
            /// ```
            /// use core::any::Any;
            #[doc = concat!("use sharded_arena::{Heap, unsize, boxed::", $name, "};")]
            /// let heap = Heap::with_capacity(1 << 20)?;
            #[doc = concat!("let any = unsize!(", $name, "::new_in(7u8, &heap), ", stringify!($any), ");")]
            /// let any = any.downcast::<u16>().unwrap_err();
            /// assert_eq!(*any.downcast::<u8>().unwrap(), 7);
            /// # Ok::<(), sharded_arena::RegionError>(())
            /// ```
            ///
            /// # Errors
            /// If it is of another type; it comes back.
            pub fn downcast<T: Any $($send)*>(self) -> Result<$owner<T, A>, Self> {
                if !<dyn Any>::is::<T>(&*self) {
                    return Err(self);
                }
                let (ptr, alloc) = self.into_parts();
                Ok($owner::from_parts((ptr.cast(), alloc)))
            }
        }
    };
}

downcast! { Box, "Box", dyn Any, [], Allocator }
downcast! { Box, "Box", dyn Any + Send, [+ Send], Allocator }
downcast! { Box, "Box", dyn Any + Send + Sync, [+ Send + Sync], Allocator }
downcast! { Arc, "Arc", dyn Any, [], Allocator + Clone }
downcast! { Arc, "Arc", dyn Any + Send + Sync, [+ Send + Sync], Allocator + Clone }

/// Coerces a [`boxed::Box`](crate::boxed::Box) or a [`boxed::Arc`](crate::boxed::Arc) to one of a trait object or a
/// slice: `unsize!(owner, dyn Trait)`. Nothing moves; it costs nothing.
///
/// The compiler says no where it would for the standard library's box; stable Rust coerces no others by itself.
///
/// ```
/// #![forbid(unsafe_code)]
/// use core::fmt::Display;
/// use sharded_arena::boxed::{Arc, Box};
/// use sharded_arena::{Heap, unsize};
///
/// let heap = Heap::with_capacity(1 << 20)?;
/// let shown = [
///     unsize!(Box::new_in(7, &heap), dyn Display),
///     unsize!(Box::new_in("seven", &heap), dyn Display),
/// ];
/// assert_eq!(format!("{} {}", shown[0], shown[1]), "7 seven");
/// let numbers: Arc<[u8], Heap> = unsize!(Arc::new_in([1, 2, 3], heap.clone()), [u8]);
/// assert_eq!(numbers.len(), 3);
/// let future = Box::into_pin(unsize!(Box::new_in(async { 7 }, heap.clone()), dyn Future<Output = i32>));
/// # drop(future);
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
#[macro_export]
macro_rules! unsize {
    ($owner:expr, $target:ty $(,)?) => {
        // A `match`, so that what the owner's expression borrows from its own temporaries lives as long as they do.
        match $crate::__private::Rest::of($owner) {
            (raw, rest) => {
                // An unsizing coercion, or the compiler's error: nothing else turns one `*mut` into another here.
                let coerced: *mut $target = raw;
                // SAFETY: the owner's value by the compiler's own coercion, with the rest of that owner.
                unsafe { rest.with(coerced) }
            }
        }
    };
}
