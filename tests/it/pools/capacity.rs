//! How many values a pool takes: exactly as many as it has slots, on any number of threads; exactly as many as its
//! region has room for; never more than the limit, whoever else is in the region.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

use crate::support::{
    self, Random,
    pools::{assert_free, assert_returned, assert_settled, pool_alone},
};
use sharded_arena::{Arena, Heap, Key, Pool, PoolFull, Region, RegionError};

/// Inserts until the pool is full; the keys.
fn fill_up<T: Clone>(pool: &Pool<T>, value: &T) -> Vec<Key<T>> {
    std::iter::from_fn(|| pool.insert(value.clone()).ok()).collect()
}

/// All of `threads` threads fill the pool at the same time; then each removes what another inserted, and they do it
/// again.
fn exact(slots: usize, threads: usize) {
    let pool = Pool::with_capacity(slots).unwrap();
    let begin = Barrier::new(threads);
    let mut keys: Vec<Vec<Key<usize>>> = vec![Vec::new(); threads];
    let mut usage = None;
    for round in 0..2 {
        thread::scope(|scope| {
            for (id, keys) in keys.iter_mut().enumerate() {
                let (pool, begin) = (&pool, &begin);
                scope.spawn(move || {
                    assert!(keys.drain(..).all(|key| pool.take(key).is_some()));
                    begin.wait();
                    *keys = fill_up(pool, &id);
                });
            }
        });
        let total: usize = keys.iter().map(Vec::len).sum();
        assert_eq!((total, pool.len()), (slots, slots), "{threads} threads, round {round}");
        assert!(matches!(pool.insert(0), Err(PoolFull { value: 0, capacity }) if capacity == slots));
        assert!(keys.iter().enumerate().all(|(id, keys)| keys.iter().all(|key| *pool.get(*key).unwrap() == id)));
        assert_eq!(pool.memory_usage(), *usage.get_or_insert(pool.memory_usage()), "all slots were made at once");
        // A slot that is free again takes one value, under another key.
        let (id, key) = keys.iter_mut().enumerate().find_map(|(id, keys)| Some((id, keys.last_mut()?))).unwrap();
        assert!(pool.remove(*key));
        let again = pool.insert(id).unwrap();
        assert!(again != *key && pool.insert(0).is_err());
        *key = again;
        keys.rotate_left(1);
    }
    assert!(pool.memory_usage() >= slots * size_of::<usize>());
    assert_settled(&pool);
}

#[test]
fn capacity_is_exact_on_eight_threads() {
    exact(1000, 1);
    for slots in 1..=200 {
        exact(slots, 1);
        if !cfg!(debug_assertions) || slots < 10 || slots % 8 < 2 {
            exact(slots, 8);
        }
    }
}

#[test]
fn capacity_is_exact_without_hints() {
    for slots in [1, 2, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 200] {
        exact(slots, 64);
        exact(slots, 80);
    }
}

/// As many threads as slots, each with one value at a time at most.
#[test]
fn threads_with_own_slot_never_refused() {
    for threads in [2, 8, 64] {
        let pool = Pool::with_capacity(threads).unwrap();
        thread::scope(|scope| {
            for id in 0..threads {
                let (pool, steps) = (&pool, support::steps(200_000) / threads);
                scope.spawn(move || {
                    for n in 0..steps {
                        let key = pool.insert((id, n)).unwrap();
                        if n % 64 == 0 {
                            thread::yield_now();
                        }
                        assert_eq!(pool.take(key), Some((id, n)));
                    }
                });
            }
        });
        assert!(pool.is_empty());
        assert_free(&pool, threads, || (0, 0));
    }
}

#[test]
fn slot_limit_is_reported() {
    let most = u32::MAX as usize;
    let pool = Pool::<()>::with_capacity(most).unwrap();
    assert_eq!(pool.capacity(), most);
    pool.insert(()).unwrap();
    assert_eq!(pool.capacity(), most);
    assert_eq!(Pool::<()>::with_capacity(most - 1).unwrap().capacity(), most - 1);
    assert!(matches!(Pool::<()>::with_capacity(most + 1), Err(RegionError::AboveGreatest { .. })));
    assert!(matches!(Pool::<()>::with_capacity(usize::MAX), Err(RegionError::AboveGreatest { .. })));
    assert!(matches!(Pool::<[u8; 1 << 40]>::with_capacity(most), Err(RegionError::AboveGreatest { .. })));
    assert!(matches!(Pool::<u64>::with_capacity(most), Err(RegionError::AboveGreatest { .. })));
}

// ---- in a region ----------------------------------------------------------------------------------------------------

/// 32 bytes with their word; 128 of them are a segment of 4 KiB.
type Small = [u64; 3];
const SEGMENT: usize = 4096;

#[test]
fn pool_grows_while_region_has_room() {
    let mut random = Random::seeded(0x5E6);
    for _ in 0..support::steps(200) {
        let region = Region::with_capacity(1 << 17).unwrap();
        let (pool, heap) = (Pool::<Small>::in_region(&region), Heap::in_region(&region));
        let mut held = Vec::new();
        for _ in 0..random.below(6) {
            held.push(heap.alloc(support::layout(2048 + random.below(20_000), 16)).unwrap());
        }
        // A look at whether there is an extent for a segment: take it, and give it back.
        let room = || region.stats().largest_free >= SEGMENT;
        let mut keys = Vec::new();
        loop {
            let (slots, usage, fits) = (pool.capacity(), region.memory_usage(), room());
            match pool.insert([7; 3]) {
                Ok(key) => {
                    keys.push(key);
                    assert!(keys.len() <= slots || fits, "a segment came from nowhere");
                }
                Err(full) => {
                    assert!(!fits && keys.len() == slots && full.capacity == slots, "{full} with room for a segment");
                    assert_eq!(region.memory_usage(), usage, "a refusal takes nothing");
                    break;
                }
            }
        }
        assert_eq!(pool.memory_usage(), keys.len() / 128 * SEGMENT);
        for _ in 0..100 {
            assert!(pool.insert([0; 3]).is_err() && pool.reserve().is_err() && pool.reserve_many::<9>().is_err());
        }
        assert_eq!((pool.len(), pool.memory_usage()), (keys.len(), keys.len() / 128 * SEGMENT));
        region.verify().unwrap();
        drop(heap);
    }
}

#[test]
fn refused_pool_grows_after_frees() {
    let region = Region::with_capacity(1 << 17).unwrap();
    let pool = Pool::<Small>::in_region(&region);
    let heap = Heap::in_region(&region);
    let layout = support::layout(3 * SEGMENT, 16);
    let mut keys = Vec::new();
    for round in 1..=8 {
        let mut blocks: Vec<_> = std::iter::from_fn(|| heap.alloc(layout).ok()).collect();
        let before = keys.len();
        keys.extend(fill_up(&pool, &[round; 3]));
        assert!(keys.len() - before < 3 * 128 * usize::try_from(round).unwrap(), "the heap has the rest");
        assert!(pool.insert([0; 3]).is_err());
        let Some(block) = blocks.pop() else { break };
        heap_free(&heap, block, layout);
        let again = fill_up(&pool, &[round; 3]);
        assert_eq!(again.len(), 3 * 128, "as many as the block had room for");
        keys.extend(again);
        blocks.into_iter().for_each(|block| heap_free(&heap, block, layout));
        assert!(keys.iter().all(|key| pool.contains(*key)));
        region.verify().unwrap();
    }
    assert_eq!(pool.len(), keys.len());
    drop(heap);
    keys.extend(fill_up(&pool, &[0; 3]));
    assert_eq!((keys.len(), pool.memory_usage()), ((1 << 17) / 32, 1 << 17));
    assert_settled(&pool);
    drop(pool);
    assert_returned(&region);
}

#[expect(unsafe_code, reason = "a heap's raw blocks are freed by hand")]
fn heap_free(heap: &Heap, block: std::ptr::NonNull<[u8]>, layout: std::alloc::Layout) {
    // SAFETY: the caller's block is the heap's, live, of that layout, and given away here.
    unsafe { heap.free(block.cast(), layout) };
}

#[test]
fn changed_limit_is_kept() {
    let (region, pool) = pool_alone::<Small>(1 << 17);
    region.set_limit(3 * SEGMENT + SEGMENT / 2);
    let first = fill_up(&pool, &[1; 3]);
    assert_eq!((first.len(), pool.memory_usage()), (3 * 128, 3 * SEGMENT));
    region.set_limit(0);
    // What it has may be used; nothing new comes.
    assert!(first.iter().step_by(2).all(|key| pool.remove(*key)));
    assert_eq!(fill_up(&pool, &[2; 3]).len(), first.len() / 2);
    region.set_limit(5 * SEGMENT);
    assert_eq!(fill_up(&pool, &[3; 3]).len(), 2 * 128);
    assert_eq!(region.peak_memory_usage(), 5 * SEGMENT);
    assert_settled(&pool);
}

#[test]
fn too_small_region_holds_nothing() {
    let region = Region::with_capacity(1 << 17).unwrap();
    region.set_limit(SEGMENT - 16);
    let pool = Pool::<Small>::in_region(&region);
    let full = pool.insert([9; 3]).unwrap_err();
    assert_eq!((full.value, full.capacity, pool.capacity(), region.memory_usage()), ([9; 3], 0, 0, 0));
    assert_eq!(full.to_string(), "not enough free slots: the pool has 0 and can make no more");
    let huge = Pool::<[u8; 1 << 18]>::in_region(&region);
    assert!(huge.reserve().is_err() && huge.reserve_many::<3>().is_err() && huge.reserve_many::<0>().is_ok());
    region.set_limit(SEGMENT);
    assert_eq!(fill_up(&pool, &[1; 3]).len(), 128);
}

#[test]
fn shared_limit_holds_for_all_clients() {
    const LIMIT: usize = 400_000;
    let region = Region::builder().capacity(1 << 20).limit(LIMIT).build().unwrap();
    let (small, large) = (Pool::<Small>::in_region(&region), Pool::<[u64; 400]>::in_region(&region));
    let (heap, arena) = (Heap::in_region(&region), Arena::in_region(&region));
    let (ended, begun) = (AtomicBool::new(false), Barrier::new(4));
    thread::scope(|scope| {
        let looks = scope.spawn(|| {
            begun.wait();
            let mut most = 0;
            while !ended.load(Relaxed) {
                let usage = region.memory_usage();
                assert!(usage <= LIMIT && small.memory_usage() <= LIMIT && large.memory_usage() <= LIMIT);
                most = most.max(usage);
            }
            most
        });
        let work = |seed| {
            let (small, large, heap, arena, begun) = (&small, &large, &heap, &arena, &begun);
            move || {
                begun.wait();
                let mut random = Random::new(seed);
                let (mut smalls, mut larges, mut refused) = (Vec::new(), Vec::new(), 0);
                for _ in 0..support::steps(100_000) {
                    match random.below(6) {
                        0 | 1 => smalls.extend(small.insert([1; 3]).map_err(|_| refused += 1)),
                        2 => larges.extend(large.insert([2; 400]).map_err(|_| refused += 1)),
                        3 if !smalls.is_empty() => {
                            assert!(small.remove(smalls.swap_remove(random.below(smalls.len()))));
                        }
                        4 if !larges.is_empty() => {
                            assert!(large.remove(larges.swap_remove(random.below(larges.len()))));
                        }
                        _ => {
                            let layout = support::layout(1 + random.below(5_000), 16);
                            if let Ok(block) = heap.alloc(layout) {
                                heap_free(heap, block, layout);
                            }
                            refused += usize::from(random.below(50) == 0 && arena.try_alloc([3u64; 20]).is_err());
                        }
                    }
                }
                refused
            }
        };
        let threads: Vec<_> = [1, 2, 3].map(|seed| scope.spawn(work(seed))).into_iter().collect();
        let refused: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        ended.store(true, Relaxed);
        assert!(looks.join().unwrap() > 0 && refused > 0, "the limit was reached");
    });
    let stats = region.stats();
    let sum = small.memory_usage() + large.memory_usage() + heap.memory_usage() + arena.memory_usage();
    assert_eq!(stats.usage, sum, "{stats}");
    assert!(region.peak_memory_usage() <= LIMIT);
    region.verify().unwrap();
    drop((small, large, heap, arena));
    assert_returned(&region);
}

#[test]
fn threads_within_capacity_never_refused() {
    const THREADS: usize = 8;
    const EACH: usize = 50;
    let pool = Pool::with_capacity(THREADS * EACH).unwrap();
    let moved = AtomicUsize::new(0);
    thread::scope(|scope| {
        for id in 0..THREADS {
            let (pool, moved) = (&pool, &moved);
            scope.spawn(move || {
                for round in 0..400 {
                    let keys: Vec<_> = (0..EACH).map(|n| pool.insert((id, round, n)).unwrap()).collect();
                    for (n, key) in keys.iter().enumerate() {
                        assert_eq!(*pool.get(*key).unwrap(), (id, round, n));
                        assert!(pool.remove(*key));
                        moved.fetch_add(1, Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(moved.load(Relaxed), THREADS * EACH * 400);
    assert!(pool.is_empty());
}

#[test]
fn slots_freed_elsewhere_are_found() {
    let pool = Pool::with_capacity(100).unwrap();
    let (freed, go_on) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        scope.spawn(|| {
            let keys: Vec<_> = (0..100).map(|n| pool.insert(n).unwrap()).collect();
            for key in &keys {
                assert!(pool.remove(*key));
            }
            freed.wait();
            go_on.wait();
        });
        freed.wait();
        let keys: Vec<_> = (0..100).map(|n| pool.insert(n).unwrap()).collect();
        assert!(pool.insert(0).is_err() && keys.len() == 100);
        go_on.wait();
    });
}

#[test]
fn dropped_pool_frees_all_memory() {
    let region = Region::with_capacity(1 << 20).unwrap();
    let pool = Pool::in_region(&region);
    let mut count = 0;
    while pool.insert([0u64; 7]).is_ok() {
        count += 1;
    }
    assert!(count * 64 > (1 << 20) - 8192, "{count}");
    assert_eq!(pool.memory_usage(), region.memory_usage());
    drop(pool);
    assert_eq!(region.memory_usage(), 0);
    region.verify().unwrap();
}

#[test]
fn zero_slots_is_an_error() {
    assert!(matches!(Pool::<u8>::with_capacity(0), Err(RegionError::ZeroCapacity)));
}
