//! The figures of an arena: exact after every script, whoever allocated, resized and freed; unchanged by a refusal; and
//! the contract of `Allocator`.
#![expect(unsafe_code, reason = "calls the allocator's raw methods")]

use std::collections::HashMap as Reference;
use std::thread;

use crate::support::{
    Block, Random,
    arenas::{assert_all_returns, bump_churn, verified},
    bytes_of, check_disjoint, fill_up, give, layout, regrow, steps, take,
};
use sharded_arena::allocator_api2::alloc::Allocator;
use sharded_arena::allocator_api2::vec::Vec as ArenaVec;
use sharded_arena::{AllocErrorKind, Arena, Region};

#[test]
fn figures_are_exact_across_threads() {
    for (capacity, max_shards) in [(64 << 10, 4), (1 << 20, 1), (1 << 20, 16), (32 << 20, 2)] {
        let region = Region::with_capacity(capacity).expect("a region");
        let mut arena = Arena::builder().region(&region).max_shards(max_shards).build().expect("an arena");
        for round in 0..3 {
            let own = bump_churn(&arena, &mut Random::seeded(0xA1 + round), steps(800));
            // Each thread resizes and frees half of what the one before it has left.
            let mut left: Vec<Block> = Vec::new();
            for seed in 0..4 {
                let given = std::mem::take(&mut left);
                let arena = &arena;
                left = thread::scope(|scope| {
                    let work = move || {
                        let mut blocks = bump_churn(arena, &mut Random::seeded(0xA9 + seed), steps(800));
                        for (at, mut block) in given.into_iter().enumerate() {
                            match at % 3 {
                                0 => give(arena, block),
                                1 => {
                                    let new = layout(block.size() / 2 + 64, block.layout().align());
                                    let _refused_is_fine = regrow(arena, &mut block, new);
                                    blocks.push(block);
                                }
                                _ => blocks.push(block),
                            }
                        }
                        blocks
                    };
                    scope.spawn(work).join().expect("no panic")
                });
            }
            left.extend(own);
            check_disjoint(&left);
            assert_eq!(arena.live_bytes(), bytes_of(&left), "{}", arena.stats());
            assert_eq!((arena.memory_usage(), arena.stats().usage), (region.memory_usage(), region.stats().usage));
            assert!(arena.memory_usage() >= arena.live_bytes() && arena.peak_memory_usage() >= arena.memory_usage());
            assert!(arena.peak_memory_usage() == region.peak_memory_usage());
            verified(&mut arena);
            assert_all_returns(&mut arena, &region);
        }
        drop(arena);
        assert_eq!((region.memory_usage(), region.stats().leased), (0, 0));
    }
}

/// Each thread its own collections, all threads at once, dropped on another thread than they were made on.
#[test]
fn collections_count_their_capacity() {
    let region = Region::with_capacity(32 << 20).expect("a region");
    let mut arena = Arena::in_region(&region);
    {
        let arena = &arena;
        let made: Vec<_> = thread::scope(|scope| {
            let make = |seed: u64| {
                let (mut numbers, mut map, mut wanted) =
                    (ArenaVec::new_in(arena), hashbrown::HashMap::new_in(arena), Reference::new());
                let mut random = Random::new(seed);
                for n in 0..5_000_u64 {
                    numbers.push(n ^ seed);
                    let key = random.next() % 700;
                    if n % 3 == 0 {
                        assert_eq!(map.remove(&key), wanted.remove(&key));
                    } else {
                        map.insert(key, n);
                        wanted.insert(key, n);
                    }
                }
                numbers.shrink_to_fit();
                (seed, numbers, map, wanted)
            };
            let threads: Vec<_> = (0..4).map(|seed| scope.spawn(move || make(seed))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        for (seed, numbers, map, wanted) in &made {
            assert!(numbers.iter().enumerate().all(|(n, number)| *number == n as u64 ^ seed));
            assert!(map.len() == wanted.len() && wanted.iter().all(|(key, n)| map.get(key) == Some(n)));
        }
        let held: usize = made.iter().map(|(_, numbers, map, _)| numbers.capacity() * 8 + map.allocation_size()).sum();
        assert_eq!(arena.live_bytes(), held, "{}", arena.stats());
        drop(made);
        assert_eq!(arena.live_bytes(), 0, "all was given back, whoever did it");
    }
    verified(&mut arena);
    assert_all_returns(&mut arena, &region);
}

#[test]
fn peak_usage_survives_reset() {
    let mut arena = Arena::with_capacity(1 << 20).expect("an arena");
    take(&arena, layout(100_000, 8)).expect("room");
    take(&arena, layout(300_000, 8)).expect("room");
    let peak = arena.memory_usage();
    assert_eq!(arena.peak_memory_usage(), peak);
    arena.reset();
    take(&arena, layout(50_000, 8)).expect("room");
    assert_eq!((arena.peak_memory_usage(), arena.memory_usage() < peak), (peak, true));
}

#[test]
fn refusal_changes_no_figure() {
    for limit in [4 << 10, 100 << 10, 1 << 20] {
        let region = Region::with_capacity(1 << 20).expect("a region");
        let mut arena = Arena::builder().region(&region).limit(limit).build().expect("an arena");
        let mut blocks = fill_up(&arena, layout(3_000, 8));
        blocks.extend(fill_up(&arena, layout(1, 1)));
        // What is idle is given back by the first refusal.
        let figures = |arena: &Arena| (arena.stats(), region.snapshot(), region.stats().leased);
        let before = figures(&arena);
        for (size, align) in [(1, 1), (4_000, 8), (2 << 20, 1), (isize::MAX as usize, 1), (1, 1 << 62), (16, 1 << 40)] {
            let error = take(&arena, layout(size, align)).expect_err("there is no room");
            assert_eq!((error.requested, error.align), (size, align));
            if error.kind == AllocErrorKind::LimitReached {
                assert!(error.limit == limit && error.usage == before.0.usage, "{error}");
            }
            assert!(arena.try_alloc_slice_uninit::<u64>(usize::MAX / 4).is_err());
            assert!(take(&arena.local(), layout(size, align)).is_err());
            assert_eq!(arena.try_alloc([7_u8; 2_000]).expect_err("there is no room").value, [7; 2_000]);
            assert_eq!(figures(&arena), before, "{size} {align}");
        }
        let from_scratch = take(&*arena.scratch(), layout(4_000, 8));
        assert!(from_scratch.is_err());
        assert_eq!(figures(&arena), before, "a stack's refusal");
        check_disjoint(&blocks);
        verified(&mut arena);
        assert_all_returns(&mut arena, &region);
    }
}

#[test]
fn allocator_contract_holds() {
    for max_shards in [1, 8] {
        let arena = Arena::builder().capacity(256 << 20).max_shards(max_shards).build().expect("an arena");
        take(&arena, layout(1, 1)).expect("this thread has the first shard");
        contract(&arena);
        thread::scope(|scope| scope.spawn(|| contract(&arena)).join().expect("no panic"));
        // A block made here is resized there.
        let mut block = take(&arena, layout(300, 8)).expect("room");
        thread::scope(|scope| {
            let reshaped = scope.spawn(|| {
                for (size, align) in [(301, 8), (5_000, 64), (10, 1), (10, 4096), (0, 1), (7, 2)] {
                    assert!(regrow(&arena, &mut block, layout(size, align)).is_ok());
                }
                block
            });
            give(&arena, reshaped.join().expect("no panic"));
        });
        assert_eq!(arena.live_bytes(), 1);
    }
}

/// Every pair of sizes and alignments, the block being the last one or not.
fn contract(arena: &Arena) {
    let sizes = [0, 1, 15, 16, 17, 100, 1_024, 5_000];
    let aligns = [1, 8, 16, 32, 4_096];
    for last in [true, false] {
        for (from, to) in sizes.iter().flat_map(|from| sizes.iter().map(move |to| (*from, *to))) {
            for (old, new) in aligns.iter().flat_map(|old| aligns.iter().map(move |new| (*old, *new))) {
                let mut block = take(arena, layout(from, old)).expect("room");
                let behind = take(arena, layout(if last { 0 } else { 24 }, 8)).expect("room");
                assert!(regrow(arena, &mut block, layout(to, new)).is_ok(), "{from} {old} {to} {new}");
                behind.check();
                give(arena, behind);
                give(arena, block);
            }
        }
    }
    for (from, to) in [(0, 0), (0, 50), (10, 10), (10, 5_000), (100, 101), (7_000, 9_000)] {
        // Bytes that are not zero lie where the block grows into.
        give(arena, take(arena, layout(9_000, 8)).expect("room"));
        give(arena, take(arena, layout(900, 8)).expect("room"));
        let block = take(arena, layout(from, 8)).expect("room");
        block.check();
        // SAFETY: a live block of this arena, which is not used afterwards.
        let grown = unsafe { arena.grow_zeroed(block.ptr(), layout(from, 8), layout(to, 8)) }.expect("room");
        // SAFETY: a live block of as many bytes.
        let bytes = unsafe { std::slice::from_raw_parts(grown.cast::<u8>().as_ptr(), to) };
        assert!(
            bytes[from..].iter().all(|byte| *byte == 0)
                && bytes[..from].windows(2).all(|two| two[0].wrapping_add(1) == two[1])
        );
        let zeroed = arena.allocate_zeroed(layout(to, 32)).expect("room");
        // SAFETY: as above.
        let bytes = unsafe { std::slice::from_raw_parts(zeroed.cast::<u8>().as_ptr(), to) };
        assert!(bytes.iter().all(|byte| *byte == 0));
        // SAFETY: live blocks, which are not used afterwards.
        unsafe { arena.deallocate(zeroed.cast(), layout(to, 32)) };
        // SAFETY: as above.
        unsafe { arena.deallocate(grown.cast(), layout(to, 8)) };
    }
}
