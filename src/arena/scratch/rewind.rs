//! Places in a stack, and the way back to them. INV-scratch.stack-1 to INV-scratch.stack-3 are those of `stack.rs`.
#![expect(unsafe_code, reason = "wipes what is freed")]

use core::ptr::NonNull;

use crate::base::extent::Extent;
use crate::base::size_class::GRANULE_BYTES;
use crate::region::shards::OwnedShard;

use super::super::alone::bytes;
use super::super::inner::Body;
use super::stack::{Age, Mark, Stack};

/// Extents that are looked at to find out how old a block is.
const MOST_LOOKED_AT: usize = 64;

impl Stack {
    /// The place now; `beside` says whether blocks may be in the making.
    pub(super) fn mark(&self, beside: bool) -> Mark {
        let (start, room) = self.shard.room();
        let (head, chunk) = (self.extents.head(), self.shard.chunk_end());
        let mut mark = Mark { head, chunk, cursor: start + room, live: self.live(), beside };
        let buried = self.buried.get();
        if buried != 0 {
            if self.last.get().is_place_of(mark) {
                // As the marks of this place before it.
                mark.live = mark.live.wrapping_add(buried);
            } else {
                self.buried.set(0);
            }
        }
        self.last.set(mark);
        mark
    }

    /// How old the block at `ptr`, which its holder resizes or gives back, is beside the last mark.
    pub(super) fn age(&self, ptr: NonNull<u8>) -> Age {
        let (mark, address) = (self.last.get(), ptr.addr().get());
        let Some(body) = self.inner.made().filter(|_| mark.head != 0) else { return Age::Younger };
        let top = |end| body.memory.top(end).addr().get();
        if mark.chunk.is_some_and(|end| (mark.cursor..top(end)).contains(&address)) {
            return Age::Older;
        }
        let (start, room) = self.shard.room();
        let in_chunk = self.shard.chunk_end().is_some_and(|end| (start + room..top(end)).contains(&address));
        if in_chunk || !mark.beside { Age::Younger } else { self.age_by_list(body, mark, address) }
    }

    /// The age of a block at `address` beside `mark`, the last one, that is neither in the current chunk nor in the
    /// older part of the mark's.
    #[cold]
    fn age_by_list(&self, body: &Body, mark: Mark, address: usize) -> Age {
        let begin = |extent: Extent| body.memory.granule(extent.offset).addr().get();
        let mut at = self.extents.head();
        for _ in 0..MOST_LOOKED_AT {
            if at == mark.head {
                let of_chunk = |end| begin(body.memory.read_node(end).0)..mark.cursor;
                let since = mark.chunk.is_some_and(|end| of_chunk(end).contains(&address));
                return if since { Age::Younger } else { Age::Older };
            }
            let (extent, next) = body.memory.read_node(at);
            if (begin(extent)..begin(extent) + bytes(extent)).contains(&address) {
                return Age::Younger;
            }
            at = next;
        }
        Age::Unknown
    }

    /// The place before anything was taken.
    pub(super) fn bottom() -> Mark {
        Mark { head: 0, chunk: None, cursor: 0, live: 0, beside: false }
    }

    /// Gives back all that was taken since `mark`, which is a place of this stack (INV-scratch.stack-2).
    #[inline]
    pub(super) fn rewind(&self, mark: Mark) {
        self.shard.enter();
        let same = self.last.get().is_place_of(mark);
        let buried = if same { self.buried.get() } else { 0 };
        self.buried.set(buried);
        self.last.set(mark);
        let mark = Mark { live: mark.live.wrapping_sub(buried), ..mark };
        if self.extents.head() == mark.head && self.shard.chunk_end() == mark.chunk {
            self.rewind_near(mark);
        } else if let Some(body) = self.inner.made() {
            self.rewind_far(body, mark);
        }
    }

    /// The mark's chunk is the present one.
    #[inline]
    fn rewind_near(&self, mark: Mark) {
        if let Some(wipe) = self.wipe.get().filter(|_| mark.chunk.is_some()) {
            let (start, room) = self.shard.room();
            let from = self.shard.cursor();
            // SAFETY: the blocks between the cursor and the mark, which nobody refers to: the caller of a rewind has
            // the stack exclusively, or its scope ends.
            unsafe { wipe.fill(from, mark.cursor.saturating_sub(start + room)) };
        }
        self.shard.rewind(mark.cursor, mark.live);
    }

    /// The mark's chunk, or the extent on top then, is not the present one.
    #[cold]
    #[inline(never)]
    fn rewind_far(&self, body: &Body, mark: Mark) {
        self.shard.expected.set(self.held());
        let current = self.shard.chunk_end();
        if current == mark.chunk {
            self.give_back_until(body, mark.head, None);
            self.rewind_near(mark);
            return;
        }
        // The current chunk was taken after the mark: it becomes the spare if all of it is leased, or goes back.
        let lease = self.shard.close();
        let whole = current.filter(|end| bytes(body.memory.read_node(*end).0) == lease);
        let spared = self.give_back_until(body, mark.head, whole);
        if !spared && lease > 0 {
            body.region.end_lease(&body.budget, lease);
        }
        self.shard.set_live(mark.live);
        if let Some(end) = mark.chunk {
            self.reopen(body, end, mark);
        }
    }

    /// Makes the chunk that ends at granule `end`, which is on the list, the current one again.
    fn reopen(&self, body: &Body, end: u32, mark: Mark) {
        let (extent, _) = body.memory.read_node(end);
        let start = body.memory.granule(extent.offset);
        let room = mark.cursor.saturating_sub(start.addr().get());
        // SAFETY: blocks taken after the mark, and before the chunk was left, which nobody refers to.
        unsafe { body.region.wipe_bytes(start, room) };
        // Idle memory is leased, or it is given back; less than a granule is neither.
        let idle = room / GRANULE_BYTES * GRANULE_BYTES;
        let leased = idle == 0 || body.region.grant(&body.budget, idle) || {
            body.region.section(|section| self.give_back_spare(body, section));
            body.region.grant(&body.budget, idle)
        };
        self.open(body, extent, if leased { idle } else { 0 });
        self.shard.rewind(mark.cursor, mark.live);
        if !leased {
            body.region.section(|section| self.retire(body, section));
        }
    }

    /// Gives back the extents on top of the one that ends at granule `head`, but for the one that ends at `spare`, if
    /// that is longer than the present spare: says whether it became the spare.
    fn give_back_until(&self, body: &Body, head: u32, spare: Option<u32>) -> bool {
        let mut returns = body.region.returns(&body.budget);
        let (mut at, mut spared) = (self.extents.head(), false);
        while at != head {
            let (extent, next) = body.memory.read_node(at);
            if body.memory.is_alone(at) {
                self.extents.forget(extent.len);
            }
            let longer = self.spare.get().is_none_or(|present| present.len < extent.len);
            if Some(at) == spare && longer && body.region.keeps_freed() {
                if self.spare.get().is_some() {
                    body.region.section(|section| self.give_back_spare(body, section));
                }
                self.spare.set(Some(extent));
                spared = true;
            } else {
                // SAFETY: taken after the mark: nobody refers to it; its node was just read.
                unsafe { body.region.wipe_extent(extent) };
                self.release(body, bytes(extent));
                returns.push(extent);
            }
            at = next;
        }
        self.extents.rewind(body.memory, head);
        spared
    }
}
