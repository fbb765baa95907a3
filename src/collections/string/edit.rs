//! What changes a text. A place in it is a number of bytes, and must lie between two characters.

use allocator_api2::alloc::Allocator;

use super::super::{ReserveError, Vec};
use super::String;
use crate::base::error::granted;

impl<A: Allocator> String<A> {
    /// Adds a character.
    ///
    /// # Panics
    /// If the allocator refuses.
    #[inline]
    #[track_caller]
    pub fn push(&mut self, c: char) {
        granted(self.try_push(c));
    }

    /// Adds a character.
    ///
    /// # Errors
    /// If the allocator refuses; the text is as it was.
    #[inline]
    pub fn try_push(&mut self, c: char) -> Result<(), ReserveError> {
        self.try_push_str(c.encode_utf8(&mut [0; 4]))
    }

    /// Adds a text.
    ///
    /// # Panics
    /// If the allocator refuses.
    #[inline]
    #[track_caller]
    pub fn push_str(&mut self, text: &str) {
        granted(self.try_push_str(text));
    }

    /// Adds a text.
    ///
    /// # Errors
    /// If the allocator refuses; the text is as it was.
    #[inline]
    pub fn try_push_str(&mut self, text: &str) -> Result<(), ReserveError> {
        self.try_reserve(text.len())?;
        self.bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }

    /// Puts a character in at byte `at`. Moves all that is behind it.
    ///
    /// # Panics
    /// If the allocator refuses, or `at` is not between two characters.
    #[track_caller]
    pub fn insert(&mut self, at: usize, c: char) {
        granted(self.try_insert(at, c));
    }

    /// Puts a character in at byte `at`. Moves all that is behind it.
    ///
    /// # Errors
    /// If the allocator refuses; the text is as it was.
    ///
    /// # Panics
    /// If `at` is not between two characters.
    #[track_caller]
    pub fn try_insert(&mut self, at: usize, c: char) -> Result<(), ReserveError> {
        self.try_insert_str(at, c.encode_utf8(&mut [0; 4]))
    }

    /// Puts a text in at byte `at`. Moves all that is behind it.
    ///
    /// # Panics
    /// If the allocator refuses, or `at` is not between two characters.
    #[track_caller]
    pub fn insert_str(&mut self, at: usize, text: &str) {
        granted(self.try_insert_str(at, text));
    }

    /// Puts a text in at byte `at`. Moves all that is behind it.
    ///
    /// # Errors
    /// If the allocator refuses; the text is as it was.
    ///
    /// # Panics
    /// If `at` is not between two characters.
    #[track_caller]
    pub fn try_insert_str(&mut self, at: usize, text: &str) -> Result<(), ReserveError> {
        self.assert_boundary(at);
        self.try_push_str(text)?;
        self.bytes[at..].rotate_right(text.len());
        Ok(())
    }

    /// Takes the last character.
    pub fn pop(&mut self) -> Option<char> {
        let c = self.as_str().chars().next_back()?;
        self.bytes.truncate(self.len() - c.len_utf8());
        Some(c)
    }

    /// Takes the character that begins at byte `at`. Moves all that is behind it.
    ///
    /// # Panics
    /// If none begins there.
    #[track_caller]
    pub fn remove(&mut self, at: usize) -> char {
        self.assert_boundary(at);
        let Some(c) = self.as_str()[at..].chars().next() else {
            panic!("no character begins at byte {at}, the end of the text");
        };
        self.bytes.drain(at..at + c.len_utf8());
        c
    }

    /// Cuts it at byte `len`; a text that is not longer stays.
    ///
    /// # Panics
    /// If that is not between two characters.
    #[track_caller]
    pub fn truncate(&mut self, len: usize) {
        if len <= self.len() {
            self.assert_boundary(len);
            self.bytes.truncate(len);
        }
    }

    /// Empties it; the room stays.
    #[inline]
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Keeps the characters of which `keep` says so. If `keep` panics, those that it had not yet seen stay too.
    pub fn retain(&mut self, mut keep: impl FnMut(char) -> bool) {
        let mut sieve = Sieve { bytes: &mut self.bytes, seen: 0, kept: 0 };
        while let Some(c) = sieve.next() {
            let retained = keep(c);
            sieve.pass(c.len_utf8(), retained);
        }
    }

    /// Cuts it at byte `at`; gives what is behind, in a block of its own.
    ///
    /// # Panics
    /// If the allocator refuses, or `at` is not between two characters.
    #[must_use = "use `truncate` if the rest is not wanted"]
    #[track_caller]
    pub fn split_off(&mut self, at: usize) -> Self
    where
        A: Clone,
    {
        granted(self.try_split_off(at))
    }

    /// Cuts it at byte `at`; gives what is behind, in a block of its own.
    ///
    /// # Errors
    /// If the allocator refuses; the text is as it was.
    ///
    /// # Panics
    /// If `at` is not between two characters.
    #[track_caller]
    pub fn try_split_off(&mut self, at: usize) -> Result<Self, ReserveError>
    where
        A: Clone,
    {
        self.assert_boundary(at);
        let rest = Self::try_from_str_in(&self[at..], self.allocator().clone())?;
        self.bytes.truncate(at);
        Ok(rest)
    }

    #[inline]
    #[track_caller]
    pub(super) fn assert_boundary(&self, at: usize) {
        if !self.is_char_boundary(at) {
            self.no_boundary(at);
        }
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn no_boundary(&self, at: usize) -> ! {
        let len = self.len();
        assert!(at <= len, "byte {at} is beyond the text, which is {len} bytes long");
        let begins = (0..at).rev().find(|byte| self.is_char_boundary(*byte)).unwrap_or(0);
        let c = self[begins..].chars().next().unwrap_or_default();
        panic!("byte {at} is inside of {c:?}, bytes {begins} to {} of {len}", begins + c.len_utf8());
    }
}

/// Bytes of a text, of which those from `kept` to `seen` are gone; closes the gap when it goes.
struct Sieve<'t, A: Allocator> {
    bytes: &'t mut Vec<u8, A>,
    seen: usize,
    kept: usize,
}

impl<A: Allocator> Sieve<'_, A> {
    /// The first character not yet seen.
    fn next(&self) -> Option<char> {
        // A character is at most four bytes; what follows it may be cut.
        let ahead = &self.bytes[self.seen..self.bytes.len().min(self.seen + 4)];
        ahead.utf8_chunks().next()?.valid().chars().next()
    }

    /// Goes past that character of `len` bytes.
    fn pass(&mut self, len: usize, retained: bool) {
        if retained {
            self.bytes.copy_within(self.seen..self.seen + len, self.kept);
            self.kept += len;
        }
        self.seen += len;
    }
}

impl<A: Allocator> Drop for Sieve<'_, A> {
    fn drop(&mut self) {
        self.bytes.drain(self.kept..self.seen);
    }
}
