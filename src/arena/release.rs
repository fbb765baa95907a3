//! Everything freed at once: reset, trim, drop. All of it has the arena exclusively, so nobody allocates meanwhile;
//! other users of the region may give back what its ended threads' shards have idle, under the lock.
#![expect(unsafe_code, reason = "extents that nobody uses any more are wiped")]

use crate::base::error::VerifyError;
use crate::base::extent::Extent;
use crate::base::size_class::GRANULE_BYTES;
use crate::region::Section;
use crate::region::shards::OwnedShard;
use crate::sync::Relaxed;

use super::extents::List;
use super::inner::Body;
use super::shard::Shard;

impl Body {
    /// Nothing is handed out any more. Keeps each shard's chunk if `keep`, where it would serve a round like the last,
    /// as far as the leases are within the slack; gives back everything else. So the next round finds its memory warm.
    pub(super) fn reset(&self, keep: bool) {
        let ended: usize = self.region.section(|section| {
            let keep = keep && self.region.keeps_freed();
            let leases = self.shards.iter().map(|shard| self.reset_shard(shard, keep && self.is_in_slack()));
            let ended: usize = leases.sum();
            // The shared chunk's extent is on the list, and goes with it.
            ended + self.shared.reset(section)
        });
        self.outside.allocated.reset();
        self.outside.freed.reset();
        self.keep_extents(&self.extents, |end, _| self.memory.is_kept(end));
        self.keep_extents(&self.alone, |_, _| false);
        self.region.end_lease(&self.budget, ended);
    }

    /// Whether no limit was lowered below what is leased.
    pub(super) fn is_in_slack(&self) -> bool {
        let within = |budget: &crate::region::budget::Budget| budget.leased() <= budget.slack();
        within(&self.budget) && within(self.region.budget())
    }

    /// Forgets what `shard` has handed out; gives the lease that ends with its chunk unless it keeps that.
    fn reset_shard(&self, shard: &Shard, keep: bool) -> usize {
        shard.enter();
        shard.pins.clear();
        shard.expected.set(shard.used.get());
        shard.used.set(0);
        // A chunk too short for a round like the last would part the memory that is warm: the longer one that the next
        // round wants would find no room in it. Without it the warm memory is one free range, and is taken first.
        let keep = keep && shard.lease() >= shard.expected.get();
        let Some(end) = shard.chunk_end().filter(|_| keep) else {
            let lease = shard.close();
            shard.set_live(0);
            return lease;
        };
        self.memory.set_kept(end, true);
        shard.rewind(self.memory.top(end).addr().get(), 0);
        shard.used.set(shard.lease());
        0
    }

    /// Gives back all extents of `list` but those chunks for which `keep` says so, told where they end.
    fn keep_extents(&self, list: &List, keep: impl Fn(u32, Extent) -> bool) {
        let (mut at, mut returns) = (list.take(), self.region.returns(&self.budget));
        while at != 0 {
            let (extent, next) = self.memory.read_node(at);
            if keep(at, extent) {
                self.memory.set_kept(at, false);
                self.memory.set_next(at, list.push(at));
            } else {
                // SAFETY: all callers have the arena exclusively; the node was just read.
                unsafe { self.region.wipe_extent(extent) };
                returns.push(extent);
            }
            at = next;
        }
    }

    /// Gives back what is idle, whole pages of it to the operating system but for `keep_bytes`; gives the bytes
    /// returned.
    pub(super) fn trim(&self, keep_bytes: usize) -> usize {
        self.region.section(|section| {
            for shard in self.shards.iter() {
                shard.enter();
                self.retire(section, shard);
            }
            self.retire_shared(section);
        });
        // A chunk that nothing was taken from is its node alone now.
        self.keep_extents(&self.extents, |_, extent| extent.len > 1);
        self.region.trim(keep_bytes)
    }

    /// Proves that the extents of the lists and of the scratch stacks are all that the arena has taken.
    pub(super) fn verify(&self) -> Result<(), VerifyError> {
        let stacks = self.outside.stacks.load(Relaxed);
        let sum = stacks + self.verify_list(&self.extents)? + self.verify_list(&self.alone)?;
        let found = self.budget.usage();
        if sum == found {
            return Ok(());
        }
        Err(VerifyError { what: "an arena's usage is the sum of its extents", offset: 0, expected: sum, found })
    }

    /// Proves that the extents of `list` are live; returns their bytes.
    fn verify_list(&self, list: &List) -> Result<usize, VerifyError> {
        let (mut at, mut sum) = (list.head(), 0);
        while at != 0 {
            let (extent, next) = self.memory.read_node(at);
            let offset = extent.offset as usize * GRANULE_BYTES;
            let found = self.region.section(|section: &mut Section<'_>| section.len_of(extent.offset)).unwrap_or(0);
            if found != extent.len {
                let (expected, found) = (extent.len as usize, found as usize);
                return Err(VerifyError { what: "an arena's extent is live in its length", offset, expected, found });
            }
            sum += extent.len as usize * GRANULE_BYTES;
            at = next;
        }
        Ok(sum)
    }
}
