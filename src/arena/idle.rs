//! The arena as its region sees it: what it has idle can be given back by the lock's holder. These are
//! parts of extents, none of its own, so an arena has nothing that counts as cached.

use crate::base::error::LimitOwner;
use crate::region::budget::Budget;
use crate::region::shards::OwnedShard;
use crate::region::{Links, Section, ShardSet, Sweep};
use crate::thread::Token;

use super::inner::Body;

impl ShardSet for Body {
    fn budget(&self) -> &Budget {
        &self.budget
    }

    fn links(&self) -> &Links {
        Body::links(self)
    }

    fn limit_owner(&self) -> LimitOwner {
        LimitOwner::Arena
    }

    fn drain_one(&self, section: &mut Section<'_>) -> bool {
        self.retire_shared(section)
    }

    fn drain_owned(&self, section: &mut Section<'_>, owner: Token) -> bool {
        let Some(shard) = self.shards.owned_by(owner) else { return false };
        shard.enter();
        self.retire(section, shard)
    }

    fn sweep_one(&self, section: &mut Section<'_>) -> Sweep {
        self.shards.sweep_one(section, |section, shard| self.retire(section, shard))
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
