//! A text in any allocator. What edits it is in `edit.rs`, what it does because `str` does in `traits.rs`, `drain.rs`
//! takes a part out.
//!
//! - INV-collections.string-1: `bytes` is UTF-8 whenever a method of another returns or unwinds.
//!
//! It grows by `reserve.rs` alone, so no refusal ends the process.
#![expect(unsafe_code, reason = "bytes that are known to be UTF-8")]

mod drain;
mod edit;
mod traits;

use allocator_api2::alloc::Allocator;

use super::reserve::{reserve, reserve_exact};
use super::{ReserveError, Vec};
use crate::base::error::granted;
use crate::boxed::Box;

pub use drain::Drain;

/// A text in `A` that grows: std's `String`, with its methods (but `replace_range`, `extend_from_within` and those for
/// UTF-16) and their meaning, over any allocator.
///
/// As large as a [`Vec`] of bytes. Where std's would end the process for want of memory it panics with the refusal's
/// text; a method with `try_` returns it instead, and the text is as it was.
///
/// ```
/// use sharded_arena::{Heap, collections::String, format_in};
/// let heap = Heap::with_capacity(1 << 20)?;
/// let mut text = String::from_str_in("sharded", &heap);
/// text.push('-');
/// text += "arena";
/// assert_eq!((&text[..7], text.len()), ("sharded", 13));
/// assert_eq!(format_in!(&heap, "{text}!").into_boxed_str().to_uppercase(), "SHARDED-ARENA!");
///
/// let refused = text.try_reserve(2 << 20).unwrap_err();
/// assert_eq!((refused.requested(), refused.cause().unwrap().limit), (2_097_165, 1 << 20));
/// assert_eq!(text, "sharded-arena");
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
pub struct String<A: Allocator> {
    bytes: Vec<u8, A>,
}

impl<A: Allocator> String<A> {
    /// An empty text in `alloc`. Takes no memory.
    #[inline]
    pub const fn new_in(alloc: A) -> Self {
        Self { bytes: Vec::new_in(alloc) }
    }

    /// An empty text in `alloc`, with room for `capacity` bytes.
    ///
    /// # Panics
    /// If the allocator refuses.
    #[must_use]
    #[track_caller]
    pub fn with_capacity_in(capacity: usize, alloc: A) -> Self {
        granted(Self::try_with_capacity_in(capacity, alloc))
    }

    /// An empty text in `alloc`, with room for `capacity` bytes.
    ///
    /// # Errors
    /// If the allocator refuses.
    pub fn try_with_capacity_in(capacity: usize, alloc: A) -> Result<Self, ReserveError> {
        super::try_vec_with_capacity_in(capacity, alloc).map(|bytes| Self { bytes })
    }

    /// A copy of `text` in `alloc`, without room to spare.
    ///
    /// # Panics
    /// If the allocator refuses.
    #[must_use]
    #[track_caller]
    pub fn from_str_in(text: &str, alloc: A) -> Self {
        granted(Self::try_from_str_in(text, alloc))
    }

    /// A copy of `text` in `alloc`, without room to spare.
    ///
    /// # Errors
    /// If the allocator refuses.
    pub fn try_from_str_in(text: &str, alloc: A) -> Result<Self, ReserveError> {
        let mut copy = Self::try_with_capacity_in(text.len(), alloc)?;
        copy.try_push_str(text)?;
        Ok(copy)
    }

    /// The text of characters or strings, one behind the other, in `alloc`.
    ///
    /// # Panics
    /// If the allocator refuses.
    #[must_use]
    #[track_caller]
    pub fn from_iter_in<T>(parts: impl IntoIterator<Item = T>, alloc: A) -> Self
    where
        Self: Extend<T>,
    {
        let mut text = Self::new_in(alloc);
        text.extend(parts);
        text
    }

    /// Takes bytes that are UTF-8. Copies nothing.
    ///
    /// # Errors
    /// If they are not; they come back in the error.
    pub fn from_utf8(bytes: Vec<u8, A>) -> Result<Self, FromUtf8Error<A>> {
        match core::str::from_utf8(&bytes) {
            Ok(_) => Ok(Self { bytes }),
            Err(error) => Err(FromUtf8Error { error, bytes }),
        }
    }

    /// Takes bytes without looking at them.
    ///
    /// # Safety
    /// They are UTF-8.
    #[inline]
    #[must_use]
    pub unsafe fn from_utf8_unchecked(bytes: Vec<u8, A>) -> Self {
        Self { bytes }
    }

    /// A copy of `bytes` in `alloc`, with U+FFFD for each sequence that is not UTF-8.
    ///
    /// # Panics
    /// If the allocator refuses.
    #[must_use]
    #[track_caller]
    pub fn from_utf8_lossy_in(bytes: &[u8], alloc: A) -> Self {
        granted(Self::try_from_utf8_lossy_in(bytes, alloc))
    }

    /// A copy of `bytes` in `alloc`, with U+FFFD for each sequence that is not UTF-8.
    ///
    /// # Errors
    /// If the allocator refuses.
    pub fn try_from_utf8_lossy_in(bytes: &[u8], alloc: A) -> Result<Self, ReserveError> {
        let mut text = Self::try_with_capacity_in(bytes.len(), alloc)?;
        for chunk in bytes.utf8_chunks() {
            text.try_push_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                text.try_push(char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(text)
    }

    /// A copy in `alloc`, without room to spare.
    ///
    /// # Errors
    /// If the allocator refuses.
    pub fn try_clone_in<B: Allocator>(&self, alloc: B) -> Result<String<B>, ReserveError> {
        String::try_from_str_in(self, alloc)
    }

    // ---- what it is -----------------------------------------------------------------------------------------------

    /// The text.
    #[inline]
    #[must_use]
    pub fn as_str(&self) -> &str {
        // SAFETY: INV-collections.string-1.
        unsafe { core::str::from_utf8_unchecked(&self.bytes) }
    }

    /// The text, to change it in place.
    #[inline]
    #[must_use]
    pub fn as_mut_str(&mut self) -> &mut str {
        // SAFETY: INV-collections.string-1, and what has a `&mut str` keeps it so.
        unsafe { core::str::from_utf8_unchecked_mut(&mut self.bytes) }
    }

    /// The vector of the text's bytes.
    ///
    /// # Safety
    /// They are UTF-8 again when the borrow ends, also if that is by a panic.
    #[inline]
    #[must_use]
    pub unsafe fn as_mut_vec(&mut self) -> &mut Vec<u8, A> {
        &mut self.bytes
    }

    /// Bytes it has room for without growing, its text's included.
    #[inline]
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// The allocator.
    #[inline]
    #[must_use]
    pub fn allocator(&self) -> &A {
        self.bytes.allocator()
    }

    // ---- room -----------------------------------------------------------------------------------------------------

    /// Makes room for `more` bytes, and often some beyond.
    ///
    /// # Panics
    /// If the allocator refuses.
    #[track_caller]
    pub fn reserve(&mut self, more: usize) {
        granted(self.try_reserve(more));
    }

    /// Makes room for `more` bytes, and often some beyond.
    ///
    /// # Errors
    /// If the allocator refuses; nothing was changed.
    #[inline]
    pub fn try_reserve(&mut self, more: usize) -> Result<(), ReserveError> {
        reserve(&mut self.bytes, more)
    }

    /// Makes room for `more` bytes and none beyond.
    ///
    /// # Panics
    /// If the allocator refuses.
    #[track_caller]
    pub fn reserve_exact(&mut self, more: usize) {
        granted(self.try_reserve_exact(more));
    }

    /// Makes room for `more` bytes and none beyond.
    ///
    /// # Errors
    /// If the allocator refuses; nothing was changed.
    pub fn try_reserve_exact(&mut self, more: usize) -> Result<(), ReserveError> {
        reserve_exact(&mut self.bytes, more)
    }

    /// Gives the room beyond the text back, where the allocator takes it: an arena does if it is its last. An allocator
    /// that refuses, as no heap and no arena does, ends the process: the vector's own method asks it.
    pub fn shrink_to_fit(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Gives the room beyond the text and beyond `capacity` bytes back, where the allocator takes it; as
    /// [`shrink_to_fit`](Self::shrink_to_fit) where it refuses.
    pub fn shrink_to(&mut self, capacity: usize) {
        self.bytes.shrink_to(capacity);
    }

    // ---- what becomes of it ---------------------------------------------------------------------------------------

    /// Its bytes. Copies nothing.
    #[inline]
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8, A> {
        self.bytes
    }

    /// The text in a box, without the room beyond it.
    ///
    /// # Panics
    /// If the allocator refuses to shorten its block, which no heap and no arena does.
    #[must_use]
    #[track_caller]
    pub fn into_boxed_str(self) -> Box<str, A> {
        // SAFETY: INV-collections.string-1.
        unsafe { Box::from_utf8_unchecked(Box::from_vec(self.bytes)) }
    }

    /// Gives the text away for as long as the allocator's memory may live. The room beyond it goes with it; and the
    /// handle: a `Heap` by value never ends.
    #[inline]
    #[must_use = "the text would be lost"]
    pub fn leak<'a>(self) -> &'a mut str
    where
        A: 'a,
    {
        let bytes = self.bytes.leak();
        // SAFETY: INV-collections.string-1.
        unsafe { core::str::from_utf8_unchecked_mut(bytes) }
    }
}

/// A vector of bytes that are not UTF-8, and which comes back.
pub type FromUtf8Error<A> = crate::base::refusal::FromUtf8Error<Vec<u8, A>>;
