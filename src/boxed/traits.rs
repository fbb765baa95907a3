//! What an owner does because its value does.
#![expect(unsafe_code, reason = "reads the value that a box or an `Arc` owns")]

use core::borrow::{Borrow, BorrowMut};
use core::cmp::Ordering as Order;
use core::error::Error;
use core::fmt;
use core::future::Future;
use core::hash::{Hash, Hasher};
use core::iter::FusedIterator;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::slice;
use core::task::{Context, Poll};

use allocator_api2::alloc::Allocator;

use super::{Arc, Box};

/// What reading a value gives its owner too.
macro_rules! reads_as_its_value {
    ($owner:ident, $($bound:tt)+) => {
        impl<T: ?Sized, A: $($bound)+> Deref for $owner<T, A> {
            type Target = T;

            #[inline(always)]
            fn deref(&self) -> &T {
                // SAFETY: INV-boxed-1, INV-boxed.arc-1: an initialised value, which is not written to while its owner
                // is borrowed.
                unsafe { self.ptr().as_ref() }
            }
        }

        impl<T: ?Sized, A: $($bound)+> AsRef<T> for $owner<T, A> {
            fn as_ref(&self) -> &T {
                self
            }
        }

        impl<T: ?Sized, A: $($bound)+> Borrow<T> for $owner<T, A> {
            fn borrow(&self) -> &T {
                self
            }
        }

        impl<T: ?Sized + fmt::Debug, A: $($bound)+> fmt::Debug for $owner<T, A> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<T: ?Sized + fmt::Display, A: $($bound)+> fmt::Display for $owner<T, A> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<T: ?Sized, A: $($bound)+> fmt::Pointer for $owner<T, A> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Pointer::fmt(&self.ptr(), f)
            }
        }

        impl<T: ?Sized + PartialEq, A: $($bound)+> PartialEq for $owner<T, A> {
            fn eq(&self, other: &Self) -> bool {
                **self == **other
            }
        }

        impl<T: ?Sized + Eq, A: $($bound)+> Eq for $owner<T, A> {}

        impl<T: ?Sized + PartialOrd, A: $($bound)+> PartialOrd for $owner<T, A> {
            fn partial_cmp(&self, other: &Self) -> Option<Order> {
                (**self).partial_cmp(other)
            }
        }

        impl<T: ?Sized + Ord, A: $($bound)+> Ord for $owner<T, A> {
            fn cmp(&self, other: &Self) -> Order {
                (**self).cmp(other)
            }
        }

        impl<T: ?Sized + Hash, A: $($bound)+> Hash for $owner<T, A> {
            fn hash<H: Hasher>(&self, state: &mut H) {
                (**self).hash(state);
            }
        }

        impl<E: ?Sized + Error, A: $($bound)+> Error for $owner<E, A> {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                (**self).source()
            }
        }

        impl<'a, T, A: $($bound)+> IntoIterator for &'a $owner<[T], A> {
            type Item = &'a T;
            type IntoIter = slice::Iter<'a, T>;

            fn into_iter(self) -> slice::Iter<'a, T> {
                self.iter()
            }
        }

        /// Moving the owner does not move its value.
        impl<T: ?Sized, A: $($bound)+> Unpin for $owner<T, A> {}
    };
}

reads_as_its_value! { Box, Allocator }
reads_as_its_value! { Arc, Allocator + Clone }

impl<T: ?Sized, A: Allocator> DerefMut for Box<T, A> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: INV-boxed-1: an initialised value, this box's alone, and the box is borrowed exclusively.
        unsafe { self.ptr.as_mut() }
    }
}

impl<T: ?Sized, A: Allocator> AsMut<T> for Box<T, A> {
    fn as_mut(&mut self) -> &mut T {
        self
    }
}

impl<T: ?Sized, A: Allocator> BorrowMut<T> for Box<T, A> {
    fn borrow_mut(&mut self) -> &mut T {
        self
    }
}

/// The clone is made first, then moved into a block of a clone of the allocator; panics if that refuses.
impl<T: Clone, A: Allocator + Clone> Clone for Box<T, A> {
    fn clone(&self) -> Self {
        Self::new_in((**self).clone(), self.alloc.clone())
    }
}

/// Into a block of a clone of the allocator; panics if that refuses.
impl<T: Clone, A: Allocator + Clone> Clone for Box<[T], A> {
    fn clone(&self) -> Self {
        Self::clone_from_slice_in(self, self.alloc.clone())
    }
}

/// Into a block of a clone of the allocator; panics if that refuses.
impl<A: Allocator + Clone> Clone for Box<str, A> {
    fn clone(&self) -> Self {
        Self::from_str_in(self, self.alloc.clone())
    }
}

impl<I: ?Sized + Iterator, A: Allocator> Iterator for Box<I, A> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        (**self).next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (**self).size_hint()
    }

    fn nth(&mut self, n: usize) -> Option<I::Item> {
        (**self).nth(n)
    }
}

impl<I: ?Sized + DoubleEndedIterator, A: Allocator> DoubleEndedIterator for Box<I, A> {
    fn next_back(&mut self) -> Option<I::Item> {
        (**self).next_back()
    }

    fn nth_back(&mut self, n: usize) -> Option<I::Item> {
        (**self).nth_back(n)
    }
}

impl<I: ?Sized + ExactSizeIterator, A: Allocator> ExactSizeIterator for Box<I, A> {
    fn len(&self) -> usize {
        (**self).len()
    }
}

impl<I: ?Sized + FusedIterator, A: Allocator> FusedIterator for Box<I, A> {}

impl<F: ?Sized + Future + Unpin, A: Allocator> Future for Box<F, A> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        Pin::new(&mut **self).poll(context)
    }
}
