//! A request that the chunk has no room for: a new chunk, the shared one, or an extent of its own.
//!
//! - INV-arena.refill-1: `leased` covers the idle bytes of every current chunk: granted before it is taken, in the
//!   section that takes it, and returned after its unused front was given back.
//! - INV-arena.refill-2: a shard records the pressure it acts upon before any grant of that pass: a lease taken beside
//!   the beginning of pressure is returned at the shard's next slow path.
//!
//! A chunk is 1/16 of what its shard has taken since the last reset, so that what it leaves idle is small beside what
//! it serves; after a reset as long as what the shard took before it, so that a second round hardly comes here. Never
//! more than the shard may hold idle. A request above a quarter of the chunk gets an extent of its own and leaves the
//! chunk as it is (`alone.rs`). Without a lease, or without a shard, a thread bumps through the shared chunk; under
//! pressure every request gets an extent of its own.

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::base::error::AllocError;
use crate::base::extent::Extent;
use crate::base::size_class::GRANULE_BYTES;
use crate::region::{Idle, Section};

use super::extents::{List, NODE_BYTES};
use super::inner::{Body, LEAST_CHUNK_BYTES};
use super::shard::Shard;
use super::shared::Retired;

/// A shared chunk's room fits half a word.
const MOST_SHARED_BYTES: usize = 1 << 31;

/// A chunk just taken: its extent, and what its node must name as the next.
pub(super) struct Taken {
    pub(super) extent: Extent,
    pub(super) next: u32,
}

/// Bytes of a chunk that a request may take: more of it, and the request gets an extent of its own.
pub(super) fn most_of(chunk: usize) -> usize {
    chunk / 4
}

/// Bytes that a request may take of a chunk, the gap to its alignment included.
pub(super) fn need(layout: Layout) -> usize {
    layout.size().saturating_add(layout.align().saturating_sub(GRANULE_BYTES))
}

#[expect(clippy::cast_possible_truncation, reason = "a chunk is far shorter than 2^32 granules")]
fn granules(bytes: usize) -> u32 {
    (bytes / GRANULE_BYTES) as u32
}

impl Body {
    /// A block for `layout`, whose shard, the caller's, has no room for it.
    pub(super) fn refill(&self, shard: &Shard, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let pressure = self.budget.pressure_with(self.region.budget());
        if pressure.value != shard.seen.get() {
            shard.seen.set(pressure.value);
            if pressure.on || !self.is_in_slack() {
                self.region.section(|section| self.retire(section, shard));
            }
        }
        let block = if pressure.on { None } else { self.bump_new_chunk(shard, layout) };
        if let Some(block) = block {
            return Ok(block);
        }
        let holder = core::ptr::from_ref(shard).addr();
        let mut own = Idle(Some(holder), |section: &mut Section<'_>| self.retire(section, shard));
        let block = self.alloc_alone(layout, &mut own)?;
        shard.count(layout.size(), 0);
        Ok(block)
    }

    /// A block for `layout`, for a thread without a shard.
    pub(super) fn alloc_outside(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let pressed = self.budget.pressure_with(self.region.budget()).on;
        let shared = if pressed { None } else { self.take_shared(layout) };
        let block = if let Some(block) = shared {
            block
        } else {
            self.alloc_alone(layout, &mut Idle(Some(0), |_: &mut Section<'_>| false))?
        };
        self.count_outside(layout.size(), 0);
        Ok(block)
    }

    /// A block from a new chunk of `shard`, or from the shared one.
    fn bump_new_chunk(&self, shard: &Shard, layout: Layout) -> Option<NonNull<u8>> {
        let (used, expected) = (shard.used.get(), shard.expected.get());
        let want = self.chunk_bytes(used, expected);
        let may_hold = self.region.share(&self.budget, self.shards.count());
        // What its present chunk has leased comes back with it.
        let want = want.min(may_hold.max(shard.lease()));
        if need(layout) > most_of(want) {
            return self.take_shared(layout).inspect(|_| shard.count(layout.size(), 0));
        }
        let taken = self.region.section(|section| {
            let lease = shard.lease();
            let taken = self.take_chunk(section, &self.extents, want, lease, need(layout))?;
            self.cut_unused(section, shard);
            shard.close();
            self.end_excess_lease(lease, taken.extent);
            let Extent { offset, len } = taken.extent;
            let (bytes, end) = (len as usize * GRANULE_BYTES, offset + len);
            shard.open(self.memory.granule(offset), self.memory.top(end), end, bytes);
            shard.used.set(used + bytes);
            Some(taken)
        });
        let Some(Taken { extent, next }) = taken else {
            return self.take_shared(layout).inspect(|_| shard.count(layout.size(), 0));
        };
        self.memory.write_node(extent, next);
        shard.bump(layout)
    }

    /// Length of the next chunk of somebody who has taken `used` bytes, and `expected` in the round before.
    pub(super) fn chunk_bytes(&self, used: usize, expected: usize) -> usize {
        let grown = (used / 16).max(expected.saturating_sub(used).saturating_add(NODE_BYTES));
        grown.max(self.first_chunk).min(self.most_chunk.max(self.first_chunk))
    }

    /// Takes a chunk of up to `want` bytes and puts it on `list`, of which a request needs `need`, whoever gives up
    /// `lease` bytes for it. Grants what is more than that.
    pub(super) fn take_chunk(
        &self,
        section: &mut Section<'_>,
        list: &List,
        want: usize,
        lease: usize,
        need: usize,
    ) -> Option<Taken> {
        let most = section.most(&self.budget) as usize * GRANULE_BYTES;
        // In guard mode a chunk is whole pages, if it is one at least.
        let page = self.region.guard_page().map_or(GRANULE_BYTES, |page| page as usize * GRANULE_BYTES);
        let unit = if want.min(most) < page { GRANULE_BYTES } else { page };
        let mut len = want.min(most) / unit * unit;
        if len > lease && !self.region.grant(&self.budget, len - lease) {
            len = lease;
        }
        let taken = if len < LEAST_CHUNK_BYTES || need > most_of(len) {
            None
        } else {
            section.take_fixed(&self.budget, granules(len))
        };
        let Some(offset) = taken else {
            self.region.end_lease(&self.budget, len.saturating_sub(lease));
            return None;
        };
        let extent = Extent::new(offset, granules(len));
        Some(Taken { extent, next: list.push(extent.end()) })
    }

    /// Ends what `lease`, the former chunk's, has more than the new one's length.
    pub(super) fn end_excess_lease(&self, lease: usize, extent: Extent) {
        let more = lease.saturating_sub(extent.len as usize * GRANULE_BYTES);
        if more > 0 {
            self.region.end_lease(&self.budget, more);
        }
    }

    // ---- giving back what is idle ---------------------------------------------------------------------------------

    /// Gives the unused front of `shard`'s chunk back; says how many bytes. The lease stays.
    pub(super) fn cut_unused(&self, section: &mut Section<'_>, shard: &Shard) -> usize {
        let Some(end) = shard.chunk_end() else { return 0 };
        let (start, room) = shard.room();
        self.cut(section, self.memory.granule_at(start), room, end)
    }

    /// Gives back the whole granules, in guard mode the whole pages, of `room` unused bytes, from granule `start` on,
    /// of the extent that ends at `end`; says how many bytes. So a chunk's used part can become unreadable to its last
    /// byte.
    fn cut(&self, section: &mut Section<'_>, start: u32, room: usize, end: u32) -> usize {
        let (len, idle) = (end - start, granules(room));
        let unused = match self.region.guard_page() {
            // Of a chunk that nothing was taken from its node alone stays.
            Some(page) if idle + 1 < len => ((start + idle) / page * page).saturating_sub(start),
            _ => idle,
        };
        let cut = section.cut_front(&self.budget, Extent::new(start, len), unused);
        debug_assert!(cut.is_ok(), "an arena's extents are live until it gives them back");
        if cut.is_ok() {
            self.memory.set_len(end, len - unused);
        }
        unused as usize * GRANULE_BYTES
    }

    /// `shard` has no chunk any more: what was unused goes back. By its user. `false` if it had none.
    pub(super) fn retire(&self, section: &mut Section<'_>, shard: &Shard) -> bool {
        let had = shard.chunk_end().is_some();
        if had {
            self.cut_unused(section, shard);
            self.region.end_lease(&self.budget, shard.close());
        }
        had
    }

    /// There is no shared chunk any more: what was unused goes back. `false` if there was none.
    pub(super) fn retire_shared(&self, section: &mut Section<'_>) -> bool {
        let Some(Retired { unused, end, lease }) = self.shared.replace(section, None) else { return false };
        self.cut(section, unused.start, unused.room as usize, end);
        self.region.end_lease(&self.budget, lease);
        true
    }

    // ---- the shared chunk -----------------------------------------------------------------------------------------

    /// A block from the shared chunk, which is replaced when it is exhausted.
    fn take_shared(&self, layout: Layout) -> Option<NonNull<u8>> {
        let base = self.memory.base().addr().get();
        loop {
            let seen = self.shared.free();
            if let Some(offset) = self.shared.take(base, layout) {
                return Some(self.memory.byte(offset));
            }
            let may_hold = self.region.share(&self.budget, self.shards.count());
            let likely = self.chunk_bytes(self.shared.used(), 0).min(may_hold.max(self.shared.lease()));
            if need(layout) > most_of(likely) {
                return None;
            }
            let taken = self.region.section(|section| {
                let shared = &*self.shared;
                if shared.free() != seen {
                    return Some(None);
                }
                let lease = shared.lease();
                let want = self.chunk_bytes(shared.used(), 0).min(may_hold.max(lease)).min(MOST_SHARED_BYTES);
                let taken = self.take_chunk(section, &self.extents, want, lease, need(layout))?;
                // Written under the lock: who drains the chunk a moment later changes its node. A page that was never
                // touched costs its fault here, once a chunk.
                self.memory.write_node(taken.extent, taken.next);
                if let Some(Retired { unused, end, .. }) = shared.replace(section, Some(taken.extent)) {
                    self.cut(section, unused.start, unused.room as usize, end);
                }
                self.end_excess_lease(lease, taken.extent);
                self.region.raise_idled();
                Some(Some(()))
            });
            taken?;
        }
    }
}
