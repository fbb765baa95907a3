//! `Pocket`: the few blocks that a thread has freed since it was refused, while no magazine is open.
//!
//! A refused thread frees to make room, and asks again. Its pocket keeps the freed blocks until that request, and the
//! section of the request gives them back before it searches. So the thread takes the lock once instead of twice. The
//! pocket never serves a request itself, because a block in it cannot join its free neighbours: measured, the limit
//! then holds half a percent less. A thread that was not refused gives back at once, because others may wait for it.
//!
//! - INV-heap.pocket-1: the blocks in a pocket are together at most as long as its lease, which is a part of `held`.
//!   The lease lasts while there is pressure.
//! - INV-heap.pocket-2: a request of the thread in this heap is refused only with an empty pocket. While the pocket is
//!   not empty, a look that the thread remembers is one of this shard.
//!
//! Used like the rest of a shard, by one thread at a time.

use crate::base::extent::Extent;
use crate::base::size_class::GRANULE_BYTES;
use crate::region::Section;
use crate::sync::{Owned32, Owned64};
use crate::thread;

use super::inner::{Caches, Inner};
use super::shard::Shard;

/// Blocks in a pocket.
pub(super) const MOST: u32 = if cfg!(all(test, loom)) { 2 } else { 8 };
/// Granules that a pocket leases: 4 KiB, halved as often as its lease is denied, but not below 1 KiB.
const LEASE: u32 = if cfg!(all(test, loom)) { 4 } else { 256 };
const LEAST_LEASE: u32 = if cfg!(all(test, loom)) { 2 } else { 64 };

/// See the module's header.
pub(super) struct Pocket {
    count: Owned32,
    /// Granules of the blocks, and of the lease.
    granules: Owned32,
    lease: Owned32,
    /// Offset and length of each block.
    blocks: [Owned64; MOST as usize],
}

fn bits(extent: Extent) -> u64 {
    u64::from(extent.offset) << 32 | u64::from(extent.len)
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of the word")]
fn extent_of(bits: u64) -> Extent {
    Extent::new((bits >> 32) as u32, bits as u32)
}

impl Pocket {
    pub(super) const fn empty() -> Self {
        Self {
            count: Owned32::zero(),
            granules: Owned32::zero(),
            lease: Owned32::zero(),
            blocks: [const { Owned64::zero() }; MOST as usize],
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count.get() == 0
    }

    /// Bytes leased for the pocket.
    pub(super) fn lease(&self) -> usize {
        self.lease.get() as usize * GRANULE_BYTES
    }

    /// Blocks in the pocket.
    pub(super) fn extents(&self) -> impl Iterator<Item = Extent> {
        self.blocks[..self.count.get() as usize].iter().map(|block| extent_of(block.get()))
    }

    /// Puts `extent` in, if it fits.
    fn push(&self, extent: Extent) -> bool {
        let (count, granules) = (self.count.get(), self.granules.get() + extent.len);
        let fits = count < MOST && granules <= self.lease.get();
        if fits {
            self.blocks[count as usize].set(bits(extent));
            self.granules.set(granules);
            self.count.set(count + 1);
        }
        fits
    }

    fn first(&self) -> Extent {
        extent_of(self.blocks[0].get())
    }

    fn clear(&self) {
        self.count.set(0);
        self.granules.set(0);
    }
}

impl Inner {
    /// Keeps a freed block in the pocket of `shard`, under pressure. Returns `false` if the caller has to give it back.
    pub(super) fn keep_in_pocket(&self, caches: &Caches, shard: &Shard, block: Extent) -> bool {
        let pocket = &shard.pocket;
        // Only the thread that was refused last here is likely to be the next that asks.
        let was_refused = thread::look_holds(core::ptr::from_ref(shard).addr(), |_| true);
        if !was_refused || self.region.guards(block) {
            return false;
        }
        if pocket.lease.get() == 0 && !self.open_pocket(caches, shard) || block.len > pocket.lease.get() {
            return false;
        }
        if !pocket.push(block) {
            self.region.section(|section| self.give_back_pocket(section, shard));
            pocket.push(block);
        }
        self.region.prefetch(block);
        true
    }

    /// Keeps a freed block in the pocket of `shard`, if it has one and there was pressure at its last slow path.
    pub(super) fn keep_under_pressure(&self, shard: &Shard, block: Extent) -> bool {
        let caches = self.made().filter(|_| shard.pocket.lease() > 0);
        caches.is_some_and(|caches| self.keep_in_pocket(caches, shard, block))
    }

    /// Leases bytes for the pocket of `shard`, which has none.
    #[cold]
    fn open_pocket(&self, caches: &Caches, shard: &Shard) -> bool {
        let most = self.region.share(&self.budget, caches.shards.count());
        let mut granules = LEASE;
        while granules >= LEAST_LEASE {
            if self.grant(shard, most, granules as usize * GRANULE_BYTES) {
                shard.pocket.lease.set(granules);
                return true;
            }
            granules /= 2;
        }
        false
    }

    /// Gives the blocks in the pocket of `shard` back to the index. Returns `false` if the pocket is empty.
    pub(super) fn give_back_pocket(&self, section: &mut Section<'_>, shard: &Shard) -> bool {
        let invalid = match shard.pocket.count.get() {
            0 => return false,
            1 => usize::from(section.give_back(&self.budget, shard.pocket.first()).is_err()),
            _ => {
                let mut blocks = [Extent::new(0, 0); MOST as usize];
                blocks.iter_mut().zip(shard.pocket.extents()).for_each(|(to, extent)| *to = extent);
                section.give_back_list(&self.budget, &mut blocks[..shard.pocket.count.get() as usize])
            }
        };
        shard.pocket.clear();
        (0..invalid).for_each(|_| self.count_invalid());
        true
    }

    /// Ends the lease of the pocket of `shard`, which is empty.
    pub(super) fn close_pocket(&self, shard: &Shard) {
        let lease = shard.pocket.lease();
        if lease > 0 {
            debug_assert!(shard.pocket.is_empty(), "INV-heap.pocket-1");
            shard.pocket.lease.set(0);
            shard.release(lease);
            self.end_lease(lease);
        }
    }
}
