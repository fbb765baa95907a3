//! What an interner and its frozen form have in common: the methods that read, and the strings one by one.

use core::fmt;
use core::iter::FusedIterator;
use core::ops::Range;

use super::{Inner, Symbol};

/// Implements `Debug` and the reading methods over the type's field `inner`.
macro_rules! reading_methods {
    ($type:ident) => {
        $crate::base::debug::debug_figures! { [] $type: len, memory_usage }

        /// # Reading
        ///
        /// No method takes a lock.
        impl $type {
            /// Returns the symbol of `text`, or `None` if it was not interned. Loads only.
            ///
            /// A string that another thread is interning may be found or not; one that `intern` has returned for is.
            #[must_use]
            #[inline]
            pub fn get(&self, text: &str) -> Option<$crate::Symbol> {
                let inner = self.inner.made()?;
                inner.get(inner.hash(text), text)
            }

            /// Returns the string of `symbol`, or `None` if there is no such symbol. Three loads. The string stays
            /// where it is as long as the interner.
            ///
            /// A symbol of another interner gives `None` or a string of this one.
            #[must_use]
            #[inline]
            pub fn resolve(&self, symbol: $crate::Symbol) -> Option<&str> {
                self.inner.made()?.resolve(symbol)
            }

            /// Returns `true` if `text` was interned. Loads only.
            #[must_use]
            #[inline]
            pub fn contains(&self, text: &str) -> bool {
                self.get(text).is_some()
            }

            /// Returns the number of strings: every symbol's index is below it. One load.
            ///
            /// A string that another thread is interning counts as soon as it cannot be refused any more, a moment
            /// before its symbol can be resolved.
            #[must_use]
            #[inline]
            pub fn len(&self) -> usize {
                self.inner.made().map_or(0, $crate::interner::Inner::len)
            }

            /// Returns `true` if there is no string.
            #[must_use]
            #[inline]
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Returns all strings and their symbols, in the order of symbols.
            ///
            /// A string that is interned after the iteration has begun is left out, and so is one that another thread
            /// is interning.
            pub fn iter(&self) -> $crate::InternerIter<'_> {
                $crate::InternerIter::new(self.inner.made())
            }

            /// Returns the bytes taken from the region: text, tables, what is kept for the next strings. One load. The
            /// region counts the same.
            ///
            /// At most 2.2 times the bytes of text and 64 bytes a string, beside some KiB at the beginning.
            #[doc(alias = "allocated_bytes")]
            #[must_use]
            pub fn memory_usage(&self) -> usize {
                self.inner.usage()
            }

            /// Returns the greatest [`memory_usage`](Self::memory_usage) so far. One load.
            #[must_use]
            pub fn peak_memory_usage(&self) -> usize {
                self.inner.peak()
            }
        }

        impl<'a> IntoIterator for &'a $type {
            type Item = ($crate::Symbol, &'a str);
            type IntoIter = $crate::InternerIter<'a>;

            fn into_iter(self) -> $crate::InternerIter<'a> {
                self.iter()
            }
        }
    };
}
pub(super) use reading_methods;

/// The strings of an interner with their symbols; see [`Interner::iter`](crate::Interner::iter).
pub struct InternerIter<'a> {
    inner: Option<&'a Inner>,
    indexes: Range<usize>,
}

impl<'a> InternerIter<'a> {
    /// The strings whose numbers were taken before the call.
    pub(super) fn new(inner: Option<&'a Inner>) -> Self {
        Self { inner, indexes: 0..inner.map_or(0, Inner::len) }
    }
}

impl<'a> Iterator for InternerIter<'a> {
    type Item = (Symbol, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let inner = self.inner?;
        self.indexes.find_map(|index| {
            let symbol = Symbol::from_index(index)?;
            Some((symbol, inner.resolve(symbol)?))
        })
    }
}

impl FusedIterator for InternerIter<'_> {}

impl fmt::Debug for InternerIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InternerIter").field("indexes", &self.indexes).finish_non_exhaustive()
    }
}
