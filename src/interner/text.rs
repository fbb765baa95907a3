//! Records of strings in a region's memory; `Text` is where a shard puts its next ones.
//!
//! A record is `[symbol: u32][length: u32][bytes]`, aligned to 4 bytes. Records are bumped upwards through chunks, each
//! an extent of its own that begins with a link to the one before and its length.
//!
//! - INV-interner.text-1: a record is written once, before anything that names it is published, and stands as long as
//!   its interner.
//! - INV-interner.text-2: `[cursor, end)` is the free end of the newest common chunk, and nobody's; `cursor` is a
//!   multiple of 4.
//! - INV-interner.text-3: the chain that begins at `newest` names every extent that was taken for text and not given
//!   back, once.
//!
//! Not synchronised: whoever has a shard's lock has its `Text`; what publishes a record is the table's and the slot's
//! word.
#![expect(unsafe_code, reason = "reads and writes records in the region's memory")]

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::base::error::AllocError;
use crate::base::extent::Extent;
use crate::base::size_class::GRANULE_BYTES;
use crate::region::{Account, Memory};

/// Alignment of a record, in bytes.
pub(super) const RECORD_ALIGN: usize = 4;
/// What stands before a record's bytes, and before a chunk's records.
const HEAD_BYTES: usize = 8;
/// Length of a shard's first chunk, in bytes.
const LEAST_CHUNK: usize = if cfg!(all(test, loom)) { 128 } else { 512 };
/// Length of the longest common chunk, in bytes.
const MOST_CHUNK: usize = 64 << 10;
/// A chunk is this part of the text there is, and what is longer than this part of a chunk has one of its own.
const QUARTER: usize = 4;

/// Where a record begins: bytes from the region's base, a multiple of 4, never 0, for a chunk's head stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordAt(pub(super) u64);

/// The records of an interner's strings, and its chunks.
impl Memory {
    /// What begins at `offset`, which lies in the region.
    #[inline(always)]
    fn at(self, offset: u64) -> NonNull<u8> {
        #[expect(clippy::cast_possible_truncation, reason = "an offset in a region fits the address space")]
        self.byte(offset as usize)
    }

    /// Word `index` of what begins at `offset`.
    ///
    /// # Safety
    /// A record, or a chunk, was written there, and that happened before.
    #[inline(always)]
    unsafe fn word(self, offset: u64, index: usize) -> u32 {
        // SAFETY: `NonNull::add`: what begins there has two words at least.
        let word = unsafe { self.at(offset).cast::<u32>().add(index) };
        // SAFETY: `NonNull::read`: written before, aligned to 4 bytes, and never written again.
        unsafe { word.read() }
    }

    /// Writes the two words that a record, or a chunk, begins with.
    ///
    /// # Safety
    /// The bytes are the caller's alone, in the region, and `offset` is a multiple of 4.
    unsafe fn set_words(self, offset: u64, words: [u32; 2]) {
        let head = self.at(offset).cast::<u32>();
        // SAFETY: `NonNull::write`: the caller's bytes, aligned.
        unsafe { head.write(words[0]) };
        // SAFETY: `NonNull::add`: the second of two words there.
        let second = unsafe { head.add(1) };
        // SAFETY: `NonNull::write`: as above.
        unsafe { second.write(words[1]) };
    }

    /// Writes the record of string `number`.
    ///
    /// # Safety
    /// The record's bytes are the caller's alone, in the region, and `text` is not longer than `u32::MAX`.
    pub(super) unsafe fn write(self, record: RecordAt, number: u32, text: &str) {
        #[expect(clippy::cast_possible_truncation, reason = "not longer than `u32::MAX`: the caller's word")]
        let len = text.len() as u32;
        // SAFETY: this function's contract; records are aligned.
        unsafe { self.set_words(record.0, [number, len]) };
        let bytes = self.at(record.0 + HEAD_BYTES as u64);
        // SAFETY: `copy_from_nonoverlapping`: `text.len()` bytes of the record, which nobody else has yet.
        unsafe { bytes.copy_from_nonoverlapping(NonNull::from(text).cast(), text.len()) };
    }

    /// The bytes of the record at `record`.
    ///
    /// # Safety
    /// The record was written, that happened before, and it stands for `'a`.
    #[inline(always)]
    unsafe fn bytes<'a>(self, record: RecordAt) -> &'a [u8] {
        // SAFETY: a record's second word, by this function's contract.
        let len = unsafe { self.word(record.0, 1) } as usize;
        let bytes = self.at(record.0 + HEAD_BYTES as u64);
        // SAFETY: `from_raw_parts`: as many bytes as were written, never written again (INV-interner.text-1).
        unsafe { core::slice::from_raw_parts(bytes.as_ptr(), len) }
    }

    /// The string of the record at `record`.
    ///
    /// # Safety
    /// The record was written, that happened before, and it stands for `'a`.
    #[inline(always)]
    pub(super) unsafe fn text<'a>(self, record: RecordAt) -> &'a str {
        // SAFETY: this function's contract.
        let bytes = unsafe { self.bytes(record) };
        // SAFETY: the bytes of a `str` were written.
        unsafe { core::str::from_utf8_unchecked(bytes) }
    }

    /// The number of the record's string, if that is `text`.
    ///
    /// # Safety
    /// The record was written, and that happened before.
    #[inline(always)]
    pub(super) unsafe fn number_of(self, record: RecordAt, text: &str) -> Option<u32> {
        // SAFETY: this function's contract.
        let bytes = unsafe { self.bytes(record) };
        if bytes != text.as_bytes() {
            return None;
        }
        // SAFETY: a record's first word, by this function's contract.
        Some(unsafe { self.word(record.0, 0) })
    }
}

/// Bytes of the record of a string of `len` bytes; none for a string that no record can have.
pub(super) fn record_bytes(len: usize) -> Option<usize> {
    u32::try_from(len).ok()?;
    len.checked_add(HEAD_BYTES)?.checked_next_multiple_of(RECORD_ALIGN)
}

/// Room for one record that [`Text::prepare`] has found.
#[derive(Debug, Clone, Copy)]
pub(super) enum Room {
    /// In the current chunk.
    Current,
    /// In a new one, which later records share.
    Common(Extent),
    /// In an extent of its own.
    Own(Extent),
}

impl Room {
    /// What was taken from the region for it.
    pub(super) fn taken(self) -> Option<Extent> {
        match self {
            Self::Current => None,
            Self::Common(extent) | Self::Own(extent) => Some(extent),
        }
    }
}

/// See the module's header.
#[derive(Debug, Default)]
pub(super) struct Text {
    cursor: u64,
    end: u64,
    /// Granule at which the newest extent begins, plus one; 0: there is none.
    newest: u32,
    /// Bytes of all extents.
    taken: usize,
}

impl Text {
    /// Room for a record of `bytes` bytes, for a request of `layout`. Nothing of this has changed yet.
    ///
    /// # Errors
    /// The region's refusal of an extent for this record alone.
    pub(super) fn prepare(&self, account: &Account, bytes: usize, layout: Layout) -> Result<Room, AllocError> {
        if self.end - self.cursor >= bytes as u64 {
            return Ok(Room::Current);
        }
        let chunk = (self.taken / QUARTER).clamp(LEAST_CHUNK, MOST_CHUNK);
        // Whole granules, so that an error names what was refused.
        let own = bytes.saturating_add(HEAD_BYTES).next_multiple_of(GRANULE_BYTES);
        if own <= chunk / QUARTER
            && let Ok((extent, _)) = account.take(chunk, layout)
        {
            return Ok(Room::Common(extent));
        }
        let layout = Layout::from_size_align(own, RECORD_ALIGN).unwrap_or(layout);
        account.take(own, layout).map(|(extent, _)| Room::Own(extent))
    }

    /// The next record, of `bytes` bytes, in `room`, which was prepared for it.
    pub(super) fn commit(&mut self, memory: Memory, room: Room, bytes: usize) -> RecordAt {
        match room {
            Room::Current => {}
            Room::Common(extent) => {
                (self.cursor, self.end) = (self.link(memory, extent), u64::from(extent.end()) * GRANULE_BYTES as u64);
            }
            Room::Own(extent) => return RecordAt(self.link(memory, extent)),
        }
        let record = RecordAt(self.cursor);
        self.cursor += bytes as u64;
        debug_assert!(self.cursor <= self.end, "INV-interner.text-2");
        record
    }

    /// Puts `extent` first in the chain; gives the offset behind its head.
    fn link(&mut self, memory: Memory, extent: Extent) -> u64 {
        let offset = u64::from(extent.offset) * GRANULE_BYTES as u64;
        // SAFETY: an extent of the region, just taken, of a granule at least.
        unsafe { memory.set_words(offset, [self.newest, extent.len]) };
        self.newest = extent.offset + 1;
        self.taken += extent.len as usize * GRANULE_BYTES;
        offset + HEAD_BYTES as u64
    }

    /// Takes one extent out of the chain, the newest first.
    ///
    /// # Safety
    /// Nothing refers to a record any more.
    pub(super) unsafe fn unlink(&mut self, memory: Memory) -> Option<Extent> {
        let granule = self.newest.checked_sub(1)?;
        let offset = u64::from(granule) * GRANULE_BYTES as u64;
        // SAFETY: a chunk of the chain (INV-interner.text-3), whose head `link` has written.
        self.newest = unsafe { memory.word(offset, 0) };
        // SAFETY: the same head's second word.
        let len = unsafe { memory.word(offset, 1) };
        Some(Extent::new(granule, len))
    }
}
