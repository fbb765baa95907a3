//! What only the models ask of a pool.

use crate::region::Region;
use crate::region::shards::OwnedShard;

use super::body::Body;
use super::key::Key;
use super::shard::Shard;
use super::{MOST_SLOTS, Pool};

impl<T> Pool<T> {
    /// A pool of at most `most` slots in `region`, of which `made` are made, and whose body is made: the model checker
    /// does not see `OnceLock`, so no role may be the one that makes it.
    pub(crate) fn with_slots(region: &Region, most: usize, made: usize) -> Pool<T> {
        assert!(most < MOST_SLOTS, "a small pool");
        let pool = Pool::with_region(Some(region.clone()), most);
        let body = pool.body.make(|region| Body::make(region, most), |_| ()).expect("tables of slots and shards");
        while body.slots.len() < made {
            body.slots.grow(&body.account, body.slots.len()).expect("room for the slots");
        }
        // This static is made here, so that no role is ordered before another by its making.
        let _none = Shard::none();
        pool
    }

    /// Slots that are made.
    pub(crate) fn count_slots(&self) -> usize {
        self.body.made().map_or(0, |body| body.slots.len())
    }

    /// Every free slot has been used until `generation`. No role runs.
    pub(crate) fn age(&self, generation: u32) {
        let body = self.body.made().expect("made by `with_slots`");
        let slots = (0..body.slots.len()).filter_map(|index| body.slots.get(index));
        slots.filter(|slot| slot.word.is_free()).for_each(|slot| slot.word.age(generation));
    }

    /// Hints that the calling thread's shard holds; none without a shard.
    pub(crate) fn hints(&self) -> Option<usize> {
        let shard = self.shard(self.body.made()?);
        (!shard.is_none()).then(|| shard.hints())
    }

    /// Whether a batch of hints is in the depot. No role runs.
    pub(crate) fn has_batch(&self) -> bool {
        self.body.made().is_some_and(Body::has_batch)
    }

    /// The key of which [`Key::bits`] gave `bits`.
    pub(crate) fn key_of(&self, (slot, generation): (u32, u32)) -> Key<T> {
        Key::new(self.id.get(), slot, generation)
    }
}

impl<T> Key<T> {
    /// Slot and generation.
    pub(crate) fn bits(self) -> (u32, u32) {
        (self.slot(), self.generation())
    }
}
