//! `SharedChunk`: the chunk that threads without a shard, or without a lease, bump through together.
//!
//! One word says all: where the free bytes begin (in granules) and how many there are. So a thread never combines the
//! bounds of one chunk with the cursor of the next, and an exchange that meets an equal word meets an equal state: no ABA.
//!
//! - INV-S1: the `room` bytes from granule `start` on are nobody's; they lie in one extent, which ends at granule `end`.
//! - INV-S2: `end` and `lease` are read and written under the region's lock only; so is the word replaced.

use core::alloc::Layout;

use crate::base::layout::bump_down;
use crate::base::size_class::{GRANULE_BYTES, START_ALIGN};
use crate::bump::blocks::SharedCursor;
use crate::sync::{AcqRel, Acquire, AtomicU64, Owned32, OwnedUsize, Relaxed};

/// Free bytes of a chunk: `room` bytes from granule `start` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Free {
    pub(super) start: u32,
    pub(super) room: u32,
}

impl Free {
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
    pub(super) end: Owned32,
    pub(super) lease: OwnedUsize,
    /// Bytes of shared chunks taken since the last reset.
    pub(super) used: OwnedUsize,
}

impl SharedChunk {
    /// What is free, as a hint outside the lock.
    pub(super) fn free(&self) -> Free {
        Free::from_bits(self.word.load(Relaxed))
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
            // ORDERING(Acquire): what the chunk's former holders wrote, which its grower saw under the lock, precedes its
            // use here.  pairs: `replace`'s Release; exchanges between them carry it on.
            //   loom: m06_written_before; Relaxed fails it.
            // Failure is Relaxed: the next exchange acquires.
            match self.word.compare_exchange_weak(seen, left.bits(), Acquire, Relaxed) {
                Ok(_) => return Some(at - base),
                Err(now) => seen = now,
            }
        }
    }

    /// Puts `next` in the place of what is free, which is the answer: no other thread takes from it any more. Under the
    /// region's lock.
    pub(super) fn replace(&self, next: Free) -> Free {
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
        // ORDERING(Release): who shortens the last block, or gives it back, has written to it before its next holder does.
        //   pairs: `take`'s Acquire.  loom: m06_last_block; Acquire alone fails it.
        // ORDERING(Acquire): who makes it longer takes bytes, as in `take`.  loom: m06_grown; Release alone fails it.
        // Failure is Relaxed: the caller then does without.
        self.word.compare_exchange(seen, Free { start, room }.bits(), AcqRel, Relaxed).is_ok()
    }
}
