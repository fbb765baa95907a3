//! Errors: plain figures, and where the infallible methods end.
//!
//! The figures of one [`AllocError`] are read in the critical section that decided the refusal, so they belong
//! together.

use core::fmt::{self, Display};

use super::system::{HINT, SystemRefusal};

/// Returns the value, or panics with the error's text: where the infallible methods end.
#[inline(always)]
#[track_caller]
pub(crate) fn granted<T, E: Display>(answer: Result<T, E>) -> T {
    match answer {
        Ok(value) => value,
        Err(error) => refused(&error),
    }
}

#[cold]
#[inline(never)]
#[track_caller]
pub(crate) fn refused(error: &impl Display) -> ! {
    panic!("{error}")
}

/// What an error does that gives a value back: `Debug` without the value, `Display` and `source` of the `error` it has.
macro_rules! gives_back {
    ($type:ident<$generic:ident $(: $bound:path)?>) => {
        impl<$generic $(: $bound)?> core::fmt::Debug for $type<$generic> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_struct(stringify!($type)).field("error", &self.error).finish_non_exhaustive()
            }
        }

        impl<$generic $(: $bound)?> core::fmt::Display for $type<$generic> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(&self.error, f)
            }
        }

        impl<$generic $(: $bound)?> std::error::Error for $type<$generic> {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                Some(&self.error)
            }
        }
    };
}
pub(crate) use gives_back;

/// Why a request for memory was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AllocErrorKind {
    /// Granting the request would take the memory usage above the limit.
    LimitReached,
    /// The limit has room, but no free range is long enough.
    Fragmented,
    /// No address of the region has the alignment and room for the size behind it, however much is free. A lower
    /// alignment or a longer region helps; giving memory back does not.
    Unplaceable,
    /// The size or the alignment is not one that any arena could serve.
    InvalidLayout,
    /// The operating system, or the global allocator, refused what is needed outside of the limit: the addresses of a
    /// region at its first use, or a table. Tells how many bytes were asked for, and why they were refused.
    System(SystemRefusal),
}

/// A refused request. All figures are bytes; nothing was changed by the refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AllocError {
    /// Bytes asked for.
    pub requested: usize,
    /// Alignment asked for, in bytes.
    pub align: usize,
    /// Memory usage under the limit that refused, in bytes, when it refused.
    pub usage: usize,
    /// The limit that refused, in bytes.
    pub limit: usize,
    /// Longest free range of the region, in bytes, when the request was refused.
    pub largest_free: usize,
    /// Why.
    pub kind: AllocErrorKind,
}

impl fmt::Display for AllocError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requested, align, usage, limit, largest_free, kind } = self;
        match kind {
            AllocErrorKind::LimitReached => write!(
                f,
                "limit reached: {requested} bytes (alignment {align}) asked for, {usage} of {limit} bytes in use, \
                 longest free range {largest_free} bytes"
            ),
            AllocErrorKind::Fragmented => write!(
                f,
                "fragmented: no free range for {requested} bytes (alignment {align}), the longest is {largest_free} \
                 bytes, {usage} of {limit} bytes in use"
            ),
            AllocErrorKind::Unplaceable => write!(
                f,
                "no place: no address of the region has {requested} bytes with alignment {align}, {usage} of {limit} \
                 bytes in use; lower the alignment, or make the region longer"
            ),
            AllocErrorKind::InvalidLayout => {
                write!(f, "invalid layout: {requested} bytes with alignment {align}")
            }
            AllocErrorKind::System(refusal) => {
                write!(f, "no memory for {requested} bytes (alignment {align}): {refusal}")
            }
        }
    }
}

impl std::error::Error for AllocError {}

/// A value that no memory was found for, and which comes back.
///
/// ```
/// # use sharded_arena::BumpRegion;
/// let region = BumpRegion::with_capacity(16)?;
/// let refused = region.try_alloc([7u8; 17]).unwrap_err();
/// assert_eq!((refused.error.requested, refused.into_value()), (17, [7; 17]));
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AllocValueError<T> {
    /// Why.
    pub error: AllocError,
    /// The value, as it was given.
    pub value: T,
}

impl<T> AllocValueError<T> {
    /// Takes the value back.
    pub fn into_value(self) -> T {
        self.value
    }
}

gives_back! { AllocValueError<T> }

/// A value that was not made: for want of memory, or because making it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllocOrInitError<E> {
    /// There was no memory for it.
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

impl<E: std::error::Error + 'static> std::error::Error for AllocOrInitError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Alloc(error) => Some(error),
            Self::Init(error) => Some(error),
        }
    }
}

/// A rewind that was refused. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RewindError {
    /// The checkpoint is another scratch stack's.
    Foreign,
    /// The scratch stack was reset since the checkpoint was made.
    Stale,
    /// The scratch stack was rewound to before the checkpoint.
    OutOfOrder,
}

impl fmt::Display for RewindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => "invalid rewind: the checkpoint is another scratch stack's",
            Self::Stale => "invalid rewind: the scratch stack was reset since the checkpoint was made",
            Self::OutOfOrder => "invalid rewind: the scratch stack was rewound to before the checkpoint",
        })
    }
}

impl std::error::Error for RewindError {}

/// A free that was refused. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FreeError {
    /// The address is outside the region.
    OutOfRegion,
    /// The address is inside a live block, not at its start.
    Interior,
    /// No live block begins at the address: it was never allocated, or it was freed already.
    NotLive,
    /// A live block begins there, but its length is not the layout's.
    WrongLayout,
}

impl fmt::Display for FreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfRegion => "invalid free: the address is outside the region",
            Self::Interior => "invalid free: the address is inside a block, not at its start",
            Self::NotLive => "invalid free: no live block begins there (never allocated, or freed already)",
            Self::WrongLayout => "invalid free: the block has another length than the layout, or another alignment",
        })
    }
}

impl std::error::Error for FreeError {}

/// A region, heap or arena that could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum RegionError {
    /// The capacity is below the least (4 KiB for a region, 16 bytes for a bump region, one granule for a best-fit
    /// arena).
    ZeroCapacity,
    /// The capacity is above the greatest (64 GiB − 4 KiB with 16-byte granules).
    TooLarge,
    /// The alignment is not a power of two.
    BadAlignment,
    /// Base plus length passes the end of the address space.
    Overflow,
    /// The base address is null.
    NullBase,
    /// The operating system refused.
    System(std::io::Error),
}

impl fmt::Display for RegionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroCapacity => f.write_str(
                "capacity too small, or none given: the least is 4 KiB (bump region: 16 bytes, best-fit arena: one \
                 granule, pool: one slot)",
            ),
            Self::TooLarge => {
                f.write_str("capacity too large: the greatest is 64 GiB - 4 KiB (pool: 2^32 - 1 slots that fit)")
            }
            Self::BadAlignment => f.write_str("bad alignment: it must be a power of two"),
            Self::Overflow => f.write_str("base + length passes the end of the address space"),
            Self::NullBase => f.write_str("the base address is null"),
            Self::System(error) => write!(f, "the operating system refused: {error}; {HINT}"),
        }
    }
}

impl std::error::Error for RegionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::System(error) => Some(error),
            _ => None,
        }
    }
}

impl From<SystemRefusal> for RegionError {
    fn from(refusal: SystemRefusal) -> Self {
        Self::System(refusal.cause())
    }
}

impl From<std::io::Error> for RegionError {
    fn from(error: std::io::Error) -> Self {
        Self::System(error)
    }
}

/// A broken invariant that `verify()` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyError {
    /// What does not hold.
    pub what: &'static str,
    /// Byte offset in the region at which it was seen, where there is one.
    pub offset: usize,
    /// The figure that was expected.
    pub expected: usize,
    /// The figure that was found.
    pub found: usize,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, offset, expected, found } = self;
        write!(f, "{what} (offset {offset}: expected {expected}, found {found})")
    }
}

impl std::error::Error for VerifyError {}
