//! `Interner`: strings to dense numbers and back, from any thread, within a region's limit.
//!
//! One request walks through the files like this: the hash leads to a shard's table (`index.rs`), an entry of that to a
//! record (`text.rs`), which has the number; what is not there yet is put there under the shard's lock (`shard.rs`),
//! with the next number (`inner.rs`). `symbol.rs` is the number, `frozen.rs` the reader, `read.rs` the methods of
//! both, and `serialize.rs` reads and writes them.

use crate::base::error::{AllocError, AllocErrorKind, RegionError};
use crate::region::{FirstUse, Region, client_limits};

mod builder;
mod frozen;
mod index;
mod inner;
mod read;
#[cfg(feature = "serde")]
mod serialize;
mod shard;
mod symbol;
#[cfg(all(test, not(loom)))]
mod tests;
mod text;

pub use builder::InternerBuilder;
pub use frozen::FrozenInterner;
#[cfg(all(test, loom))]
pub(crate) use index::Hash;
pub(crate) use inner::Inner;
pub use read::InternerIter;
use read::reading_methods;
pub use symbol::Symbol;

/// Strings, each once, that many threads intern: equal strings get equal [`Symbol`]s, which lead back to the string.
///
/// Symbols are numbered from 0 without a gap, in the order in which the strings came. To intern a string that is there
/// already, [`get`](Self::get) and [`resolve`](Self::resolve) take no lock and no atomic read-modify-write; a new
/// string takes the lock of one of several shards. Nothing is ever taken out. All memory is the region's: its limit
/// holds over all threads, at every moment, and a refused string changes nothing.
///
/// It has no statistics beyond [`memory_usage`](Self::memory_usage) and [`len`](Self::len), and nothing of its own to
/// verify: see [`Region::verify`].
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
#[doc(alias = "Rodeo")]
pub struct Interner {
    inner: FirstUse<Inner>,
}

impl Default for Interner {
    fn default() -> Self {
        Self::new()
    }
}

impl Interner {
    /// An interner that only its region's capacity bounds, which is made at its first use, as long as
    /// [`Arena::new`](crate::Arena::new) says. A page of it becomes memory when it is first touched.
    #[must_use]
    pub fn new() -> Interner {
        Self::in_home(None, usize::MAX)
    }

    /// An interner that shares `region` and its limit with arenas, heaps and other interners. Takes nothing until used.
    #[must_use]
    pub fn in_region(region: &Region) -> Interner {
        Self::in_home(Some(region.clone()), usize::MAX)
    }

    /// An interner with a region of its own, whose capacity and limit is `bytes`.
    ///
    /// # Errors
    /// `ZeroCapacity` for 0, `BelowLeast` below 4 KiB, `AboveGreatest` above 64 GiB − 4 KiB, `System` if the operating
    /// system refuses.
    pub fn with_capacity(bytes: usize) -> Result<Interner, RegionError> {
        Self::builder().capacity(bytes).build()
    }

    /// An interner with options.
    pub fn builder() -> InternerBuilder {
        InternerBuilder::default()
    }

    fn in_home(region: Option<Region>, limit: usize) -> Interner {
        Interner { inner: FirstUse::new(region, limit) }
    }

    /// The symbol of `text`: the one it has, or else the next.
    ///
    /// For a string that is there already, loads only; a hash and a comparison over its length. A new one is copied,
    /// under the lock of a shard, which now and then asks the region for more memory, and makes its table twice as
    /// long.
    ///
    /// # Errors
    /// Only for a new string; then nothing has changed, but perhaps the region's peak, and every string that is there
    /// is still found. Where one piece of what is needed is refused, the others were taken for a moment. `LimitReached`
    /// or `Fragmented` when the region refuses what is needed, or when there are 2³² − 1 strings; the error names the
    /// bytes that were needed together: of the string's record, of 4 KiB of numbers, of a shard's longer table.
    /// `InvalidLayout` for a string of 4 GiB or more. `System` if the system refuses the addresses or tables of a first
    /// use.
    #[doc(alias = "get_or_intern")]
    #[inline(always)]
    pub fn intern(&self, text: &str) -> Result<Symbol, AllocError> {
        match self.inner.made() {
            Some(inner) => inner.intern(inner.hash(text), text),
            None => self.intern_first(text),
        }
    }

    /// Ends the interning: a reader of the same strings by the same symbols, which may be cloned. Gives the
    /// tables back that had become too short, about a quarter of the memory.
    #[doc(alias = "into_reader")]
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
        let refusal = |system| Region::refusal_of(self.region(), text.len(), 1, AllocErrorKind::System(system));
        let inner = self.inner.make(Inner::open, |_| ()).map_err(refusal)?;
        inner.intern(inner.hash(text), text)
    }
}

reading_methods! { Interner }
client_limits! { [] Interner: |strings| strings.inner }
