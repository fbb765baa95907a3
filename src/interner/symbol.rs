//! `Symbol`: a string's number in the interner that gave it. Pure numbers.

use core::fmt;
use core::num::NonZeroU32;

/// A string of an [`Interner`](crate::Interner): the number of strings that were interned before it.
///
/// Four bytes, and so is `Option<Symbol>`. Two strings of one interner are equal exactly if their symbols are; the
/// order of symbols is the order in which their strings came. Numbers begin at 0 without a gap, so that a `Vec` may be
/// indexed by them. A symbol does not know its interner: another one gives no string for it, or another string, and
/// nothing worse.
///
/// ```
/// use sharded_arena::{Interner, Symbol};
/// let names = Interner::new();
/// let (ada, grace) = (names.intern("ada")?, names.intern("grace")?);
/// assert_eq!((ada.index(), u32::from(grace)), (0, 1));
/// assert_eq!(Symbol::from_index(1), Some(grace));
/// assert_eq!(grace.to_string(), "#1");
/// assert_eq!(size_of::<Option<Symbol>>(), 4);
/// # Ok::<(), sharded_arena::AllocError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Symbol(NonZeroU32);

impl Symbol {
    /// The symbol of string `number`, of which there are fewer than `u32::MAX`.
    #[inline(always)]
    pub(super) const fn of(number: u32) -> Symbol {
        debug_assert!(number != u32::MAX, "an interner has no such number");
        Symbol(NonZeroU32::MIN.saturating_add(number))
    }

    /// How many strings were interned before this one.
    #[must_use]
    #[inline]
    pub const fn index(self) -> usize {
        self.0.get() as usize - 1
    }

    /// The symbol with this [`index`](Self::index), whether an interner has given it or not; none from `u32::MAX` on.
    #[must_use]
    #[inline]
    pub const fn from_index(index: usize) -> Option<Symbol> {
        if index >= u32::MAX as usize {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "below u32::MAX")]
        Some(Symbol::of(index as u32))
    }
}

/// Its [`index`](Symbol::index).
impl From<Symbol> for u32 {
    #[inline]
    fn from(symbol: Symbol) -> u32 {
        symbol.0.get() - 1
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Symbol({})", self.index())
    }
}

/// A mark and the index: `#12`. What stands for the string where the interner is out of reach.
impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.index())
    }
}
