//! The limit is never exceeded, not for a moment; a refusal changes nothing; what fits is served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::{
    Block, Random, assert_empty, churn, fill_up, give, give_all, give_each, heap, join_all, layout, steps, take,
    take_reserved, try_give,
};
use sharded_arena::{AllocErrorKind, Heap, Region};

#[test]
fn observer_never_sees_usage_above_limit() {
    for checked in [false, true] {
        let region = Region::with_capacity(512 << 10).expect("a region");
        let heaps: Vec<_> = (0..2)
            .map(|_| Heap::builder().region(&region).limit(384 << 10).checked(checked).build().expect("a heap"))
            .collect();
        let done = Arc::new(AtomicBool::new(false));
        let observer = {
            let (region, heaps, done) = (region.clone(), heaps.clone(), Arc::clone(&done));
            thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    for heap in &heaps {
                        assert!(heap.memory_usage() <= heap.limit() && heap.peak_memory_usage() <= 384 << 10);
                    }
                    let (usage, stats) = (region.memory_usage(), region.stats());
                    assert!(usage <= region.limit() && stats.usage <= stats.limit && stats.peak <= stats.limit);
                    assert!(stats.leased <= stats.limit / 16 && stats.usage + stats.free == stats.capacity);
                }
            })
        };
        let threads: Vec<_> = (0..4)
            .map(|seed| {
                let heap = heaps[seed % 2].clone();
                thread::spawn(move || churn(&heap, &mut Random::seeded(0x0B5 + seed as u64), steps(40_000), 2_000))
            })
            .collect();
        let mut live: Vec<_> = threads
            .into_iter()
            .enumerate()
            .flat_map(|(at, thread)| thread.join().expect("no panic").into_iter().map(move |block| (at % 2, block)))
            .collect();
        for at in [0, 1] {
            live.extend(std::iter::from_fn(|| take(&heaps[at], layout(16, 8)).ok()).map(|block| (at, block)));
        }
        assert!(region.memory_usage() > 508 << 10, "the limit is pressed: {}", region.stats());
        for (at, block) in live {
            give(&heaps[at], block);
        }
        done.store(true, Ordering::Relaxed);
        observer.join().expect("the limit held");
        heaps[1].flush();
        assert_empty(&heaps[0]);
    }
}

#[test]
fn refusal_changes_no_figure() {
    for checked in [false, true] {
        let heap = heap(1 << 20, checked);
        let region = heap.region().clone();
        let blocks: Vec<_> = std::iter::from_fn(|| take(&heap, layout(3_000, 8)).ok()).collect();
        heap.flush();
        let figures = || (heap.stats(), heap.peak_memory_usage(), region.snapshot(), region.stats().leased);
        let before = figures();
        for (size, align) in [(4_000, 8), (1 << 20, 1), (2 << 20, 1), (isize::MAX as usize, 1), (1, 1 << 62)] {
            let error = take(&heap, layout(size, align)).expect_err("there is no room");
            assert_eq!((error.requested, error.align), (size, align));
            assert_eq!((error.usage, error.limit), (before.0.usage, 1 << 20), "{error}");
            assert_eq!(error.largest_free, region.stats().largest_free);
            assert!(error.to_string().contains(&size.to_string()) && error.to_string().contains("1048576"), "{error}");
            assert!(region.reserve(size.max(64 << 10)).is_err());
            assert_eq!(figures(), before, "{size} {align}");
        }
        give_all(&heap, blocks);
        assert_empty(&heap);
    }
}

#[test]
fn huge_requests_never_refuse_small_ones() {
    for checked in [false, true] {
        let heap = heap(1 << 20, checked);
        let held = take(&heap, layout(256 << 10, 16)).expect("empty");
        let done = Arc::new(AtomicBool::new(false));
        let greedy: Vec<_> = [768 << 10 | 16, 1 << 20, usize::MAX >> 1]
            .into_iter()
            .map(|size| {
                let (heap, done) = (heap.clone(), Arc::clone(&done));
                thread::spawn(move || {
                    while !done.load(Ordering::Relaxed) {
                        assert!(take(&heap, layout(size, 1)).is_err());
                    }
                })
            })
            .collect();
        let mut random = Random::seeded(0x9E);
        for _ in 0..steps(4_000) {
            let size = 1 + random.below(100 << 10);
            let blocks = [(); 2].map(|()| take(&heap, layout(size, 8)).expect("it fits"));
            give_each(&heap, blocks);
        }
        done.store(true, Ordering::Relaxed);
        join_all(greedy);
        give(&heap, held);
        assert_empty(&heap);
    }
}

#[test]
fn limit_changes_apply_under_use() {
    for checked in [false, true] {
        let region = Region::builder().capacity(1 << 20).limit(512 << 10).build().expect("a region");
        let heap = Heap::builder().region(&region).checked(checked).build().expect("a heap");
        let mut blocks: Vec<_> = std::iter::from_fn(|| take(&heap, layout(1_000, 8)).ok()).collect();
        assert!(blocks.len() * 1_008 > 500 << 10, "{} blocks", blocks.len());
        let usage = region.memory_usage();
        region.set_limit(100 << 10);
        assert_eq!((region.limit(), region.memory_usage()), (100 << 10, usage), "nothing is taken away");
        assert_eq!(take(&heap, layout(1, 1)).expect_err("above the limit").kind, AllocErrorKind::LimitReached);
        region.verify().expect("every byte is in one place");
        while let Some(block) = blocks.pop() {
            give(&heap, block);
            heap.flush();
            let fits = region.memory_usage() + 16 <= 100 << 10;
            let extra = take(&heap, layout(1, 1));
            assert_eq!(extra.is_ok(), fits);
            give_each(&heap, extra);
        }
        region.set_limit(1 << 20);
        let whole = take(&heap, layout(1 << 20, 16)).expect("raised");
        give(&heap, whole);
        region.set_limit(0);
        assert!(take(&heap, layout(1, 1)).is_err() || heap.memory_usage() == 0 || checked);
        region.set_limit(usize::MAX);
        let error = take(&heap, layout((1 << 20) + 1, 1)).expect_err("longer than the region");
        assert_eq!((error.kind, error.limit), (AllocErrorKind::Fragmented, usize::MAX), "{error}");
        assert_empty(&heap);
    }
}

#[test]
fn heaps_in_one_region_limited_separately() {
    for checked in [false, true] {
        let region = Region::with_capacity(1 << 20).expect("a region");
        let build = |limit| Heap::builder().region(&region).limit(limit).checked(checked).build().expect("a heap");
        let (small, large) = (build(100 << 10), build(2 << 20));
        assert_eq!((small.limit(), large.limit()), (100 << 10, 1 << 20));
        let held: Vec<_> = std::iter::from_fn(|| take(&small, layout(500, 8)).ok()).collect();
        let error = take(&small, layout(500, 8)).expect_err("its own limit");
        assert_eq!((error.limit, error.kind), (100 << 10, AllocErrorKind::LimitReached));
        assert!(error.usage == small.memory_usage() && error.usage > 95 << 10, "{error}");
        let other: Vec<_> = std::iter::from_fn(|| take(&large, layout(500, 8)).ok()).collect();
        assert_eq!(take(&large, layout(500, 8)).expect_err("the region's").limit, 1 << 20);
        assert_eq!(small.memory_usage() + large.memory_usage(), region.memory_usage());
        small.set_limit(50 << 10);
        give_all(&large, other);
        assert!(take(&small, layout(500, 8)).is_err(), "lowered, whatever the region has");
        small.set_limit(200 << 10);
        give(&small, take(&small, layout(500, 8)).expect("raised"));
        give_all(&small, held);
        small.flush();
        assert_empty(&large);
    }
}

#[test]
fn other_heaps_idle_memory_is_reclaimed() {
    let region = Region::with_capacity(4 << 20).expect("a region");
    let heaps = [Heap::in_region(&region), Heap::in_region(&region)];
    for round in 0..20 {
        // A thread frees more than its magazines hold, the rest goes to the depot, and ends; the other heap then asks
        // for all there is.
        let (idle, asking) = (&heaps[round % 2], &heaps[(round + 1) % 2]);
        for size in [64, 200] {
            let idle = idle.clone();
            let filled = thread::spawn(move || {
                let blocks: Vec<_> = (0..3_000).map(|_| take(&idle, layout(size, 8)).expect("room")).collect();
                give_each(&idle, blocks);
            });
            filled.join().expect("no panic");
        }
        assert!(round > 0 || region.memory_usage() > 0, "something is idle");
        let whole = take(asking, layout(4 << 20, 16)).expect("only idle memory is in the way");
        assert_eq!((idle.memory_usage(), idle.stats().leased), (0, 0));
        give(asking, whole);
    }
    heaps[0].flush();
    assert_empty(&heaps[1]);
}

#[test]
fn reservation_is_charged_and_returned() {
    for checked in [false, true] {
        let heap = heap(1 << 20, checked);
        let region = heap.region().clone();
        let mut reserved = region.reserve(300 << 10).expect("room");
        assert_eq!((region.memory_usage(), region.stats().reserved, heap.memory_usage()), (300 << 10, 300 << 10, 0));
        assert!(region.reserve((724 << 10) + 1).is_err() && take(&heap, layout((724 << 10) + 1, 1)).is_err());
        // All the rest is taken by others; the reserved bytes are still there.
        let others: Vec<_> = std::iter::from_fn(|| take(&heap, layout(2_000, 8)).ok()).collect();
        assert!(others.len() * 2_048 > 680 << 10 && region.memory_usage() <= 1 << 20);
        let mut drawn = Vec::new();
        while reserved.remaining() >= 4_096 {
            let usage = region.memory_usage();
            drawn.push(take_reserved(&heap, &mut reserved, layout(4_000, 8)).expect("it was reserved"));
            assert_eq!(region.memory_usage(), usage, "charged before");
            region.verify().expect("every byte is in one place");
        }
        assert!(drawn.len() >= 70, "{}", drawn.len());
        let rest = reserved.remaining();
        give_all(&heap, others);
        // A request beyond what is left is charged with the difference.
        let usage = {
            heap.flush();
            region.memory_usage()
        };
        let long = take_reserved(&heap, &mut reserved, layout(100_000, 16)).expect("room");
        assert_eq!((reserved.remaining(), region.memory_usage()), (0, usage + 100_000 - rest));
        drawn.push(long);
        drop(reserved);
        assert_eq!(region.stats().reserved, 0);
        drop(region.reserve(500 << 10).expect("room"));
        give_all(&heap, drawn);
        assert_empty(&heap);
    }
}

/// Idle memory of the heap itself must not fail a reserved request either.
#[test]
fn reserving_reclaims_idle_memory() {
    for round in 0..4 {
        let heap = heap(4 << 20, false);
        let high: Vec<_> = (0..256).map(|_| take(&heap, layout(8 << 10, 16)).expect("empty")).collect();
        let blocks: Vec<_> = (0..900).map(|i| take(&heap, layout(1 + i, 8)).expect("room")).collect();
        if round % 2 == 0 {
            give_all(&heap, blocks);
        } else {
            let heap = heap.clone();
            thread::spawn(move || give_all(&heap, blocks)).join().expect("no panic");
        }
        for block in high {
            try_give(&heap, block).expect("live");
        }
        let mut reserved = heap.region().reserve(3 << 20).expect("room");
        let largest = heap.region().stats().largest_free;
        assert!(heap.memory_usage() > 0 && largest < 3 << 20, "idle memory is in the way: {largest}");
        let long = take_reserved(&heap, &mut reserved, layout(3 << 20, 16)).expect("it was reserved");
        give(&heap, long);
        drop(reserved);
        assert_empty(&heap);
    }
}

#[test]
fn aligned_requests_find_every_place() {
    let wanted = layout(112, 512);
    let region = Region::with_capacity(1 << 20).expect("a region");
    let heap = Heap::in_region(&region);
    let blocks = fill_up(&heap, layout(112, 16));
    let (freed, kept): (Vec<_>, Vec<_>) = blocks.into_iter().enumerate().partition(|(at, _)| at % 2 == 0);
    for (_, block) in freed {
        try_give(&heap, block).expect("live");
    }
    heap.flush();
    let base = region.base().addr().get();
    let has_place = |offset: usize, len: usize| {
        let start = base + offset;
        start.next_multiple_of(wanted.align()) + wanted.size() <= start + len
    };
    let snapshot = region.snapshot();
    let free = || snapshot.extents.iter().filter(|extent| !extent.used);
    let places = free().filter(|extent| has_place(extent.offset, extent.len)).count();
    assert!(places > 10 && free().count() > 10 * places, "{places} of {}", free().count());
    let served = fill_up(&heap, wanted);
    assert_eq!(served.len(), places);
    let refused = take(&heap, wanted).expect_err("all places are taken");
    assert_eq!(refused.kind, AllocErrorKind::Fragmented);
    give_each(&heap, served);
    give_each(&heap, kept.into_iter().map(|(_, block)| block));
    assert_empty(&heap);
}

#[test]
fn extreme_layouts_are_served_or_refused() {
    for checked in [false, true] {
        let heap = heap(16 << 20, checked);
        for shift in 0..=22 {
            let blocks: Vec<Block> = [1, 15, 1_000, 9_000]
                .into_iter()
                .map(|size| take(&heap, layout(size, 1 << shift)).expect("room for every alignment up to 4 MiB"))
                .collect();
            give_each(&heap, blocks);
        }
        for shift in 23..63 {
            for size in [1, 1 << shift, (1 << 62) - (1 << (shift - 1)), isize::MAX as usize - (1 << shift) + 1] {
                if let Ok(block) = take(&heap, layout(size, 1 << shift)) {
                    assert!(size <= 16 << 20);
                    give(&heap, block);
                }
            }
        }
        for size in [isize::MAX as usize, isize::MAX as usize - 15, 1 << 62, (1 << 36) - 16, 1 << 36, (16 << 20) + 1] {
            assert!(take(&heap, layout(size, 1)).is_err(), "{size:#x}");
        }
        for shift in 0..63 {
            give(&heap, take(&heap, layout(0, 1 << shift)).expect("nothing is always there"));
        }
        heap.flush();
        let nothings: Vec<_> = (0..1_000).map(|_| take(&heap, layout(0, 8)).expect("nothing")).collect();
        assert_eq!(heap.memory_usage(), 0, "nothing is charged for nothing");
        give_each(&heap, nothings);
        assert_empty(&heap);
    }
}
