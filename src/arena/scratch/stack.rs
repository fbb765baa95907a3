//! `Stack`: one thread's chunks and large blocks, the last of which are given back first.
//!
//! It bumps through a [`Shard`] of its own that no other thread knows. What was taken is on a list, the last in front;
//! a [`Mark`] is a place on it and in the chunk that was current then.
//!
//! - INV-scratch.stack-1: the current chunk is leased, in its length or at least as far as it is idle; the spare one in
//!   its length. No other extent of the list has idle bytes, but for less than a granule, in guard mode less than a
//!   page.
//! - INV-scratch.stack-2: a mark's chunk and its head are on the list, and the chunk begins at or below the mark's
//!   cursor, until a rewind to an earlier mark. A checkpoint may be taken while a block is being made (its closure has
//!   the stack), so a block that is older than the last mark keeps its room when it is given back, or moves to grow:
//!   the cursor does not rise above the mark, and an extent stays on the list. A scope is entered with the stack
//!   exclusively, so no block older than it can be given back before it ends.
//! - INV-scratch.stack-3: `held = 16 × Σ len` of the list and the spare, part of the arena's `stacks`.
//!
//! The spare is the last chunk that a rewind left: a scope that needs one chunk more again and again takes it without
//! the lock.
#![expect(unsafe_code, reason = "implements an unsafe trait; wipes what is freed")]

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::NonNull;

use crate::base::error::{AllocError, AllocErrorKind};
use crate::base::extent::Extent;
use crate::base::size_class::GRANULE_BYTES;
use crate::bump::blocks::Blocks;
use crate::memory::table::Zeroable;
use crate::region::shards::OwnedShard;
use crate::region::{Idle, Section, ShardSet, Wipe};
use crate::sync::{Arc, Relaxed};
use crate::thread;

use super::super::alone::{Grown, bytes};
use super::super::extents::List;
use super::super::inner::{Body, Inner};
use super::super::refill::{Taken, most_of, need};
use super::super::shard::Shard;

/// A place in a stack to go back to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// The end of the extent taken last.
    pub(super) head: u32,
    /// The end of the chunk that was current, or none.
    pub(super) chunk: Option<u32>,
    /// Where the cursor stood in it.
    pub(super) cursor: usize,
    /// Bytes in blocks, as they were asked for.
    pub(super) live: u64,
    /// Whether blocks may be in the making, which are older than the mark.
    pub(super) beside: bool,
}

impl Mark {
    /// Whether `other` is the same place.
    pub(super) fn is_place_of(self, other: Self) -> bool {
        (self.head, self.chunk, self.cursor) == (other.head, other.chunk, other.cursor)
    }
}

/// How old a block is beside the last mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    Younger,
    Older,
    /// Too much was taken since the mark to find out.
    Unknown,
}

/// See the module's header.
pub(super) struct Stack {
    pub(super) inner: Arc<Inner>,
    pub(super) shard: Shard,
    pub(super) extents: List,
    /// A chunk that is on no list; its lease is its length.
    pub(super) spare: Cell<Option<Extent>>,
    pub(super) held: Cell<usize>,
    /// The greatest `held` so far.
    peak: Cell<usize>,
    /// What freed memory is filled with, known from the first chunk on.
    pub(super) wipe: Cell<Option<Wipe>>,
    /// The last place that was named, and still holds.
    pub(super) last: Cell<Mark>,
    /// Bytes of blocks older than that place which were given back or cut off since: their room stays in use.
    pub(super) buried: Cell<u64>,
}

impl Stack {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        let (spare, held, peak, wipe) = (Cell::new(None), Cell::new(0), Cell::new(0), Cell::new(None));
        let (last, buried) = (Cell::new(Self::bottom()), Cell::new(0));
        Self { inner, shard: Shard::zeroed(), extents: List::default(), spare, held, peak, wipe, last, buried }
    }

    /// Whether it takes its memory from the arena of `inner`.
    pub(super) fn is_of(&self, inner: &Arc<Inner>) -> bool {
        Arc::ptr_eq(&self.inner, inner)
    }

    /// Bytes taken from the region.
    pub(super) fn held(&self) -> usize {
        self.held.get()
    }

    /// Greatest [`Stack::held`] so far.
    pub(super) fn peak(&self) -> usize {
        self.peak.get()
    }

    /// Bytes in blocks, as they were asked for.
    pub(super) fn live(&self) -> u64 {
        self.shard.live()
    }

    // ---- requests -------------------------------------------------------------------------------------------------

    /// A block for `layout`, for which the current chunk has no room.
    fn refill(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let body = self.inner.body().map_err(|system| self.inner.refused_by(system, layout))?;
        self.wipe.set(body.region.wipe());
        self.shard.enter();
        let pressure = body.budget.pressure_with(body.region.budget());
        let changed = pressure.value != self.shard.seen.get();
        self.shard.seen.set(pressure.value);
        if changed && (pressure.on || !body.is_in_slack()) {
            body.region.section(|section| while self.give_back_own(body, section) {});
        }
        if !pressure.on
            && let Some(block) = self.bump_new_chunk(body, layout)
        {
            return Ok(block);
        }
        // The thread's chunk in the same arena: under the arena's own limit the region asks no other for what is idle.
        let owner = thread::owner();
        // A stack may be moved, and another take its place.
        let mut own = Idle(None, |section: &mut Section<'_>| {
            self.give_back_own(body, section) || owner.is_some_and(|owner| body.drain_owned(section, owner))
        });
        let extent = body.take_alone(layout, &mut own)?;
        self.extents.link(body.memory, extent.end());
        self.hold(body, bytes(extent));
        self.shard.count(layout.size(), 0);
        Ok(body.memory.granule(extent.offset))
    }

    /// A block from the spare chunk or a new one.
    fn bump_new_chunk(&self, body: &Body, layout: Layout) -> Option<NonNull<u8>> {
        let fits = |extent: &Extent| need(layout) <= most_of(bytes(*extent));
        if let Some(spare) = self.spare.get().filter(fits) {
            self.spare.set(None);
            if self.shard.room().1 >= GRANULE_BYTES {
                body.region.section(|section| self.cut_unused(body, section));
            }
            let former = self.shard.close();
            if former > 0 {
                body.region.end_lease(&body.budget, former);
            }
            body.memory.write_linked(spare, self.extents.push(spare.end()));
            self.open(body, spare, bytes(spare));
            return self.shard.bump(layout);
        }
        let may_hold = body.region.share(&body.budget, body.shards.count());
        let lease = self.shard.lease();
        let want = body.chunk_bytes(self.held(), self.shard.expected.get()).min(may_hold.max(lease));
        if need(layout) > most_of(want) {
            return None;
        }
        let Taken { extent, next } = body.region.section(|section| {
            let taken = body.take_chunk(section, &self.extents, want, lease, need(layout))?;
            self.cut_unused(body, section);
            self.shard.close();
            body.end_excess_lease(lease, taken.extent);
            Some(taken)
        })?;
        body.memory.write_linked(extent, next);
        self.hold(body, bytes(extent));
        self.open(body, extent, bytes(extent));
        self.shard.bump(layout)
    }

    /// Makes `extent` the current chunk, nothing of it in use but its node.
    pub(super) fn open(&self, body: &Body, extent: Extent, lease: usize) {
        self.shard.open(body.memory.granule(extent.offset), body.memory.top(extent.end()), extent.end(), lease);
    }

    // ---- idle memory ----------------------------------------------------------------------------------------------

    /// Gives the unused front of the current chunk back, as [`Body::cut_unused`].
    pub(super) fn cut_unused(&self, body: &Body, section: &mut Section<'_>) {
        let given_back = body.cut_unused(section, &self.shard);
        self.release(body, given_back);
    }

    /// There is no current chunk any more: its unused front goes back. `false` if there was none.
    pub(super) fn retire(&self, body: &Body, section: &mut Section<'_>) -> bool {
        let had = self.shard.chunk_end().is_some();
        if had {
            self.cut_unused(body, section);
            body.region.end_lease(&body.budget, self.shard.close());
        }
        had
    }

    /// Gives the spare chunk back; `false` if there is none.
    pub(super) fn give_back_spare(&self, body: &Body, section: &mut Section<'_>) -> bool {
        let Some(spare) = self.spare.take() else { return false };
        let given = section.give_back(&body.budget, spare);
        debug_assert!(given.is_ok(), "the spare is live");
        body.region.end_lease(&body.budget, bytes(spare));
        self.release(body, bytes(spare));
        true
    }

    /// Gives back the spare chunk, or the current one's unused front; `false` if there is neither.
    fn give_back_own(&self, body: &Body, section: &mut Section<'_>) -> bool {
        self.give_back_spare(body, section) || self.retire(body, section)
    }

    /// Gives back what is idle here if there is pressure, or anyway.
    pub(super) fn release_idle(&self, anyway: bool) {
        let Some(body) = self.inner.made() else { return };
        if anyway || body.budget.pressure_with(body.region.budget()).on {
            body.region.section(|section| while self.give_back_own(body, section) {});
        }
    }

    /// Counts what `give_back` gives back of a block of `size` bytes that may be alone.
    fn give_back_of(&self, size: usize, give_back: impl FnOnce(&Body) -> usize) {
        if let Some(body) = self.inner.made().filter(|_| self.extents.may_have(size)) {
            self.release(body, give_back(body));
        }
    }

    /// Lengthens a block that is alone and younger than the last mark, as [`Body::grow_alone`].
    ///
    /// # Safety
    /// It is the caller's block, of `old`, shorter than `new`.
    unsafe fn grow_alone(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>> {
        let body = self.inner.made().filter(|_| self.extents.may_have(old.size()))?;
        // SAFETY: this function's contract.
        let Grown { block, taken, given } = unsafe { body.grow_listed(&self.extents, ptr, old, new) }?;
        self.hold(body, taken);
        self.release(body, given);
        self.shard.count(new.size(), old.size());
        Some(block)
    }

    fn hold(&self, body: &Body, bytes: usize) {
        self.held.set(self.held() + bytes);
        self.peak.set(self.peak().max(self.held()));
        body.outside.stacks.fetch_add(bytes, Relaxed);
    }

    pub(super) fn release(&self, body: &Body, bytes: usize) {
        debug_assert!(bytes <= self.held(), "INV-scratch.stack-3");
        self.held.set(self.held() - bytes);
        body.outside.stacks.fetch_sub(bytes, Relaxed);
    }
}

// SAFETY: a block is a range of an extent below its chunk's cursor, or an extent of its own; each is handed out once
// until a rewind (INV-arena.shard-1), in the region, which stands with the arena.
unsafe impl Blocks for &Stack {
    #[inline(always)]
    fn bump(self, layout: Layout) -> Option<NonNull<u8>> {
        self.shard.bump(layout)
    }

    #[cold]
    #[inline(never)]
    fn alloc_cold(self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.refill(layout)
    }

    #[inline]
    unsafe fn resize_in_place(self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>> {
        // A block older than the mark stays above it, at whose cursor it may begin. What a shrinking block leaves would
        // be free, unfilled, or above a mark.
        let shrinks = new.size() < old.size();
        let age = self.age(ptr);
        let is_younger = age == Age::Younger;
        let may_move = is_younger && !(shrinks && self.wipe.get().is_some());
        // SAFETY: the caller's contract.
        let moved = if may_move { unsafe { self.shard.resize(ptr, old, new) } } else { None };
        let stays = moved.is_none() && new.size() <= old.size() && ptr.addr().get().is_multiple_of(new.align());
        if stays {
            self.shard.count(new.size(), old.size());
            if age == Age::Older {
                self.buried.set(self.buried.get() + (old.size() - new.size()) as u64);
            }
        }
        let block = if stays { Some(ptr) } else { moved };
        if let (Some(wipe), Some(to)) = (self.wipe.get(), block) {
            // SAFETY: the caller's block, of which it uses the first bytes only; or it has grown, and moved down, and
            // between it and the one before it nothing is anybody's.
            unsafe { wipe.fill_left(ptr, old.size(), to, new.size()) };
        }
        if block.is_none() && !shrinks && is_younger {
            // SAFETY: the caller's block.
            return unsafe { self.grow_alone(ptr, old, new) };
        }
        if stays && shrinks && is_younger {
            // SAFETY: the caller's block, which stays, and of which it uses the first bytes only.
            self.give_back_of(old.size(), |body| unsafe {
                body.shrink_listed(&self.extents, ptr, new.size()).unwrap_or(0)
            });
        }
        block
    }

    #[inline]
    unsafe fn free_nonzero(self, ptr: NonNull<u8>, layout: Layout) {
        if let Some(wipe) = self.wipe.get() {
            // SAFETY: the caller's block, which it uses no more.
            unsafe { wipe.fill(ptr.as_ptr(), layout.size()) };
        }
        let size = layout.size();
        match self.age(ptr) {
            Age::Younger if self.shard.free(ptr, layout) => {}
            // SAFETY: the caller's block, which it uses no more.
            Age::Younger => self.give_back_of(size, |body| unsafe { body.free_listed(&self.extents, ptr, size) }),
            Age::Older => {
                self.buried.set(self.buried.get() + size as u64);
                self.shard.count(0, size);
            }
            Age::Unknown => self.shard.count(0, size),
        }
    }

    fn refusal(self, requested: usize, align: usize, kind: AllocErrorKind) -> AllocError {
        self.inner.refusal(requested, align, kind)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.rewind(Self::bottom());
        self.release_idle(true);
    }
}
