//! What only the models ask of an arena.

use crate::region::Region;
use crate::region::shards::OwnedShard;
use crate::thread::{Cache, EndOfThread, Token};

use super::handle::At;
use super::shard::Shard;
use super::{Arena, Local};

impl Arena {
    /// An arena with `shards` shards, whose chunks are `chunk` bytes long, and whose body is made: the model checker
    /// does not see `OnceLock`, so no role may be the one that makes it.
    pub(crate) fn with_shards(region: &Region, shards: usize, chunk: usize) -> Arena {
        let options =
            Arena::builder().region(region).max_shards(shards).first_chunk_bytes(chunk).max_chunk_bytes(chunk);
        let arena = options.build().expect("an arena in a region");
        arena.inner.body().expect("tables of shards");
        // This static is made here, so that no role is ordered before another by its making.
        let _none = Shard::none();
        arena
    }

    /// Whether the calling thread has a shard here.
    pub(crate) fn has_shard(&self) -> bool {
        !self.shard().is_none()
    }

    /// Bytes of lease that the calling thread's shard holds.
    pub(crate) fn held(&self) -> usize {
        self.shard().lease()
    }

    /// A handle for the thread that has `cache` and `end`.
    pub(crate) fn local_of(&self, cache: &Cache, end: &EndOfThread) -> Local<'_> {
        let body = self.inner.made().expect("made by `with_shards`");
        Local::on(At { arena: self, shard: body.shards.find_for(&body.region, self.id, cache, Some(end), |_| ()) })
    }

    /// The owner of shard `index`.
    pub(crate) fn owner(&self, index: usize) -> Option<Token> {
        self.inner.made().and_then(|body| body.shards.at(index).0)
    }

    /// Bytes leased to the arena.
    pub(crate) fn leased(&self) -> usize {
        self.inner.made().map_or(0, |body| body.budget.leased())
    }
}
