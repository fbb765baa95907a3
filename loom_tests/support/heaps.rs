//! A heap in a region of its own and two threads with a shard each, whose identities are carried by hand.
//!
//! Blocks are named by their granule. When the fixture goes, its heap is dropped first, and then nothing may be charged
//! or leased: every model that has one ends in exact totals.
#![expect(unsafe_code, reason = "a role uses its own thread's identity only")]

use core::alloc::Layout;
use core::ops::Deref;

use super::harness::region_with;
use crate::base::extent::Extent;
use crate::base::size_class::{Class, GRANULE_BYTES};
use crate::depot::magazine::{Node, NodeRef, lease_bytes};
use crate::heap::{Heap, Inner, Shard};
use crate::region::Region;
use crate::region::shards::OwnedShard;
use crate::thread::{Cache, EndOfThread, tokens};

/// What a thread's two thread-locals hold, and the shard they led to.
struct Identity {
    cache: Cache,
    end: EndOfThread,
    shard: *const Shard,
}

/// See the module's header.
pub(crate) struct Fixture {
    heap: Option<Heap>,
    region: Region,
    identities: Vec<Identity>,
}

// SAFETY: each identity is used by one role, or by the main thread when no role runs.
unsafe impl Send for Fixture {}
// SAFETY: as for Send.
unsafe impl Sync for Fixture {}

/// The layout of a request of `bytes` bytes.
pub(crate) fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, 1).expect("a small layout")
}

/// The class of blocks of 16 bytes, the class of blocks of 32 bytes. Longer ones are large, and never cached.
pub(crate) fn class(bytes: usize) -> Class {
    Class::from_index(bytes / 16 - 1)
}

impl Fixture {
    /// A heap in a region of `bytes` bytes, of which `limit` may be handed out and `limit / slack_divisor` leased.
    pub(crate) fn new(bytes: usize, limit: usize, slack_divisor: usize) -> Self {
        Self::on(region_with(bytes, limit, slack_divisor))
    }

    /// A heap in `region`.
    pub(crate) fn on(region: Region) -> Self {
        let heap = Heap::in_region(&region);
        let mut fixture = Self { heap: Some(heap), region, identities: Vec::new() };
        for _ in 0..2 {
            let (cache, end) = (Cache::new(), EndOfThread::new());
            let shard = core::ptr::from_ref(fixture.shard_of(&cache, &end));
            fixture.identities.push(Identity { cache, end, shard });
        }
        assert!(!fixture.shard(0).is_none() && !fixture.shard(1).is_none(), "a shard for each thread");
        fixture
    }

    pub(crate) fn region(&self) -> &Region {
        &self.region
    }

    /// The shard of thread `thread`.
    pub(crate) fn shard(&self, thread: usize) -> &Shard {
        // SAFETY: the heap's body stands as long as the heap, and shards do not move.
        unsafe { &*self.identities[thread].shard }
    }

    /// Thread `thread` ends.
    pub(crate) fn end(&self, thread: usize) {
        let Identity { cache, end, .. } = &self.identities[thread];
        end.end(Some(cache), tokens());
    }

    /// A block of `bytes` bytes for thread `thread`, or its refusal.
    pub(crate) fn alloc(&self, thread: usize, bytes: usize) -> Option<u32> {
        self.alloc_in(self.shard(thread), layout(bytes)).ok().map(|block| self.granule(block))
    }

    /// Thread `thread` frees the block at `granule`.
    pub(crate) fn free(&self, thread: usize, granule: u32, bytes: usize) {
        self.free_on(self.shard(thread), self.address(granule), layout(bytes));
    }

    /// A block straight from the region.
    pub(crate) fn take(&self, bytes: usize) -> Option<u32> {
        self.take_or_refuse(layout(bytes)).ok()
    }

    /// Gives a block straight back to the region.
    pub(crate) fn give(&self, granule: u32, bytes: usize) {
        self.give_back(self.address(granule), layout(bytes)).expect("a live block");
    }

    /// Takes all but `room` bytes of the limit; gives the block.
    pub(crate) fn fill(&self, room: usize) -> (u32, usize) {
        let bytes = self.region.limit() - self.region.memory_usage() - room;
        (self.take(bytes).expect("the region is not fragmented yet"), bytes)
    }

    /// The node `at`.
    pub(crate) fn node(&self, at: NodeRef) -> Node<'_> {
        self.made().expect("a body").depot.nodes.get(at)
    }

    /// Pushes a full magazine of `cap` new blocks of `bytes` bytes to the depot.
    pub(crate) fn stock(&self, bytes: usize, cap: u32) {
        stock(self, &self.region, bytes, cap);
    }

    /// All that is cached goes back to the region: what is left is what callers hold.
    pub(crate) fn close_everything(&self) {
        let body = self.made().expect("a body");
        self.close_all(body, self.shard(0));
        self.close_all(body, self.shard(1));
        while self.region.section(|section| section.drain_one(&**self, false)) {}
        assert_eq!((self.region.budget().leased(), self.budget.leased()), (0, 0), "a lease was lost or ended twice");
    }
}

impl Deref for Fixture {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.heap.as_ref().expect("dropped with the fixture").inner
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.heap = None;
        assert_eq!(self.region.memory_usage(), 0, "bytes left behind");
        assert_eq!(self.region.budget().leased(), 0, "leases left behind");
        self.region.verify().expect("every byte is free");
    }
}

/// Pushes a full magazine of `cap` new blocks of `bytes` bytes to the depot of `core`, a heap in `region`.
pub(crate) fn stock(inner: &Inner, region: &Region, bytes: usize, cap: u32) {
    let (class, depot) = (class(bytes), &inner.caches().expect("a heap that caches").depot);
    let lease = lease_bytes(class, cap);
    assert!(inner.budget.grant(lease) && region.budget().grant(lease), "the slack is large enough");
    let node = depot.take_node(cap).expect("a fresh node");
    let at = depot.nodes.get(node);
    at.open(class, cap);
    for slot in &at.slots[..cap as usize] {
        slot.set(inner.take_or_refuse(layout(bytes)).expect("the region is large enough"));
    }
    at.set_len(cap);
    depot.push_full(class, node);
}

/// Indices of the units of `unit` bytes that `extent` covers.
pub(crate) fn units(extent: Extent, unit: usize) -> core::ops::Range<usize> {
    let at = |granule: u32| granule as usize * GRANULE_BYTES / unit;
    at(extent.offset)..at(extent.end())
}
