//! `Shard`: a thread's private part of an arena: the chunk it bumps through.
//!
//! The cursor moves down. A shard without a chunk has `cursor = start = 0`, so no request finds room in it, and the
//! shared path needs no branch of its own.
//!
//! - INV-arena.shard-1: `start ≤ cursor`; the bytes `[start, cursor)` lie in one extent of the region, which ends at
//!   granule `end`, and are nobody's.
//! - INV-arena.shard-2: `start` is a multiple of the granule; the extent's last granule is its node (`extents.rs`),
//!   above the cursor's highest place.
//! - INV-arena.shard-3: `lease` bytes are leased while the shard has a chunk, at least the chunk's length.
//! - INV-arena.shard-4: `base − cursor − padding` bytes were handed out here as they were asked for, `freed` taken back
//!   (all wrapping): a request that needs no padding counts itself by moving the cursor. `base` and the cursor change
//!   together, but for requests, and for stacks that no other thread reads, only in the region's critical section,
//!   where the figure is read.
//!
//! Used by one thread at a time: the owner, or the holder of the region's lock once the owner is dead
//! (INV-region.shards-2). What others may read as a hint are single-writer words. The models see a ghost.
#![expect(unsafe_code, reason = "zero bytes are a shard; addresses are not null; bytes of the last block move")]

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::base::layout::bump_down;
use crate::base::size_class::START_ALIGN;
use crate::bump::blocks::move_bytes;
use crate::region::shards::{OwnedShard, Pins, owned_shard};
use crate::sync::{AtomicU64, Ghost, Owned32, Owned64, OwnedPtr, OwnedUsize};

/// See the module's header.
#[repr(C, align(128))]
pub(crate) struct Shard {
    cursor: OwnedPtr,
    start: OwnedUsize,
    /// Between the blocks, for their alignment.
    padding: Owned64,
    base: Owned64,
    freed: Owned64,
    ghost: Ghost,
    /// The granule behind the chunk; 0 without one.
    end: Owned32,
    lease: OwnedUsize,
    /// Bytes of chunks taken since the last reset, and between the last two.
    pub(super) used: OwnedUsize,
    pub(super) expected: OwnedUsize,
    /// Pressure last acted upon.
    pub(super) seen: Owned64,
    /// The value to be dropped first, or 0.
    pub(super) drops: Owned64,
    pub(super) pins: Pins,
}

owned_shard! {
    hot: true,
    // SAFETY: atomic integers and pointers, and a ghost (zero-sized outside the model checker).
    unsafe Shard {
        cursor: OwnedPtr::null(),
        start: OwnedUsize::new(0),
        padding: Owned64::zero(),
        base: Owned64::zero(),
        freed: Owned64::zero(),
        ghost: Ghost::new(),
        end: Owned32::zero(),
        lease: OwnedUsize::new(0),
        used: OwnedUsize::new(0),
        expected: OwnedUsize::new(0),
        seen: Owned64::zero(),
        drops: Owned64::zero(),
        pins: Pins::new(AtomicU64::new(0)),
    }
}

impl Shard {
    // ---- fast paths -----------------------------------------------------------------------------------------------

    /// A block for `layout`, whose size is not zero, if the chunk has room.
    #[inline(always)]
    pub(crate) fn bump(&self, layout: Layout) -> Option<NonNull<u8>> {
        let cursor = self.cursor.get();
        let at = bump_down::<usize, START_ALIGN>(self.start.get(), cursor.addr(), layout.size(), layout.align())?;
        self.enter();
        let block = cursor.with_addr(at);
        self.cursor.set(block);
        self.count_padding(cursor.addr() - layout.size() - at);
        // SAFETY: `start <= at < cursor`, for the size is not zero, and a chunk does not begin at address 0
        // (INV-arena.shard-1).
        Some(unsafe { NonNull::new_unchecked(block) })
    }

    /// Counts what a block's alignment has cost.
    #[inline(always)]
    fn count_padding(&self, bytes: usize) {
        if cfg!(feature = "stats") && bytes != 0 {
            self.add_padding(bytes);
        }
    }

    /// Out of line, so that a block that needs no padding is straight code.
    #[cold]
    #[inline(never)]
    fn add_padding(&self, bytes: usize) {
        self.padding.set(self.padding.get().wrapping_add(bytes as u64));
    }

    /// Counts bytes handed out and taken back elsewhere than in the chunk.
    pub(super) fn count(&self, allocated: usize, freed: usize) {
        if cfg!(feature = "stats") {
            self.base.set(self.base.get().wrapping_add(allocated as u64));
            self.freed.set(self.freed.get().wrapping_add(freed as u64));
        }
    }

    // ---- the last block -------------------------------------------------------------------------------------------

    /// Whether the block at `ptr` is the last of the chunk: it begins at the cursor.
    #[inline(always)]
    fn is_last(&self, ptr: NonNull<u8>) -> bool {
        core::ptr::addr_eq(self.cursor.get(), ptr.as_ptr())
    }

    /// Takes back the block at `ptr`: its room too if it is the last, which is the answer.
    #[inline]
    pub(super) fn free(&self, ptr: NonNull<u8>, layout: Layout) -> bool {
        let last = self.is_last(ptr);
        if last {
            self.enter();
            self.cursor.set(self.cursor.get().wrapping_add(layout.size()));
        } else {
            self.count(0, layout.size());
        }
        last
    }

    /// Makes the block at `ptr` longer or shorter if it is the last, moving its bytes; neither size is zero.
    ///
    /// # Safety
    /// `ptr` is a block of `old`, the caller's alone. On success only the new block may be used.
    #[inline]
    pub(super) unsafe fn resize(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>> {
        if !self.is_last(ptr) {
            return None;
        }
        let cursor = self.cursor.get();
        let end = cursor.addr() + old.size();
        let at = bump_down::<usize, START_ALIGN>(self.start.get(), end, new.size(), new.align())?;
        self.enter();
        let moved = NonNull::new(cursor.with_addr(at))?;
        self.cursor.set(moved.as_ptr());
        self.count_padding(end - new.size() - at);
        // SAFETY: both ranges lie in what was the old block and the free bytes below it, all of it this shard's, and
        // nobody takes from it meanwhile.
        Some(unsafe { move_bytes(ptr, moved, old.size().min(new.size())) })
    }

    // ---- the chunk, by the shard's user ---------------------------------------------------------------------------

    /// Begins to bump through `[start, top)`, whose extent ends at granule `end`; there is no chunk now.
    pub(super) fn open(&self, start: NonNull<u8>, top: NonNull<u8>, end: u32, lease: usize) {
        debug_assert!(self.end.get() == 0 && start <= top, "INV-arena.shard-1");
        self.start.set(start.addr().get());
        self.cursor.set(top.as_ptr());
        self.base.set(self.base.get().wrapping_add(top.addr().get() as u64));
        self.end.set(end);
        self.lease.set(lease);
    }

    /// Has no chunk any more; gives the bytes of lease that end when what was unused has been given back.
    pub(super) fn close(&self) -> usize {
        self.start.set(0);
        self.base.set(self.base.get().wrapping_sub(self.cursor.get().addr() as u64));
        self.cursor.set(core::ptr::null_mut());
        self.end.set(0);
        let lease = self.lease.get();
        self.lease.set(0);
        lease
    }

    /// The granule behind the chunk, if there is one.
    pub(super) fn chunk_end(&self) -> Option<u32> {
        Some(self.end.get()).filter(|end| *end != 0)
    }

    /// The address at which the last block begins, or the chunk's end.
    pub(super) fn cursor(&self) -> *mut u8 {
        self.cursor.get()
    }

    /// Address of the chunk's first byte and bytes below the cursor.
    pub(super) fn room(&self) -> (usize, usize) {
        let start = self.start.get();
        (start, self.cursor.get().addr() - start)
    }

    pub(super) fn lease(&self) -> usize {
        self.lease.get()
    }

    /// Moves the cursor back up to address `to`, in the chunk or its end: the blocks below are gone, and `live` bytes
    /// are handed out and not taken back.
    pub(super) fn rewind(&self, to: usize, live: u64) {
        // Below the start nothing is this shard's: who names such a place is mistaken, and gets the start.
        debug_assert!(to >= self.start.get(), "INV-arena.shard-1");
        let to = to.max(self.start.get());
        self.cursor.set(self.cursor.get().with_addr(to));
        self.base.set(live.wrapping_add(to as u64));
        self.padding.set(0);
        self.freed.set(0);
    }

    /// There is no chunk, and as many bytes are handed out as at an earlier time.
    pub(super) fn set_live(&self, bytes: u64) {
        self.rewind(0, bytes);
    }

    // ---- figures --------------------------------------------------------------------------------------------------

    /// Bytes handed out, as asked for; wraps. In the region's critical section, or by its user.
    pub(super) fn allocated(&self) -> u64 {
        // The padding first: of a request under way rather its bytes are counted than its padding twice.
        let padding = self.padding.get();
        self.base.get().wrapping_sub(self.cursor.get().addr() as u64).wrapping_sub(padding)
    }

    /// Bytes taken back, wrapping.
    pub(super) fn freed(&self) -> u64 {
        self.freed.get()
    }

    /// Bytes handed out and not taken back. Its user only.
    pub(super) fn live(&self) -> u64 {
        self.allocated().wrapping_sub(self.freed())
    }
}
