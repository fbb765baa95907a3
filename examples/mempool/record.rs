//! Records: a transaction's bytes in pieces of at most 2 KiB.
//!
//! Making 170 KB contiguous would empty a small pool, so a long record is a chain. (In pieces of 4 KiB a pool of 8 MiB
//! holds 5 % less: at the limit the free ranges are as short as what was evicted, and a long piece finds none.) Every
//! piece but the last is [`PIECE_BYTES`] long and begins with the address of the next one; the last is as long as what
//! is left, without an address. So the length of the rest tells a piece's layout (INV-R1): `rest > PIECE_BYTES` is a
//! linked piece. A chain is built from its end: at each step it is a whole chain of the record's tail, and can be freed
//! as one.
#![expect(unsafe_code, reason = "the pieces are raw memory, linked through their first bytes")]

use std::alloc::Layout;
use std::ptr::NonNull;

use super::backend::Backend;

/// Bytes of a record before the transaction's own.
pub(crate) const PREFIX_BYTES: usize = 8;

/// Length of the longest piece.
pub(crate) const PIECE_BYTES: usize = 2048;
const LINK_BYTES: usize = size_of::<NonNull<u8>>();
const LINKED_BYTES: usize = PIECE_BYTES - LINK_BYTES;

/// The address of a record's first piece and the record's length. It owns the pieces but does not free them by itself:
/// many records go back in one batch, see [`free`].
///
/// Packed, so that an index entry with its links is one cache line.
#[derive(Debug)]
#[repr(C, packed(4))]
#[must_use = "a record is freed only by `free`"]
pub(crate) struct Record {
    first: NonNull<u8>,
    len: u32,
}

// SAFETY: a record owns its pieces alone, and they are plain bytes of memory that every thread may use and free.
unsafe impl Send for Record {}

/// The backend had no memory for a piece of so many bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refused {
    pub(crate) bytes: usize,
}

/// A record being stored: `prefix` and `bytes`, from the last piece backwards.
#[derive(Debug)]
pub(crate) struct Draft<'s> {
    prefix: [u8; PREFIX_BYTES],
    bytes: &'s [u8],
    /// Where the part that is stored already begins.
    start: usize,
    tail: Option<Record>,
}

impl<'s> Draft<'s> {
    /// Begins a record; nothing is allocated yet.
    pub(crate) fn new(prefix: [u8; PREFIX_BYTES], bytes: &'s [u8]) -> Self {
        Self { prefix, bytes, start: prefix.len() + bytes.len(), tail: None }
    }

    /// Stores one more piece, as long as there is one to store. A refusal changes nothing.
    pub(crate) fn store_piece<B: Backend>(&mut self, backend: &B) -> Result<(), Refused> {
        let (start, link) = match &self.tail {
            None => (last_piece_start(self.start), None),
            Some(tail) => (self.start - LINKED_BYTES, Some(tail.first)),
        };
        let total = self.prefix.len() + self.bytes.len();
        let layout = piece_layout(total - start);
        let piece = backend.block(layout).ok_or(Refused { bytes: layout.size() })?;
        let mut at = piece;
        if let Some(next) = link {
            // SAFETY: a linked piece is at least `LINK_BYTES` long and aligned for an address (`piece_layout`).
            unsafe { piece.cast::<NonNull<u8>>().write(next) };
            // SAFETY: in bounds, for the piece is longer than its link.
            at = unsafe { piece.add(LINK_BYTES) };
        }
        let split = self.prefix.len();
        let parts = [
            &self.prefix[start.min(split)..self.start.min(split)],
            &self.bytes[start.max(split) - split..self.start.max(split) - split],
        ];
        for part in parts {
            // SAFETY: `NonNull::copy_from_nonoverlapping`'s contract:
            //  - the parts together have `self.start - start` bytes, which the piece holds after its link (INV-R1);
            //  - the piece is fresh, so no reference reaches it.
            unsafe { at.copy_from_nonoverlapping(NonNull::from(part).cast(), part.len()) };
            // SAFETY: in bounds or one past the end, as above.
            at = unsafe { at.add(part.len()) };
        }
        self.start = start;
        self.tail =
            Some(Record { first: piece, len: u32::try_from(total - start).expect("a block is at most 32 MiB") });
        Ok(())
    }

    /// Bytes of all its pieces.
    pub(crate) fn stored_bytes(&self) -> usize {
        stored_bytes(self.prefix.len() + self.bytes.len())
    }

    /// Is every piece stored?
    pub(crate) fn is_complete(&self) -> bool {
        self.start == 0
    }

    /// What is stored: the whole record once it is complete, else its tail, to be freed.
    pub(crate) fn into_stored(self) -> Option<Record> {
        self.tail
    }
}

/// Frees records in one batch.
pub(crate) fn free<B: Backend>(backend: &B, records: impl IntoIterator<Item = Record>) {
    let pieces = records.into_iter().flat_map(|record| record.pieces());
    // SAFETY: each record owned its pieces, all of this backend and with the layout `Pieces` tells (INV-R1), and is
    // gone; `Pieces` reads a piece's link before it yields the piece.
    unsafe { backend.free_blocks(pieces.map(|(piece, rest)| (piece, piece_layout(rest)))) };
}

impl Record {
    /// Length of the record in bytes, its prefix included.
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// Bytes of all its pieces.
    pub(crate) fn stored_bytes(&self) -> usize {
        stored_bytes(self.len())
    }

    /// Copies the record's bytes out of its pieces.
    pub(crate) fn read_into(&self, out: &mut Vec<u8>) {
        out.clear();
        for (piece, rest) in self.pieces() {
            let (skip, len) = if rest > PIECE_BYTES { (LINK_BYTES, LINKED_BYTES) } else { (0, rest) };
            // SAFETY: in bounds, for a linked piece is longer than its link.
            let data = unsafe { piece.add(skip) };
            // SAFETY: `len` bytes from there were written when the piece was stored (INV-R1), and this record owns
            // them.
            out.extend_from_slice(unsafe { NonNull::slice_from_raw_parts(data, len).as_ref() });
        }
    }

    /// Damages one bit of the record's last piece.
    pub(crate) fn damage(&mut self) {
        if let Some((mut piece, _)) = self.pieces().last() {
            // SAFETY: the last piece is not empty, its first byte is written, and `&mut self` owns it.
            let byte = unsafe { piece.as_mut() };
            *byte ^= 1;
        }
    }

    fn pieces(&self) -> Pieces {
        Pieces { rest: Some((self.first, self.len())) }
    }
}

/// The pieces of a chain, first to last, each with the length of the record from there to its end. Whoever walks owns
/// the chain or borrows its record.
struct Pieces {
    rest: Option<(NonNull<u8>, usize)>,
}

impl Iterator for Pieces {
    type Item = (NonNull<u8>, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let (piece, rest) = self.rest?;
        self.rest = (rest > PIECE_BYTES).then(|| {
            // SAFETY: a linked piece begins with the address of the next one (INV-R1), written when it was stored.
            let next = unsafe { piece.cast::<NonNull<u8>>().read() };
            (next, rest - LINKED_BYTES)
        });
        Some((piece, rest))
    }
}

/// The layout of the first piece of a record, or of a record's tail, that is `rest` bytes long.
fn piece_layout(rest: usize) -> Layout {
    let size = rest.min(PIECE_BYTES);
    Layout::from_size_align(size, align_of::<NonNull<u8>>()).expect("a piece is short")
}

/// Where the last piece of a record of `total` bytes begins: behind as many linked pieces as the rest needs.
fn last_piece_start(total: usize) -> usize {
    total.saturating_sub(PIECE_BYTES).div_ceil(LINKED_BYTES) * LINKED_BYTES
}

/// Bytes of the pieces of a record of `total` bytes, their links included.
fn stored_bytes(total: usize) -> usize {
    total + last_piece_start(total) / LINKED_BYTES * LINK_BYTES
}
