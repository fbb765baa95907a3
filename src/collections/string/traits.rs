//! What a text does because `str` does, and std's `String`.

use core::borrow::{Borrow, BorrowMut};
use core::cmp::Ordering as Order;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::{Add, AddAssign, Deref, DerefMut};
use std::borrow::Cow;

use allocator_api2::alloc::Allocator;

use super::super::Vec;
use super::String;
use crate::boxed::Box;

impl<A: Allocator> Deref for String<A> {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl<A: Allocator> DerefMut for String<A> {
    #[inline]
    fn deref_mut(&mut self) -> &mut str {
        self.as_mut_str()
    }
}

impl<A: Allocator> AsMut<str> for String<A> {
    fn as_mut(&mut self) -> &mut str {
        self
    }
}

impl<A: Allocator> Borrow<str> for String<A> {
    fn borrow(&self) -> &str {
        self
    }
}

impl<A: Allocator> BorrowMut<str> for String<A> {
    fn borrow_mut(&mut self) -> &mut str {
        self
    }
}

/// `AsRef` of what a `str` is a reference to.
macro_rules! as_ref {
    ($($target:ty),+) => {
        $(impl<A: Allocator> AsRef<$target> for String<A> {
            fn as_ref(&self) -> &$target {
                self.as_str().as_ref()
            }
        })+
    };
}
as_ref!(str, [u8], std::ffi::OsStr, std::path::Path);

impl<A: Allocator> fmt::Debug for String<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl<A: Allocator> fmt::Display for String<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// Panics if the allocator refuses; [`String::try_clone_in`] does not.
impl<A: Allocator + Clone> Clone for String<A> {
    #[track_caller]
    fn clone(&self) -> Self {
        Self::from_str_in(self, self.allocator().clone())
    }

    /// Its own block is used where it is long enough.
    #[track_caller]
    fn clone_from(&mut self, source: &Self) {
        self.clear();
        self.push_str(source);
    }
}

// ---- comparisons ----------------------------------------------------------------------------------------------------

impl<A: Allocator, B: Allocator> PartialEq<String<B>> for String<A> {
    fn eq(&self, other: &String<B>) -> bool {
        **self == **other
    }
}

impl<A: Allocator> Eq for String<A> {}

/// Equality with what is not of this crate, both ways.
macro_rules! equals {
    ($([$($generic:tt)*] $other:ty),+ $(,)?) => {
        $(impl<$($generic)* A: Allocator> PartialEq<$other> for String<A> {
            fn eq(&self, other: &$other) -> bool {
                self.as_str() == &other[..]
            }
        }

        impl<$($generic)* A: Allocator> PartialEq<String<A>> for $other {
            fn eq(&self, other: &String<A>) -> bool {
                &self[..] == other.as_str()
            }
        })+
    };
}
equals!([] str, ['t,] &'t str, [] std::string::String, ['t,] Cow<'t, str>);

impl<A: Allocator, B: Allocator> PartialOrd<String<B>> for String<A> {
    fn partial_cmp(&self, other: &String<B>) -> Option<Order> {
        Some(self.as_str().cmp(other))
    }
}

impl<A: Allocator> Ord for String<A> {
    fn cmp(&self, other: &Self) -> Order {
        self.as_str().cmp(other)
    }
}

/// As the `str` hashes, by which it may be looked up.
impl<A: Allocator> Hash for String<A> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

// ---- additions ------------------------------------------------------------------------------------------------------

/// Panics if the allocator refuses.
impl<A: Allocator> Add<&str> for String<A> {
    type Output = Self;

    #[track_caller]
    fn add(mut self, text: &str) -> Self {
        self.push_str(text);
        self
    }
}

/// Panics if the allocator refuses; the text is then as it was.
impl<A: Allocator> AddAssign<&str> for String<A> {
    #[track_caller]
    fn add_assign(&mut self, text: &str) {
        self.push_str(text);
    }
}

/// An error is a refusal of the allocator, and leaves the text as it was before the piece that was refused.
impl<A: Allocator> fmt::Write for String<A> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.try_push_str(text).map_err(|_| fmt::Error)
    }
}

/// Panics if the allocator refuses; what was added until then stays.
impl<A: Allocator> Extend<char> for String<A> {
    #[track_caller]
    fn extend<I: IntoIterator<Item = char>>(&mut self, parts: I) {
        let parts = parts.into_iter();
        // The hint may be a lie; what it is refused is asked for again when it is needed.
        let _believed = self.try_reserve(parts.size_hint().0);
        for part in parts {
            self.push(part);
        }
    }
}

impl<'c, A: Allocator> Extend<&'c char> for String<A> {
    #[track_caller]
    fn extend<I: IntoIterator<Item = &'c char>>(&mut self, parts: I) {
        self.extend(parts.into_iter().copied());
    }
}

/// Panics if the allocator refuses; what was added until then stays.
macro_rules! extend {
    ($([$($generic:tt)*] $part:ty),+ $(,)?) => {
        $(impl<$($generic)* A: Allocator> Extend<$part> for String<A> {
            #[track_caller]
            fn extend<I: IntoIterator<Item = $part>>(&mut self, parts: I) {
                for part in parts {
                    self.push_str(&part);
                }
            }
        })+
    };
}
extend!(['t,] &'t str, [] std::string::String, ['t,] Cow<'t, str>, [B: Allocator,] String<B>, [B: Allocator,] Box<str, B>);

// ---- conversions ----------------------------------------------------------------------------------------------------

impl<A: Allocator> From<String<A>> for Vec<u8, A> {
    fn from(text: String<A>) -> Self {
        text.into_bytes()
    }
}

impl<A: Allocator> From<String<A>> for Box<str, A> {
    fn from(text: String<A>) -> Self {
        text.into_boxed_str()
    }
}

impl<A: Allocator> From<String<A>> for std::string::String {
    fn from(text: String<A>) -> Self {
        text.as_str().to_owned()
    }
}
