//! The heap as its region sees it: what it has cached can be given back by whoever holds the lock.

use crate::base::error::LimitOwner;
use crate::base::extent::Extent;
use crate::base::size_class::Class;
use crate::depot::magazine::NodeRef;
use crate::region::budget::Budget;
use crate::region::shards::OwnedShard;
use crate::region::{Links, Section, ShardSet, Sweep};
use crate::thread::Token;

use super::inner::{Caches, Inner};
use super::quarantine::WaitingBlocks;
use super::shard::Shard;

impl ShardSet for Inner {
    fn budget(&self) -> &Budget {
        &self.budget
    }

    fn links(&self) -> &Links {
        &self.links
    }

    fn limit_owner(&self) -> LimitOwner {
        LimitOwner::Heap
    }

    fn drain_one(&self, section: &mut Section<'_>) -> bool {
        let Some(caches) = self.made() else { return false };
        let Some(node) = caches.depot.pop_any() else { return false };
        self.give_back_node(caches, section, node);
        true
    }

    fn drain_quarantine(&self, section: &mut Section<'_>) -> bool {
        let Some(extent) = self.quarantine.as_ref().and_then(|quarantine| quarantine.pop(section)) else {
            return false;
        };
        if section.give_back(&self.budget, extent).is_err() {
            self.count_invalid();
        }
        true
    }

    fn drain_owned(&self, section: &mut Section<'_>, owner: Token) -> bool {
        let own = self.made().and_then(|caches| Some((caches, caches.shards.owned_by(owner)?)));
        own.inspect(|(_, shard)| shard.enter());
        self.give_back_own(section, own)
    }

    fn sweep_one(&self, section: &mut Section<'_>) -> Sweep {
        let Some(caches) = self.made() else { return Sweep::Clean };
        caches.shards.sweep_one(section, |section, shard| self.give_back_all_of(section, caches, shard))
    }

    fn for_cached(&self, section: &Section<'_>, each: &mut dyn FnMut(Extent)) {
        if let Some(quarantine) = &self.quarantine {
            quarantine.for_each(section, each);
        }
        let Some(caches) = self.made() else { return };
        for shard in caches.shards.claimed(section) {
            shard.for_cached(&caches.depot.nodes, &mut *each);
        }
        caches.depot.for_each_full(|node| {
            let class = Class::from_index(node.class());
            node.slots[..node.len() as usize].iter().for_each(|slot| each(Extent::new(slot.get(), class.granules())));
        });
    }

    fn metadata_bytes(&self) -> usize {
        let waiting = self.quarantine.as_ref().map_or(0, WaitingBlocks::metadata_bytes);
        size_of::<Inner>() + waiting + self.made().map_or(0, Caches::metadata_bytes)
    }
}

impl Inner {
    /// Gives back a magazine whose lease no shard holds, inside the section.
    pub(super) fn give_back_node(&self, caches: &Caches, section: &mut Section<'_>, node: NodeRef) {
        let lease = self.empty_node(caches, section, node);
        self.end_node(caches, node, lease);
    }

    /// Gives back one magazine or the pocket of a shard without a living owner. If both are empty, ends the pocket's
    /// lease and returns `false`.
    fn give_back_all_of(&self, section: &mut Section<'_>, caches: &Caches, shard: &Shard) -> bool {
        let gave_back = self.give_back_own(section, Some((caches, shard)));
        if !gave_back {
            self.close_pocket(shard);
        }
        gave_back
    }

    /// Gives back all that is cached, whoever owns it. The heap's last handle only.
    fn give_back_all(&self, section: &mut Section<'_>) {
        while self.drain_quarantine(section) {}
        let Some(caches) = self.made() else { return };
        for shard in caches.shards.iter() {
            shard.enter();
            while self.give_back_all_of(section, caches, shard) {}
        }
        while self.drain_one(section) {}
    }
}

impl Drop for Inner {
    /// One critical section: the heap leaves the region's list and gives back what is cached. A region that nobody else
    /// has goes as a whole instead.
    fn drop(&mut self) {
        if !self.is_used() || self.region.is_last() {
            return;
        }
        let region = self.region.clone();
        region.section(|section| {
            self.give_back_all(section);
            section.unregister(self);
        });
    }
}
