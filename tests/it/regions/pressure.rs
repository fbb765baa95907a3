//! Pressure: when it begins and ends, seen by what threads then cache.

use crate::support::{Block, give, give_each, layout, take};
use sharded_arena::{Arena, Heap, Region};

/// Whether a thread caches a block that it frees.
fn caches(heap: &Heap) -> bool {
    give(heap, take(heap, layout(64, 8)).expect("room"));
    let cached = heap.stats().leased > 0;
    heap.flush();
    cached
}

/// Takes blocks of 3,000 bytes until one is refused.
fn fill(heap: &Heap) -> Vec<Block> {
    let blocks = std::iter::from_fn(|| take(heap, layout(3_000, 8)).ok()).collect();
    heap.flush();
    blocks
}

#[test]
fn refunds_end_pressure() {
    for own in [false, true] {
        let region = Region::with_capacity(1 << 20).expect("a region");
        let heap =
            Heap::builder().region(&region).limit(if own { 512 << 10 } else { 1 << 20 }).build().expect("a heap");
        assert!(caches(&heap));
        let mut blocks = fill(&heap);
        // A block that goes and comes again changes nothing, nor do some more: that is hysteresis.
        for some in [1, 1, 1, blocks.len() / 12] {
            give_each(&heap, blocks.drain(..some));
            assert!(!caches(&heap), "{some}");
        }
        give_each(&heap, blocks.drain(2..));
        heap.flush();
        assert!(region.memory_usage() < 20 << 10);
        assert!(caches(&heap), "own limit: {own}");
        let arena = Arena::in_region(&region);
        arena.alloc(1_u8);
        assert!(region.stats().leased > 0, "it has a chunk");
        give_each(&heap, blocks);
    }
}

#[test]
fn dropped_reservations_end_pressure() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let heap = Heap::in_region(&region);
    let reserved = region.reserve(1 << 20).expect("nothing is used");
    assert!(take(&heap, layout(64, 8)).is_err());
    drop(reserved);
    assert!(caches(&heap));
}
