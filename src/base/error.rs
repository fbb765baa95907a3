//! Errors: plain figures, and where the infallible methods end.
//!
//! The figures of one [`AllocError`] are read in the critical section that decided the refusal, so they belong
//! together. A refusal for want of a free range may need no section: then the longest range is of the moment that
//! decided, usage and limit of one right behind it.

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

/// Why a request for memory was refused, and what helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AllocErrorKind {
    /// Granting the request would take the memory usage above the limit, whose owner is [`AllocError::limit_owner`].
    ///
    /// Free or evict something, raise the limit ([`Heap::set_limit`](crate::Heap::set_limit),
    /// [`Region::set_limit`](crate::Region::set_limit)), or call [`Heap::flush`](crate::Heap::flush) on threads that
    /// hold freed blocks idle. [`Region::reserve`](crate::Region::reserve) charges what must not be refused later.
    LimitReached,
    /// The limit has room, but no free range is long enough.
    ///
    /// Free or evict more, so that neighbours join; ask for [`AllocError::largest_free`] bytes at most; or give the
    /// region a capacity above its limit. A long block that is allocated early is not refused for this.
    Fragmented,
    /// No address of the region has the alignment and room for the size behind it, however much is free.
    ///
    /// Lower the alignment, or make the region longer. Giving memory back does not help.
    Unplaceable,
    /// The size or the alignment is not one that any arena could serve.
    ///
    /// Ask for at most `isize::MAX` bytes; of a [`BlockArena`](crate::BlockArena), for one at least.
    InvalidLayout,
    /// The operating system, or the global allocator, refused what is needed outside of the limit: the addresses of a
    /// region at its first use, or a table. Tells how many bytes were asked for, and why they were refused.
    System(SystemRefusal),
}

/// Whose limit refused a request: the owner of [`AllocError::limit`] and [`AllocError::usage`].
///
/// ```
/// use sharded_arena::{Heap, LimitOwner, Region};
/// let region = Region::with_capacity(1 << 20)?;
/// let heap = Heap::builder().region(&region).limit(64 << 10).build()?;
/// let layout = std::alloc::Layout::new::<[u8; 100_000]>();
/// let refused = heap.alloc(layout).unwrap_err();
/// assert_eq!((refused.limit_owner, refused.limit), (LimitOwner::Heap, 64 << 10));
/// heap.set_limit(128 << 10); // the region has room
/// assert!(heap.alloc(layout).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LimitOwner {
    /// The region: what everything in it shares. The limit of a bump region is its capacity.
    Region,
    /// The region that a `new()` made, such as [`Arena::new`](crate::Arena::new): its capacity is what the machine has,
    /// or less. `with_capacity` makes a longer one.
    New,
    /// The heap that was asked, which has a limit of its own.
    Heap,
    /// The arena that was asked, or the scratch stack, or the arena that lends it: it has a limit of its own.
    Arena,
    /// The pool, interner or block arena that was asked, which has a limit of its own.
    Own,
}

/// A refused request. All figures are bytes; nothing was changed by the refusal. What helps depends on its
/// [`kind`](Self::kind), see [`AllocErrorKind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// Whose limit it is.
    pub limit_owner: LimitOwner,
}

/// The usage under the limit that refused, and whose it is.
struct InUse<'a>(&'a AllocError);

impl Display for InUse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AllocError { usage, limit, limit_owner, .. } = self.0;
        match limit_owner {
            LimitOwner::Region => write!(f, "{usage} of the region's {limit} bytes in use"),
            LimitOwner::Heap => write!(f, "{usage} of the heap's {limit} bytes in use"),
            LimitOwner::Arena => write!(f, "{usage} of the arena's {limit} bytes in use"),
            LimitOwner::Own => write!(f, "{usage} of its own {limit} bytes in use"),
            LimitOwner::New => write!(
                f,
                "{usage} of the {limit} bytes in use that `new` reserved (give a capacity to have another number)"
            ),
        }
    }
}

impl fmt::Display for AllocError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requested, align, largest_free, kind, .. } = self;
        let in_use = InUse(self);
        match kind {
            AllocErrorKind::LimitReached => write!(
                f,
                "limit reached: {requested} bytes (alignment {align}) asked for, {in_use}, longest free range \
                 {largest_free} bytes"
            ),
            AllocErrorKind::Fragmented => write!(
                f,
                "fragmented: no free range for {requested} bytes (alignment {align}), the longest is {largest_free} \
                 bytes, {in_use}"
            ),
            AllocErrorKind::Unplaceable => write!(
                f,
                "no place: no address of the region has {requested} bytes with alignment {align}, {in_use}; lower the \
                 alignment, or make the region longer"
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

/// A rewind that was refused. Nothing was changed: take a new checkpoint of the stack as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RewindError {
    /// The checkpoint is another scratch stack's: rewind that one.
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
    /// The address is outside the region: free it where it was allocated.
    OutOfRegion,
    /// The address is inside a live block, not at its start: free what the allocation returned.
    Interior,
    /// No live block begins at the address: it was never allocated, or it was freed already. A
    /// [checked](crate::HeapBuilder::checked) heap panics where that happens.
    NotLive,
    /// A live block begins there, but its length is not the layout's: free it with the layout of its allocation.
    /// [`Heap::usable_size`](crate::Heap::usable_size) returns the length there is, and the panic of a
    /// [checked](crate::HeapBuilder::checked) heap names it.
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
    /// No capacity was given, or 0. Give one: 4 KiB at least, a bump region 16 bytes, a best-fit arena one granule, a
    /// pool one slot.
    ZeroCapacity,
    /// No longer returned.
    #[deprecated(since = "0.1.0", note = "`AboveGreatest` has the figures")]
    TooLarge,
    /// The alignment is not a power of two: give one that is.
    BadAlignment,
    /// Base plus length passes the end of the address space: give a shorter length.
    Overflow,
    /// The base address is null: give another, which may be made up.
    NullBase,
    /// The operating system refused.
    System(std::io::Error),
    /// The capacity is below the least of that type: give more.
    #[non_exhaustive]
    BelowLeast {
        /// The capacity that was given, in `unit`. Of memory that the caller lends, what its alignment leaves.
        given: usize,
        /// The least, in `unit`.
        least: usize,
        /// What both are counted in: `"bytes"` or `"slots"`.
        unit: &'static str,
    },
    /// The capacity is above the greatest of that type: give less, or make several.
    #[non_exhaustive]
    AboveGreatest {
        /// The capacity that was given, in `unit`.
        given: usize,
        /// The greatest, in `unit`: 64 GiB − 4 KiB of a region, 2^32 − 256 granules of a best-fit arena, as many slots
        /// of a pool as fit into a region and into 32 bits.
        greatest: usize,
        /// What both are counted in: `"bytes"` or `"slots"`.
        unit: &'static str,
    },
}

impl RegionError {
    /// The refusal of a capacity below the least.
    #[cold]
    pub(crate) fn below(given: usize, least: usize) -> Self {
        if given == 0 { Self::ZeroCapacity } else { Self::BelowLeast { given, least, unit: "bytes" } }
    }

    /// The refusal of a capacity above the greatest.
    #[cold]
    pub(crate) fn above(given: usize, greatest: u64) -> Self {
        Self::AboveGreatest { given, greatest: usize::try_from(greatest).unwrap_or(usize::MAX), unit: "bytes" }
    }
}

impl fmt::Display for RegionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroCapacity => f.write_str(
                "no capacity given, or 0: the least is 4096 bytes (bump region: 16 bytes, best-fit arena: one granule, \
                 pool: one slot)",
            ),
            Self::BelowLeast { given, least, unit } => {
                write!(f, "capacity too small: {given} {unit} given, the least is {least}")
            }
            Self::AboveGreatest { given, greatest, unit } => {
                write!(f, "capacity too large: {given} {unit} given, the greatest is {greatest}")
            }
            #[expect(deprecated, reason = "it still has a text")]
            Self::TooLarge => f.write_str("capacity too large"),
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

/// A broken invariant that `verify()` found: a defect of this crate, or memory that something else wrote to.
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
