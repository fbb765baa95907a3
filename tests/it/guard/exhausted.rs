//! Guard mode where the process has as many mappings as the system allows: what cannot be hidden is given back
//! readable, what cannot be shown waits on, and nobody is given memory that faults.
#![expect(unsafe_code, reason = "frees blocks that were never touched")]

use std::ptr::NonNull;

use crate::support::{Block, Random, child, give, give_each, layout, take};
use sharded_arena::{Heap, Region};

const PAGE: usize = 4096;
const BLOCK: usize = 64 << 10;

fn guarded(capacity: usize) -> Option<(Region, Heap)> {
    let region = Region::builder().capacity(capacity).guard_mode(true).build().ok()?;
    let heap = Heap::builder().region(&region).checked(true).quarantine(0).build().ok()?;
    Some((region, heap))
}

/// Takes the process's mappings with regions in which every other block of two pages is hidden, until one cannot be.
fn exhaust(kept: &mut Vec<(Region, Heap)>) {
    const BLOCKS: usize = 2048;
    let two_pages = layout(2 * PAGE, 1);
    let mut blocks: Vec<NonNull<u8>> = Vec::with_capacity(BLOCKS);
    while let Some((region, heap)) = guarded(64 << 20) {
        blocks.clear();
        blocks.extend((0..BLOCKS).map(|_| heap.alloc(two_pages).expect("room").cast::<u8>()));
        for (freed, block) in blocks.iter().step_by(2).enumerate() {
            assert_eq!(region.stats().quarantined, freed * 2 * PAGE);
            // SAFETY: live, with its layout.
            unsafe { heap.free(*block, two_pages) };
            if region.stats().quarantined == freed * 2 * PAGE {
                region.verify().expect("given back, though readable");
                kept.push((region, heap));
                return;
            }
        }
        kept.push((region, heap));
    }
}

fn all_mappings_used() {
    let (region, heap) = guarded(1 << 20).expect("a region");
    let block = || take(&heap, layout(BLOCK, 1)).expect("room");
    let (top, above, middle, below) = (block(), block(), block(), block());
    // Side by side, so that the one in the middle cannot be shown without parting a mapping.
    give_each(&heap, [middle, above, below]);
    let mut kept = Vec::with_capacity(1024);
    exhaust(&mut kept);
    assert_eq!(region.stats().quarantined, 3 * BLOCK);
    assert_eq!(region.flush_quarantine(), 2 * BLOCK, "all but the one in the middle");
    assert_eq!(region.stats().quarantined, BLOCK, "it waits on");
    region.verify().expect("every byte is in one place");
    let mut random = Random::new(7);
    for _ in 0..20 {
        let mut blocks: Vec<Block> = std::iter::from_fn(|| take(&heap, layout(BLOCK, 1)).ok()).collect();
        assert_eq!(blocks.len(), 15, "its neighbours are readable again, so it is, too");
        while !blocks.is_empty() {
            give(&heap, blocks.swap_remove(random.below(blocks.len())));
            region.verify().expect("every byte is in one place");
        }
    }
    give(&heap, top);
    // One goes, and there are mappings again.
    drop(kept);
    region.flush_quarantine();
    assert_eq!(region.memory_usage(), 0);
    let whole = take(&heap, layout(1 << 20, 1)).expect("all of it");
    give(&heap, whole);
    assert_eq!(region.stats().quarantined, 1 << 20);
}

#[test]
fn requests_succeed_without_free_mappings() {
    let most = std::fs::read_to_string("/proc/sys/vm/max_map_count").expect("procfs");
    if most.trim().parse::<usize>().expect("a number") > 100_000 {
        return;
    }
    if child::task().is_some() {
        all_mappings_used();
    } else {
        let test = child::this_test!(requests_succeed_without_free_mappings);
        assert_eq!(child::signal_of(test, "all"), None);
    }
}
