//! Errors: plain figures, no behaviour.
//!
//! The figures of one [`AllocError`] are read in the critical section that decided the refusal, so they belong together.

use core::fmt;

/// Why a request for memory was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AllocErrorKind {
    /// Granting the request would take the memory usage above the limit.
    LimitReached,
    /// The limit has room, but no free range is long enough.
    Fragmented,
    /// The size or the alignment is not one that any arena could serve.
    InvalidLayout,
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
            AllocErrorKind::InvalidLayout => {
                write!(f, "invalid layout: {requested} bytes with alignment {align}")
            }
        }
    }
}

impl std::error::Error for AllocError {}

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
    /// The capacity is below the least (4 KiB for a region, one granule for a best-fit arena).
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
            Self::ZeroCapacity => f.write_str("capacity too small: the least is 4 KiB (best-fit arena: one granule)"),
            Self::TooLarge => f.write_str("capacity too large: the greatest is 64 GiB - 4 KiB (2^32 - 256 granules)"),
            Self::BadAlignment => f.write_str("bad alignment: it must be a power of two"),
            Self::Overflow => f.write_str("base + length passes the end of the address space"),
            Self::NullBase => f.write_str("the base address is null"),
            Self::System(error) => write!(f, "the operating system refused: {error}"),
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

/// A refused request for the memory of a value, which comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AllocValueError<T> {
    /// Why, with the figures.
    pub error: AllocError,
    /// The value that found no memory.
    pub value: T,
}

impl<T> fmt::Debug for AllocValueError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllocValueError").field("error", &self.error).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for AllocValueError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<T> std::error::Error for AllocValueError<T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// A checkpoint to which a scratch stack cannot go back. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RewindError {
    /// The checkpoint is of another scratch stack.
    Foreign,
    /// The stack was reset after the checkpoint was taken.
    Stale,
    /// A rewind to an earlier checkpoint has undone this one.
    OutOfOrder,
}

impl fmt::Display for RewindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => "the checkpoint belongs to another scratch stack",
            Self::Stale => "the checkpoint is from before a reset of its scratch stack",
            Self::OutOfOrder => "the checkpoint was undone by a rewind to an earlier one",
        })
    }
}

impl std::error::Error for RewindError {}
