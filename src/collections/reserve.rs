//! How everything in `collections` grows: [`ReserveError`], and one function that asks for less before it gives up.

use core::fmt;

use allocator_api2::alloc::Allocator;
use allocator_api2::collections::{TryReserveError, TryReserveErrorKind};

use super::Vec;
use crate::alloc::making::double;

/// Room that a collection was refused. Nothing was changed by the refusal.
///
/// The errors of `Vec::try_reserve` and `HashMap::try_reserve` convert into it, so that `?` works for all three.
///
/// ```
/// use sharded_arena::Heap;
/// use sharded_arena::collections::{HashMap, ReserveError, String};
/// fn fill(heap: &Heap) -> Result<(), ReserveError> {
///     let mut names: HashMap<u32, String<&Heap>, &Heap> = HashMap::new_in(heap);
///     names.try_reserve(1)?;
///     names.insert(1, String::try_from_str_in(&"long".repeat(5000), heap)?);
///     Ok(())
/// }
/// let refused = fill(&Heap::with_capacity(4096)?).unwrap_err();
/// assert_eq!(refused, ReserveError::Refused { requested: 20_000, align: 1 });
/// assert_eq!(refused.to_string(), "the allocator refused 20000 bytes (alignment 1)");
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReserveError {
    /// More than `isize::MAX` bytes, which no collection can hold.
    CapacityOverflow,
    /// The allocator refused.
    Refused {
        /// Bytes asked for, those that the collection had already included.
        requested: usize,
        /// Alignment asked for, in bytes.
        align: usize,
    },
}

impl fmt::Display for ReserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CapacityOverflow => write!(f, "capacity overflow: more than {} bytes asked for", isize::MAX),
            Self::Refused { requested, align } => {
                write!(f, "the allocator refused {requested} bytes (alignment {align})")
            }
        }
    }
}

impl std::error::Error for ReserveError {}

impl From<TryReserveError> for ReserveError {
    fn from(error: TryReserveError) -> Self {
        match error.kind() {
            TryReserveErrorKind::CapacityOverflow => Self::CapacityOverflow,
            TryReserveErrorKind::AllocError { layout, .. } => {
                Self::Refused { requested: layout.size(), align: layout.align() }
            }
        }
    }
}

impl From<hashbrown::TryReserveError> for ReserveError {
    fn from(error: hashbrown::TryReserveError) -> Self {
        match error {
            hashbrown::TryReserveError::CapacityOverflow => Self::CapacityOverflow,
            hashbrown::TryReserveError::AllocError { layout } => {
                Self::Refused { requested: layout.size(), align: layout.align() }
            }
        }
    }
}

/// Room for `more` values beyond the vector's length. A refusal leaves it as it was.
#[inline]
pub(super) fn reserve<T, A: Allocator>(values: &mut Vec<T, A>, more: usize) -> Result<(), ReserveError> {
    if values.capacity() - values.len() >= more { Ok(()) } else { grow(values, more) }
}

#[cold]
fn grow<T, A: Allocator>(values: &mut Vec<T, A>, more: usize) -> Result<(), ReserveError> {
    let first = if size_of::<T>() > 64 { 1 } else { 64 / size_of::<T>().max(1) };
    let needed = values.len().checked_add(more).ok_or(ReserveError::CapacityOverflow)?;
    double(values.capacity(), needed, first, |slots| Ok(values.try_reserve_exact(slots - values.len())?))
}
