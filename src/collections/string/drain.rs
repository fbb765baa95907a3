//! A part of a text that is taken out, character by character.
#![expect(unsafe_code, reason = "bytes that are known to be UTF-8")]

use core::fmt;
use core::iter::FusedIterator;
use core::ops::{Bound, RangeBounds};

use allocator_api2::alloc::Allocator;
use allocator_api2::vec;

use super::String;

/// The characters of a part of a text, which is gone when this goes; see [`String::drain`].
pub struct Drain<'t, A: Allocator> {
    /// UTF-8, whole characters of which are taken. Leaked, it leaves what stood before the part, which is UTF-8 too.
    bytes: vec::Drain<'t, u8, A>,
}

impl<A: Allocator> String<A> {
    /// Takes a part out: its characters, and when the iterator goes, all of it. If the iterator is leaked, what stands
    /// behind the part is lost too.
    ///
    /// # Panics
    /// If an end of the part is not between two characters, or it ends before it begins.
    #[track_caller]
    pub fn drain(&mut self, part: impl RangeBounds<usize>) -> Drain<'_, A> {
        let begin = match part.start_bound() {
            Bound::Included(at) => *at,
            Bound::Excluded(at) => at.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match part.end_bound() {
            Bound::Included(at) => at.saturating_add(1),
            Bound::Excluded(at) => *at,
            Bound::Unbounded => self.len(),
        };
        assert!(begin <= end, "the part begins at byte {begin} and ends at byte {end}");
        self.assert_boundary(begin);
        self.assert_boundary(end);
        Drain { bytes: self.bytes.drain(begin..end) }
    }
}

impl<A: Allocator> Drain<'_, A> {
    /// What was not yet taken of the part.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // SAFETY: a part between characters, of which whole characters were taken (INV-collections.string-1).
        unsafe { core::str::from_utf8_unchecked(self.bytes.as_slice()) }
    }
}

impl<A: Allocator> Iterator for Drain<'_, A> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let c = self.as_str().chars().next()?;
        self.bytes.by_ref().take(c.len_utf8()).for_each(drop);
        Some(c)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.as_str().chars().size_hint()
    }
}

impl<A: Allocator> DoubleEndedIterator for Drain<'_, A> {
    fn next_back(&mut self) -> Option<char> {
        let c = self.as_str().chars().next_back()?;
        self.bytes.by_ref().rev().take(c.len_utf8()).for_each(drop);
        Some(c)
    }
}

impl<A: Allocator> FusedIterator for Drain<'_, A> {}

impl<A: Allocator> fmt::Debug for Drain<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Drain").field(&self.as_str()).finish()
    }
}
