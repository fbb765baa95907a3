//! The arena as its region sees it: what it has idle can be given back by whoever holds the lock.

use crate::base::extent::Extent;
use crate::region::budget::Budget;
use crate::region::shards::OwnedShard;
use crate::region::{Links, Section, ShardSet, Sweep};
use crate::thread::{Token, tokens};

use super::inner::Body;

impl ShardSet for Body {
    fn budget(&self) -> &Budget {
        &self.budget
    }

    fn links(&self) -> &Links {
        Body::links(self)
    }

    fn drain_one(&self, section: &mut Section<'_>) -> bool {
        self.retire_shared(section)
    }

    fn drain_quarantine(&self, _section: &mut Section<'_>) -> bool {
        false
    }

    fn drain_owned(&self, section: &mut Section<'_>, owner: u64) -> bool {
        let Some(shard) = self.shards.owned_by(Token::from_bits(owner)) else { return false };
        shard.enter();
        self.retire(section, shard)
    }

    fn sweep_one(&self, section: &mut Section<'_>) -> Sweep {
        self.shards.sweep_one(section, |section, shard| self.retire(section, shard))
    }

    /// What an arena has idle are parts of extents, none of its own.
    fn for_cached(&self, _section: &Section<'_>, _each: &mut dyn FnMut(Extent)) {}

    fn exits(&self) -> Option<u64> {
        Some(tokens().exits())
    }

    fn metadata_bytes(&self) -> usize {
        size_of::<Body>() + self.shards.metadata_bytes()
    }
}

impl Drop for Body {
    /// The arena leaves the region's list. A region that nobody else has goes as a whole instead.
    fn drop(&mut self) {
        if !self.region.is_last() {
            let region = self.region.clone();
            region.section(|section| section.unregister(self));
        }
    }
}
