//! `FrozenInterner`: what an interner has become when nothing more is interned.

use core::fmt;

use super::{Inner, Symbol};
use crate::region::{FirstUse, Region};
use crate::sync::Arc;

/// The strings of an [`Interner`](crate::Interner) that was [frozen](crate::Interner::freeze): read by any thread, without a
/// lock, never changed again. A clone is a handle of the same strings; the last one gives their memory back.
///
/// ```
/// use sharded_arena::Interner;
///
/// let words = Interner::new();
/// let hello = words.intern("hello")?;
/// let words = words.freeze();
/// let reader = std::thread::spawn({
///     let words = words.clone();
///     move || words.resolve(hello).map(str::len)
/// });
/// assert_eq!(reader.join().unwrap(), Some(5));
/// assert_eq!((words.get("hello"), words.get("other")), (Some(hello), None));
/// # Ok::<(), sharded_arena::AllocError>(())
/// ```
#[derive(Clone)]
pub struct FrozenInterner {
    inner: Arc<FirstUse<Inner>>,
}

impl fmt::Debug for FrozenInterner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrozenInterner")
            .field("len", &self.len())
            .field("memory_usage", &self.memory_usage())
            .finish_non_exhaustive()
    }
}

impl FrozenInterner {
    pub(super) fn new(inner: FirstUse<Inner>) -> Self {
        Self { inner: Arc::new(inner) }
    }

    #[cfg(feature = "serde")]
    pub(super) fn inner(&self) -> Option<&Inner> {
        self.inner.made()
    }

    /// The symbol of `text`, if it was interned. Loads only.
    #[must_use]
    #[inline]
    pub fn get(&self, text: &str) -> Option<Symbol> {
        let inner = self.inner.made()?;
        inner.get(inner.hash(text), text)
    }

    /// The string of `symbol`; none if the interner has given no such symbol. Three loads.
    ///
    /// A symbol of another interner gives none or a string of this one.
    #[must_use]
    #[inline]
    pub fn resolve(&self, symbol: Symbol) -> Option<&str> {
        self.inner.made()?.resolve(symbol)
    }

    /// Whether `text` was interned. Loads only.
    #[must_use]
    #[inline]
    pub fn contains(&self, text: &str) -> bool {
        self.get(text).is_some()
    }

    /// Number of strings.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.inner.made().map_or(0, Inner::len)
    }

    /// Whether there is no string.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All strings and their symbols, in the order of symbols.
    pub fn iter(&self) -> impl Iterator<Item = (Symbol, &str)> + '_ {
        self.inner.made().into_iter().flat_map(Inner::strings)
    }

    /// Bytes taken from the region. One load.
    #[must_use]
    pub fn memory_usage(&self) -> usize {
        self.inner.made().map_or(0, |inner| inner.account().usage())
    }

    /// The region the strings are in; none if [`Interner::new`](crate::Interner::new) has made the interner and no string
    /// was interned.
    #[must_use]
    pub fn region(&self) -> Option<Region> {
        self.inner.region(|inner| inner.account().region().clone())
    }
}
