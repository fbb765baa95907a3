//! `SharedChunk`: the chunk that threads without a shard, or without a lease, bump through together.
//!
//! One word says all: where the free bytes begin (in granules) and how many there are. So a thread never combines the
//! bounds of one chunk with the cursor of the next, and an exchange that meets an equal word meets an equal state: no
//! ABA.
//!
//! - INV-arena.shared-1: the `room` bytes from granule `start` on are nobody's; they lie in one extent, which ends at
//!   granule `end`.
//! - INV-arena.shared-2: `end`, `lease` and `used` describe the chunk that the word is of: all change together, in
//!   `replace`, under the region's lock. Outside it the figures are hints.

use core::alloc::Layout;

use crate::base::extent::Extent;
use crate::base::layout::bump_down;
use crate::base::size_class::{GRANULE_BYTES, START_ALIGN};
use crate::bump::blocks::SharedCursor;
use crate::region::Section;
use crate::sync::{AcqRel, Acquire, AtomicU64, Owned32, OwnedUsize, Relaxed};

use super::extents::NODE_BYTES;

/// Free bytes of a chunk: `room` bytes from granule `start` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Free {
    pub(super) start: u32,
    pub(super) room: u32,
}

impl Free {
    /// All of a fresh chunk except its node.
    fn of(chunk: Extent) -> Self {
        let room = u32::try_from(chunk.len as usize * GRANULE_BYTES - NODE_BYTES).unwrap_or(0);
        Self { start: chunk.offset, room }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the two halves of the word")]
    fn from_bits(bits: u64) -> Self {
        Self { start: (bits >> 32) as u32, room: bits as u32 }
    }
    fn bits(self) -> u64 {
        u64::from(self.start) << 32 | u64::from(self.room)
    }
}

/// See the module's header.
#[derive(Debug, Default)]
pub(super) struct SharedChunk {
    word: AtomicU64,
    /// The granule behind the chunk; 0 without one.
    end: Owned32,
    lease: OwnedUsize,
    /// Bytes of shared chunks taken since the last reset.
    used: OwnedUsize,
}

/// What a chunk was that is shared no more. Its lease has not ended yet.
pub(super) struct Retired {
    pub(super) unused: Free,
    pub(super) end: u32,
    pub(super) lease: usize,
}

impl SharedChunk {
    /// What is free, as a hint outside the lock.
    pub(super) fn free(&self) -> Free {
        Free::from_bits(self.word.load(Relaxed))
    }

    /// Bytes of the chunk's lease; outside the lock a hint.
    pub(super) fn lease(&self) -> usize {
        self.lease.get()
    }

    /// Bytes of shared chunks taken since the last reset; outside the lock a hint.
    pub(super) fn used(&self) -> usize {
        self.used.get()
    }

    /// Takes a block for `layout`, whose size is not zero, from the end of the room; gives its offset from `base`, the
    /// region's first address.
    pub(super) fn take(&self, base: usize, layout: Layout) -> Option<usize> {
        let mut seen = self.word.load(Relaxed);
        loop {
            let Free { start, room } = Free::from_bits(seen);
            let offset = start as usize * GRANULE_BYTES;
            let floor = base + offset;
            let at = bump_down::<usize, START_ALIGN>(floor, floor + room as usize, layout.size(), layout.align())?;
            #[expect(clippy::cast_possible_truncation, reason = "less than the room before")]
            let left = Free { start, room: (at - floor) as u32 };
            // ORDERING(Acquire): what the chunk's former holders wrote, which its grower saw under the lock, precedes
            // its use here.  pairs: `replace`'s Release; exchanges between them carry it on.
            //   loom: m06_written_before; Relaxed fails it.
            // Failure is Relaxed: the next exchange acquires.
            match self.word.compare_exchange_weak(seen, left.bits(), Acquire, Relaxed) {
                Ok(_) => return Some(at - base),
                Err(now) => seen = now,
            }
        }
    }

    /// Shares `next`, a fresh chunk, or none, in place of the present chunk. Returns what that was, if there was one.
    pub(super) fn replace(&self, _section: &mut Section<'_>, next: Option<Extent>) -> Option<Retired> {
        let (end, lease) = (self.end.get(), self.lease.get());
        if end == 0 && next.is_none() {
            return None;
        }
        let unused = self.exchange(next.map_or(Free::default(), Free::of));
        let bytes = next.map_or(0, |chunk| chunk.len as usize * GRANULE_BYTES);
        self.end.set(next.map_or(0, Extent::end));
        self.lease.set(bytes);
        self.used.set(self.used.get() + bytes);
        (end != 0).then_some(Retired { unused, end, lease })
    }

    /// Forgets the present chunk, which goes as a whole, and all before it. Returns the lease that ends with it.
    pub(super) fn reset(&self, section: &mut Section<'_>) -> usize {
        self.used.set(0);
        self.replace(section, None).map_or(0, |former| former.lease)
    }

    /// Puts `next` in the place of what is free, which is the answer: no other thread takes from it any more.
    fn exchange(&self, next: Free) -> Free {
        // ORDERING(Release): what the grower saw under the lock precedes the chunk's use.
        //   pairs: `take`'s Acquire.  loom: m06_written_before; Acquire alone fails it.
        // ORDERING(Acquire): who gave the last block back has written to it before what is free goes to the region.
        //   pairs: `shift`'s Release.  loom: m06_drained_given; Release alone fails it.
        Free::from_bits(self.word.swap(next.bits(), AcqRel))
    }
}

/// Offsets are from the region's base.
impl SharedCursor for SharedChunk {
    fn top(&self) -> usize {
        let Free { start, room } = self.free();
        start as usize * GRANULE_BYTES + room as usize
    }

    fn shift(&self, from: usize, to: usize) -> bool {
        let seen = self.word.load(Relaxed);
        let Free { start, room } = Free::from_bits(seen);
        let floor = start as usize * GRANULE_BYTES;
        // Without a chunk the word has no place to which anything could be given back.
        if seen == 0 {
            return false;
        }
        if floor + room as usize != from || to < floor {
            return false;
        }
        let Ok(room) = u32::try_from(to - floor) else { return false };
        // ORDERING(Release): who shortens the last block, or gives it back, has written to it before its next holder
        // does.
        //   pairs: `take`'s Acquire.  loom: m06_last_block; Acquire alone fails it.
        // ORDERING(Acquire): who makes it longer takes bytes, as in `take`.  loom: m06_grown; Release alone fails it.
        // Failure is Relaxed: the caller then does without.
        self.word.compare_exchange(seen, Free { start, room }.bits(), AcqRel, Relaxed).is_ok()
    }
}
