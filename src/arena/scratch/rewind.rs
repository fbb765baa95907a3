//! Places in a stack, and the way back to them. INV-scratch.stack-1 to INV-scratch.stack-3 are those of `stack.rs`.
#![expect(unsafe_code, reason = "wipes what is freed")]

use core::ptr::NonNull;

use crate::base::size_class::GRANULE_BYTES;
use crate::region::shards::OwnedShard;

use super::super::inner::Body;
use super::stack::{Mark, Stack, bytes};

impl Stack {
    /// The place now.
    pub(super) fn mark(&self) -> Mark {
        let (start, room) = self.shard.room();
        let (head, chunk) = (self.extents.head(), self.shard.chunk_end());
        let mark = Mark { head, chunk, cursor: start + room, live: self.live() };
        self.last.set(mark);
        self.buried.set(0);
        mark
    }

    /// Whether the block at `ptr` is older than the last mark, and in the current chunk.
    pub(super) fn is_below_mark(&self, ptr: NonNull<u8>) -> bool {
        let Mark { chunk, cursor, .. } = self.last.get();
        let Some((body, end)) = self.inner.made().zip(chunk.filter(|end| Some(*end) == self.shard.chunk_end())) else {
            return false;
        };
        (cursor..body.memory.top(end).addr().get()).contains(&ptr.addr().get())
    }

    /// The place before anything was taken.
    pub(super) fn bottom() -> Mark {
        Mark { head: 0, chunk: None, cursor: 0, live: 0 }
    }

    /// Gives back all that was taken since `mark`, which is a place of this stack (INV-scratch.stack-2).
    #[inline]
    pub(super) fn rewind(&self, mark: Mark) {
        self.shard.enter();
        let Mark { chunk, cursor, .. } = self.last.get();
        let buried = if (chunk, cursor) == (mark.chunk, mark.cursor) { self.buried.get() } else { 0 };
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
        self.extents.rewind(head);
        spared
    }
}
