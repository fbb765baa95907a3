//! What boxes are refused with: figures, and whatever was to go into the box.

use core::alloc::Layout;
use core::fmt;
use core::str::Utf8Error;

use crate::base::error::gives_back;

/// A block that the allocator refused, or that is longer than any can be. Nothing was changed by the refusal.
///
/// ```
/// use sharded_arena::{Heap, boxed::Box};
/// let heap = Heap::with_capacity(4096)?;
/// let refused = Box::try_copy_from_slice_in(&[7u16; 5000], &heap).unwrap_err();
/// assert_eq!((refused.requested, refused.align), (10_000, 2));
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockError {
    /// Bytes asked for; `usize::MAX` if that is too small a number.
    pub requested: usize,
    /// Alignment asked for, in bytes.
    pub align: usize,
}

impl BlockError {
    pub(super) fn of(layout: Layout) -> Self {
        Self { requested: layout.size(), align: layout.align() }
    }
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requested, align } = self;
        write!(f, "the allocator refused a box of {requested} bytes (alignment {align})")
    }
}

impl std::error::Error for BlockError {}

/// A value that a box found no memory for, and which comes back.
///
/// ```
/// use sharded_arena::{Heap, boxed::Box};
/// let heap = Heap::with_capacity(4096)?;
/// let refused = Box::try_new_in([7u8; 5000], &heap).unwrap_err();
/// assert_eq!((refused.error.requested, refused.into_value()), (5000, [7; 5000]));
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TryNewError<T> {
    /// Why.
    pub error: BlockError,
    /// The value, as it was given.
    pub value: T,
}

impl<T> TryNewError<T> {
    /// Takes the value back.
    pub fn into_value(self) -> T {
        self.value
    }
}

gives_back! { TryNewError<T> }

/// Bytes that are no text, and which come back.
///
/// ```
/// use sharded_arena::{Heap, boxed::Box};
/// let heap = Heap::with_capacity(4096)?;
/// let refused = Box::from_utf8(Box::copy_from_slice_in(b"caf\xE9", &heap)).unwrap_err();
/// assert_eq!((refused.error.valid_up_to(), refused.bytes.len()), (3, 4));
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FromUtf8Error<B> {
    /// Why.
    pub error: Utf8Error,
    /// The bytes, as they were given.
    pub bytes: B,
}

impl<B> FromUtf8Error<B> {
    /// Takes the bytes back.
    pub fn into_bytes(self) -> B {
        self.bytes
    }
}

gives_back! { FromUtf8Error<B> }
