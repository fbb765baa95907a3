//! The global allocator checks: every block returns with exactly the layout it was allocated with, and in the end every
//! byte has returned. It gives the alignment that was asked for and no more.
//!
//! The test counts the bytes of the whole process, so it runs in a process of its own.

use crate::allocator::process_bytes;
use crate::support::{self, Random, assert_empty, child, churn, give, give_each, join_all, layout, steps, take};
use sharded_arena::allocator_api2::vec::Vec as ArenaVec;
use sharded_arena::{BestFitArena, BlockArena, Heap, Region};

#[test]
fn every_free_passes_the_allocated_layout() {
    if child::task().is_none() {
        assert_eq!(child::signal_of(child::this_test!(every_free_passes_the_allocated_layout), "all"), None);
        return;
    }
    eprintln!("seeds 0x1b, 0x1c");
    let mut each = 0;
    let mut round = || {
        let before = process_bytes();
        everything();
        each = never_used_heaps_cost();
        process_bytes() == before
    };
    // The test harness and the runtime allocate once in a while too; a leak would show in every round.
    assert!((0..8).any(|_| round()), "every byte returns");
    assert!((0..8).any(|_| round()), "and does so again");
    eprintln!("a never-used heap: {each} bytes");
    assert!(each > 0 && each < 1024, "{each} bytes a heap");
}

/// Each kind of object, used and dropped, also by threads.
fn everything() {
    for capacity in [4 << 10, 100 << 10, 1 << 20, 32 << 20] {
        for checked in [false, true] {
            let heap = support::heap(capacity, checked);
            let other = Heap::in_region(heap.region());
            let threads: Vec<_> = (0..2)
                .map(|seed| {
                    let heap = heap.clone();
                    std::thread::spawn(move || {
                        let live = churn(&heap, &mut Random::new(0x1B + seed), steps(2_000), 60);
                        give_each(&heap, live);
                    })
                })
                .collect();
            join_all(threads);
            let local = other.local();
            let live = churn(&local, &mut Random::new(0x1C), steps(2_000), 60);
            give_each(&local, live);
            let mut numbers = ArenaVec::new_in(&other);
            numbers.extend(0..50_u64);
            drop(numbers);
            other.flush();
            assert_empty(&heap);
            let mut blocks = BlockArena::in_region(heap.region());
            let taken = (0..200).map_while(|size| blocks.allocate(10 * size + 1).ok()).count();
            assert!(taken > 4 && blocks.usage_handle().get() == blocks.memory_usage());
            drop(blocks);
            assert_empty(&heap);
            let snapshot = heap.region().snapshot();
            assert_eq!(snapshot.extents.len(), 1);
        }
    }
    let mut memory = vec![std::mem::MaybeUninit::uninit(); 10_000];
    let mut arena = BestFitArena::over(&mut memory, 8).expect("memory");
    assert!(arena.alloc(5_000).is_some());
}

/// 40,000 heaps that were never used are their handles' memory alone.
fn never_used_heaps_cost() -> usize {
    const COUNT: usize = 40_000;
    let region = Region::with_capacity(1 << 20).expect("a region");
    let mut heaps = Vec::with_capacity(COUNT);
    let before = process_bytes();
    heaps.extend((0..COUNT).map(|_| Heap::in_region(&region)));
    let each = (process_bytes() - before) / COUNT;
    assert_eq!((region.memory_usage(), region.stats().leased), (0, 0), "nothing of the limit");
    let user = Heap::in_region(&region);
    let whole = take(&user, layout(1 << 20, 16)).expect("all of the limit is there");
    give(&user, whole);
    region.verify().expect("every byte is in one place");
    each
}
