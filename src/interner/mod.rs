//! `Interner`: strings to dense numbers and back, from any thread, within a region's limit.
//!
//! One request walks through the files like this: the hash leads to a shard's table (`index.rs`), an entry of that to a
//! record (`text.rs`), which has the number; what is not there yet is put there under the shard's lock (`shard.rs`), with
//! the next number (`inner.rs`). `symbol.rs` is the number, `frozen.rs` the reader, and
//! `serialize.rs` reads and writes them.

use core::fmt;

use crate::base::error::{AllocError, AllocErrorKind, RegionError};
use crate::region::{FirstUse, Region};

mod frozen;
mod index;
mod inner;
#[cfg(feature = "serde")]
mod serialize;
mod shard;
mod symbol;
#[cfg(all(test, not(loom)))]
mod tests;
mod text;

pub use frozen::FrozenInterner;
#[cfg(all(test, loom))]
pub(crate) use index::Hash;
pub(crate) use inner::Inner;
pub use symbol::Symbol;

/// Strings, each once, that many threads intern: equal strings get equal [`Symbol`]s, which lead back to the string.
///
/// Symbols are numbered from 0 without a gap, in the order in which the strings came. To intern a string that is there
/// already, [`get`](Self::get) and [`resolve`](Self::resolve) take no lock and no atomic read-modify-write; a new string
/// takes the lock of one of several shards. Nothing is ever taken out. All memory is the region's: its limit holds over
/// all threads, at every moment, and a refused string changes nothing.
///
/// Hashes are seeded at random, for each interner; the hash function is fast, not cryptographic.
///
/// ```
/// use sharded_arena::Interner;
///
/// let names = Interner::with_capacity(1 << 20)?; // bytes, for all threads together
/// std::thread::scope(|scope| {
///     for _ in 0..2 {
///         scope.spawn(|| ["alpha", "beta", "alpha"].map(|name| names.intern(name).unwrap()));
///     }
/// });
/// assert_eq!(names.len(), 2);
/// let alpha = names.intern("alpha")?;
/// assert_eq!(names.get("alpha"), Some(alpha));
/// assert_eq!(names.resolve(alpha), Some("alpha"));
/// assert_eq!(names.get("gamma"), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Interner {
    inner: FirstUse<Inner>,
}

impl Default for Interner {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Interner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interner")
            .field("len", &self.len())
            .field("memory_usage", &self.memory_usage())
            .finish_non_exhaustive()
    }
}

impl Interner {
    /// An interner without a limit of its own. Reserves nothing until it is used; then as much address space as the machine
    /// has memory (at most 64 GiB), of which a page becomes memory when it is first touched.
    #[must_use]
    pub fn new() -> Interner {
        Interner { inner: FirstUse::new(None) }
    }

    /// An interner that shares `region` and its limit with arenas, heaps and other interners. Takes nothing until used.
    #[must_use]
    pub fn in_region(region: &Region) -> Interner {
        Interner { inner: FirstUse::new(Some(region.clone())) }
    }

    /// An interner with a region of its own, whose capacity and limit is `bytes`.
    ///
    /// # Errors
    /// `ZeroCapacity` below 4 KiB, `TooLarge` above 64 GiB − 4 KiB, `System` if the operating system refuses.
    pub fn with_capacity(bytes: usize) -> Result<Interner, RegionError> {
        Ok(Interner { inner: FirstUse::new(Some(Region::with_capacity(bytes)?)) })
    }

    /// The symbol of `text`: the one it has, or else the next.
    ///
    /// For a string that is there already, loads only; a hash and a comparison over its length. A new one is copied, under
    /// the lock of a shard, which now and then asks the region for more memory, and makes its table twice as long.
    ///
    /// # Errors
    /// Only for a new string; then nothing has changed, but perhaps the region's peak, and every string that is there is still
    /// found. Where one piece of what is needed is refused, the others were taken for a moment. `LimitReached` or
    /// `Fragmented` when the region refuses what is needed, or when there are 2³² − 1 strings; the error names the bytes
    /// that were needed together: of the string's record, of 4 KiB of numbers, of a shard's longer table. `InvalidLayout` for a string of
    /// 4 GiB or more.
    #[inline(always)]
    pub fn intern(&self, text: &str) -> Result<Symbol, AllocError> {
        match self.inner.made() {
            Some(inner) => inner.intern(inner.hash(text), text),
            None => self.intern_first(text),
        }
    }

    /// The symbol of `text`, if it was interned. Takes no lock.
    ///
    /// What another thread is just interning may be found or not; what its `intern` has returned for is.
    #[must_use]
    #[inline]
    pub fn get(&self, text: &str) -> Option<Symbol> {
        let inner = self.inner.made()?;
        inner.get(inner.hash(text), text)
    }

    /// The string of `symbol`; none if this interner has given no such symbol. Takes no lock; three loads. The string stays
    /// where it is as long as the interner.
    ///
    /// A symbol of another interner gives none or a string of this one.
    #[must_use]
    #[inline]
    pub fn resolve(&self, symbol: Symbol) -> Option<&str> {
        self.inner.made()?.resolve(symbol)
    }

    /// Whether `text` was interned. Takes no lock.
    #[must_use]
    #[inline]
    pub fn contains(&self, text: &str) -> bool {
        self.get(text).is_some()
    }

    /// Number of strings: every symbol's index is below it. One load.
    ///
    /// Those that other threads are just interning are counted as soon as they cannot be refused any more, a moment before
    /// they can be resolved.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.inner.made().map_or(0, Inner::len)
    }

    /// Whether no string was interned.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All strings and their symbols, in the order of symbols. Takes no lock.
    ///
    /// What is interned after the iteration has begun is left out, and so is what other threads are just interning.
    pub fn iter(&self) -> impl Iterator<Item = (Symbol, &str)> + '_ {
        self.inner.made().into_iter().flat_map(Inner::strings)
    }

    /// Bytes taken from the region: text, tables, what is kept for the next strings. One load. The region counts the same.
    ///
    /// At most 2.2 times the bytes of text and 64 bytes a string, beside some KiB at the beginning.
    #[must_use]
    pub fn memory_usage(&self) -> usize {
        self.inner.made().map_or(0, |inner| inner.account().usage())
    }

    /// The region the interner is in; none before the first use of one made by [`Interner::new`].
    #[must_use]
    pub fn region(&self) -> Option<Region> {
        self.inner.region(|inner| inner.account().region().clone())
    }

    /// Ends the interning: a reader of the same strings by the same symbols, which may be cloned. Gives the
    /// tables back that had become too short, about a quarter of the memory.
    #[must_use]
    pub fn freeze(mut self) -> FrozenInterner {
        if let Some(inner) = self.inner.made_mut() {
            inner.give_back_old_tables();
        }
        FrozenInterner::new(self.inner)
    }

    /// The first string.
    #[cold]
    #[inline(never)]
    fn intern_first(&self, text: &str) -> Result<Symbol, AllocError> {
        let refused = |kind| match self.region() {
            Some(region) => region.refusal(text.len(), 1, kind),
            None => AllocError { requested: text.len(), align: 1, usage: 0, limit: usize::MAX, largest_free: 0, kind },
        };
        let inner = self.inner.make(Inner::open, |_| ()).map_err(|_| refused(AllocErrorKind::LimitReached))?;
        inner.intern(inner.hash(text), text)
    }
}
