//! What the typed layers are refused with: the value that finds no memory and comes back, and [`ReserveError`], what
//! boxes and collections have instead of an [`AllocError`].
//!
//! Boxes and collections stand on the `Allocator` trait, whose error says nothing. So an allocator of this crate that
//! refuses through it leaves its figures beside the thread, and the next refusal that a box or collection reports there
//! takes them.
//!
//! - INV-base.refusal-1: where the allocator's type is known, figures are taken only if it is one of this crate. It has
//!   just refused, so they are its own. Where it is not known, in the conversions of other crates' errors, they are
//!   taken only if they are of the same size and alignment.

use core::alloc::Layout;
use core::cell::Cell;
use core::fmt;
use core::str::Utf8Error;
use std::error::Error;

use allocator_api2::collections::{TryReserveError, TryReserveErrorKind};

use super::error::AllocError;
use crate::sync::per_thread;

/// What an error does that gives a value back: `Debug` without the value, `Display` and `source` of the `error` it has.
macro_rules! gives_back {
    ([$($generic:tt)+] $type:ty, $name:literal) => {
        impl<$($generic)+> fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct($name).field("error", &self.error).finish_non_exhaustive()
            }
        }

        impl<$($generic)+> fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.error, f)
            }
        }

        impl<$($generic)+> Error for $type {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.error)
            }
        }
    };
}

per_thread! {
    /// The thread's last refusal through an `Allocator` of this crate, until a box or collection has reported it.
    static LAST: Cell<Option<AllocError>> = Cell::new(None);
}

/// Leaves the figures of a refusal through an `Allocator` beside the thread.
#[cold]
#[inline(never)]
pub(crate) fn note(error: &AllocError) {
    // Past the thread's end there may be no place for them.
    let _ = LAST.try_with(|last| last.set(Some(*error)));
}

/// Memory that a box or a collection was refused. Nothing was changed by the refusal.
///
/// The errors of `Vec::try_reserve` and `HashMap::try_reserve`, which have no figures, convert into it, so that `?`
/// works for all of them; [`collections::try_reserve`](crate::collections::try_reserve) returns it.
///
/// ```
/// use sharded_arena::collections::{HashMap, String};
/// use sharded_arena::{AllocErrorKind, Heap, LimitOwner, ReserveError};
/// fn fill(heap: &Heap) -> Result<(), ReserveError> {
///     let mut names: HashMap<u32, String<&Heap>, &Heap> = HashMap::new_in(heap);
///     names.try_reserve(1)?;
///     names.insert(1, String::try_from_str_in(&"long".repeat(5000), heap)?);
///     Ok(())
/// }
/// let refused = fill(&Heap::with_capacity(4096)?).unwrap_err();
/// assert_eq!(refused.requested(), 20_000);
/// let cause = refused.cause().unwrap();
/// assert_eq!((cause.kind, cause.limit_owner, cause.limit), (AllocErrorKind::LimitReached, LimitOwner::Region, 4096));
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReserveError {
    /// More than `isize::MAX` bytes, which no box and no collection can hold: ask for fewer.
    CapacityOverflow,
    /// The allocator refused. What helps is what helps against the `cause`.
    #[non_exhaustive]
    Refused {
        /// Bytes asked for, those that a collection had already included.
        requested: usize,
        /// Alignment asked for, in bytes.
        align: usize,
        /// Kind and figures of the refusal, of an allocator of this crate; `None` of another.
        cause: Option<AllocError>,
    },
}

impl ReserveError {
    /// Returns the bytes asked for, those that a collection had already included; `usize::MAX` for more than
    /// `isize::MAX`.
    #[must_use]
    pub fn requested(&self) -> usize {
        match *self {
            Self::CapacityOverflow => usize::MAX,
            Self::Refused { requested, .. } => requested,
        }
    }

    /// Returns kind and figures of the refusal, if an allocator of this crate refused.
    #[must_use]
    pub fn cause(&self) -> Option<AllocError> {
        match *self {
            Self::CapacityOverflow => None,
            Self::Refused { cause, .. } => cause,
        }
    }

    /// The refusal that an allocator of type `A` has just returned for `layout`.
    #[inline]
    pub(crate) fn by<A>(layout: Layout) -> Self {
        refused(layout, Some(core::any::type_name::<A>()))
    }

    /// As [`ReserveError::by`], of a vector's or string's block.
    #[cold]
    pub(crate) fn of_vec<A>(error: &TryReserveError) -> Self {
        match error.kind() {
            TryReserveErrorKind::CapacityOverflow => Self::CapacityOverflow,
            TryReserveErrorKind::AllocError { layout, .. } => Self::by::<A>(layout),
        }
    }

    /// As [`ReserveError::by`], of a table.
    #[cold]
    pub(crate) fn of_table<A>(error: &hashbrown::TryReserveError) -> Self {
        match *error {
            hashbrown::TryReserveError::CapacityOverflow => Self::CapacityOverflow,
            hashbrown::TryReserveError::AllocError { layout } => Self::by::<A>(layout),
        }
    }
}

/// The refusal of `layout` by an allocator of that type, if that is known (INV-base.refusal-1).
#[cold]
#[inline(never)]
fn refused(layout: Layout, allocator: Option<&str>) -> ReserveError {
    let (requested, align) = (layout.size(), layout.align());
    let own = allocator.is_none_or(|name| {
        let path = name.trim_start_matches('&').split("::").next();
        path == module_path!().split("::").next()
    });
    let noted = LAST.try_with(Cell::take).ok().flatten().filter(|_| own);
    ReserveError::Refused {
        requested,
        align,
        cause: noted.filter(|cause| (cause.requested, cause.align) == (requested, align)),
    }
}

impl fmt::Display for ReserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CapacityOverflow => write!(f, "capacity overflow: more than {} bytes asked for", isize::MAX),
            Self::Refused { cause: Some(cause), .. } => cause.fmt(f),
            Self::Refused { requested, align, cause: None } => {
                write!(f, "the allocator refused {requested} bytes (alignment {align})")
            }
        }
    }
}

impl Error for ReserveError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused { cause: Some(cause), .. } => Some(cause),
            _ => None,
        }
    }
}

impl From<AllocError> for ReserveError {
    fn from(cause: AllocError) -> Self {
        Self::Refused { requested: cause.requested, align: cause.align, cause: Some(cause) }
    }
}

impl From<TryReserveError> for ReserveError {
    /// The `cause` is the thread's last refusal by a heap or an arena, if that was of the same size and alignment.
    fn from(error: TryReserveError) -> Self {
        match error.kind() {
            TryReserveErrorKind::CapacityOverflow => Self::CapacityOverflow,
            TryReserveErrorKind::AllocError { layout, .. } => refused(layout, None),
        }
    }
}

impl From<hashbrown::TryReserveError> for ReserveError {
    /// The `cause` is the thread's last refusal by a heap or an arena, if that was of the same size and alignment.
    fn from(error: hashbrown::TryReserveError) -> Self {
        match error {
            hashbrown::TryReserveError::CapacityOverflow => Self::CapacityOverflow,
            hashbrown::TryReserveError::AllocError { layout } => refused(layout, None),
        }
    }
}

/// A value that no memory was found for, and which comes back: of an arena with an [`AllocError`], of a box with a
/// [`ReserveError`].
///
/// ```
/// # use sharded_arena::BumpRegion;
/// let region = BumpRegion::with_capacity(16)?;
/// let refused = region.try_alloc([7u8; 17]).unwrap_err();
/// assert_eq!((refused.error.requested, refused.into_value()), (17, [7; 17]));
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AllocValueError<T, E = AllocError> {
    /// Why, and what helps.
    pub error: E,
    /// The value, as it was given.
    pub value: T,
}

impl<T, E> AllocValueError<T, E> {
    /// Takes the value back.
    pub fn into_value(self) -> T {
        self.value
    }
}

gives_back! { [T, E: Error + 'static] AllocValueError<T, E>, "AllocValueError" }

/// A value that was not made: for want of memory, or because making it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllocOrInitError<E> {
    /// There was no memory for it. See [`AllocErrorKind`](crate::AllocErrorKind) for what helps.
    Alloc(AllocError),
    /// There was memory for it, which went back, and what was to make it failed with this.
    Init(E),
}

impl<E> From<AllocError> for AllocOrInitError<E> {
    fn from(error: AllocError) -> Self {
        Self::Alloc(error)
    }
}

impl<E: fmt::Display> fmt::Display for AllocOrInitError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alloc(error) => error.fmt(f),
            Self::Init(error) => write!(f, "the value could not be made: {error}"),
        }
    }
}

impl<E: Error + 'static> Error for AllocOrInitError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Alloc(error) => Some(error),
            Self::Init(error) => Some(error),
        }
    }
}

/// Bytes that are not UTF-8, and which come back. `from_utf8_lossy_in` makes a string of any bytes.
///
/// ```
/// use sharded_arena::{Heap, boxed::Box, collections::String, vec_in};
/// let heap = Heap::with_capacity(4096)?;
/// let refused = Box::from_utf8(Box::copy_from_slice_in(b"caf\xE9", &heap)).unwrap_err();
/// assert_eq!((refused.error.valid_up_to(), refused.bytes.len()), (3, 4));
///
/// let refused = String::from_utf8(vec_in![&heap; b'a', 0xFF]).unwrap_err();
/// assert_eq!(*String::from_utf8_lossy_in(refused.as_bytes(), &heap), *"a\u{FFFD}");
/// assert_eq!(refused.into_bytes(), [b'a', 0xFF]);
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FromUtf8Error<B> {
    /// Where they stop being UTF-8.
    pub error: Utf8Error,
    /// The bytes, as they were given.
    pub bytes: B,
}

impl<B> FromUtf8Error<B> {
    /// Takes the bytes back.
    pub fn into_bytes(self) -> B {
        self.bytes
    }

    /// Returns the bytes, as they were given.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8]
    where
        B: core::ops::Deref<Target = [u8]>,
    {
        &self.bytes
    }

    /// Returns where they stop being UTF-8.
    #[must_use]
    pub fn utf8_error(&self) -> Utf8Error {
        self.error
    }
}

gives_back! { [B] FromUtf8Error<B>, "FromUtf8Error" }
