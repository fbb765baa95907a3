//! The limit of an arena, and of the region that it shares: never exceeded, not for a moment; what fits is served,
//! whatever lies idle in chunks; idle memory is a small part of the limit.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use crate::support::{
    Block, Random, Source,
    arenas::{assert_all_returns, bump_churn, verified},
    bytes_of, check_disjoint, churn, fill_up, give, give_each, layout, steps, take,
};
use sharded_arena::{AllocErrorKind, Arena, Heap, Region, Scratch};

/// Node and rounding of an extent that holds one block.
const OVERHEAD: usize = 32;

#[test]
fn observer_never_sees_usage_above_limit() {
    const LIMIT: usize = 512 << 10;
    let region = Region::with_capacity(LIMIT).expect("a region");
    let build = |limit| Arena::builder().region(&region).limit(limit).build().expect("an arena");
    let mut arenas = [build(LIMIT / 2), build(LIMIT)];
    let heap = Heap::in_region(&region);
    let done = AtomicBool::new(false);
    for round in 0..3 {
        thread::scope(|scope| {
            let observer = scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    for arena in &arenas {
                        assert!(arena.memory_usage() <= arena.limit() && arena.peak_memory_usage() <= arena.limit());
                        assert!(arena.live_bytes() <= 2 * LIMIT, "a sum of loads, never below zero");
                    }
                    let stats = region.stats();
                    assert!(region.memory_usage() <= LIMIT && stats.usage <= LIMIT && stats.peak <= LIMIT, "{stats}");
                    assert!(stats.leased <= LIMIT / 16 && stats.usage + stats.free == stats.capacity, "{stats}");
                    thread::yield_now();
                }
            });
            let bumping: Vec<_> = (0..4)
                .map(|seed: usize| {
                    let arena = &arenas[seed % 2];
                    scope.spawn(move || {
                        let blocks = bump_churn(arena, &mut Random::seeded(0x0B5 + seed as u64 + round), steps(3_000));
                        for _ in 0..50 {
                            let mut scratch = arena.scratch();
                            scratch.scope(|scope| fill_up(scope, layout(3_000, 64)).iter().for_each(Block::check));
                        }
                        check_disjoint(&blocks);
                    })
                })
                .collect();
            let freeing = scope.spawn(|| give_each(&heap, churn(&heap, &mut Random::seeded(0x0BA), steps(8_000), 300)));
            for thread in bumping.into_iter().chain([freeing]) {
                thread.join().expect("no panic");
            }
            done.store(true, Ordering::Relaxed);
            observer.join().expect("the limit held");
        });
        done.store(false, Ordering::Relaxed);
        let [first, second] = arenas.each_ref().map(Arena::memory_usage);
        assert_eq!(region.memory_usage(), first + second + heap.memory_usage());
        assert!(region.peak_memory_usage() > LIMIT * 15 / 16, "the limit is pressed: {}", region.stats());
        for arena in &mut arenas {
            verified(arena);
            arena.reset();
            verified(arena);
        }
    }
    heap.flush();
    arenas[1].trim(0);
    assert_all_returns(&mut arenas[0], &region);
}

/// A region whose addresses are never short: only the limit refuses.
fn roomy(limit: usize) -> Region {
    Region::builder().capacity(4 * limit).limit(limit).build().expect("a region")
}

/// Something is idle in the region; still a request for all that nobody holds is served.
#[track_caller]
fn asks_for_the_rest(source: &impl Source, region: &Region, held: usize, what: &str) {
    let before = region.memory_usage();
    assert!(before > held, "{what}: something is idle, {before} of {held} held");
    let rest = region.limit() - held - OVERHEAD;
    if let Err(error) = take(source, layout(rest, 16)) {
        panic!("{what}: {rest} bytes beside {held} held: {error}");
    }
}

/// The least that `count` blocks of `size` in one chunk hold once the chunk has given its front back.
fn in_chunk(size: usize) -> usize {
    size.next_multiple_of(16) + 16
}

#[test]
fn idle_memory_of_thread_is_reclaimed() {
    for capacity in [64 << 10, 1 << 20] {
        let own = |what: &str, idle: &dyn Fn(&Region) -> Box<dyn std::any::Any>, held: usize| {
            let region = roomy(capacity);
            let arena = Arena::in_region(&region);
            let kept = idle(&region);
            asks_for_the_rest(&arena, &region, held, what);
            drop(kept);
        };
        let other_arena = |region: &Region| {
            let arena = Arena::in_region(region);
            take(&arena, layout(8, 8)).expect("room");
            Box::new(arena) as Box<dyn std::any::Any>
        };
        own("another arena", &other_arena, in_chunk(8));
        let heap = |region: &Region| {
            let heap = Heap::in_region(region);
            give(&heap, take(&heap, layout(100, 8)).expect("room"));
            Box::new(heap) as Box<dyn std::any::Any>
        };
        own("a heap", &heap, 0);
        let many = |region: &Region| {
            let arenas: Vec<_> = (0..5).map(|_| other_arena(region)).collect();
            Box::new(arenas) as Box<dyn std::any::Any>
        };
        own("more arenas than a thread remembers", &many, 5 * in_chunk(8));
    }
    let region = roomy(1 << 20);
    let arena = Arena::in_region(&region);
    take(&arena, layout(8, 8)).expect("room");
    asks_for_the_rest(&arena, &region, in_chunk(8), "the own chunk");
    let arena = Arena::builder().region(&roomy(4 << 20)).limit(1 << 20).build().expect("an arena");
    take(&arena, layout(8, 8)).expect("room");
    take(&arena, layout((1 << 20) - in_chunk(8) - OVERHEAD, 8)).expect("the own chunk, the own limit");
    let region = roomy(1 << 20);
    let (arena, mut scratch) = (Arena::in_region(&region), Scratch::in_region(&region));
    take(&arena, layout(8, 8)).expect("room");
    take(&scratch, layout(8, 8)).expect("room");
    scratch.scope(|scope| (0..60).for_each(|_| take(scope, layout(100, 8)).expect("room").check()));
    asks_for_the_rest(&scratch, &region, 2 * in_chunk(8), "the chunks of an arena and a stack, and a spare one");
}

/// Whichever limit is in the way: the arena's own, or the region's.
#[test]
fn stack_reclaims_its_threads_chunk() {
    for (capacity, limit) in [(1 << 20, 64 << 10), (64 << 10, usize::MAX)] {
        let region = Region::with_capacity(capacity).expect("a region");
        let arena = Arena::builder().region(&region).limit(limit).build().expect("an arena");
        arena.alloc(1u8);
        let idle = arena.stats().leased;
        assert!(idle > 1_000, "the rest of the chunk is idle");
        let scratch = arena.scratch();
        let rest = arena.limit() - arena.memory_usage() + idle / 2;
        assert!(scratch.try_alloc_slice_fill_copy(rest, 7u8).is_ok(), "refused beside {idle} idle bytes");
        while scratch.try_alloc(0u64).is_ok() {}
        assert_eq!(arena.stats().leased, 0, "{}", arena.stats());
    }
}

#[test]
fn memory_of_exited_threads_is_reclaimed() {
    let region = roomy(1 << 20);
    let (arena, other, heap) = (Arena::in_region(&region), Arena::in_region(&region), Heap::in_region(&region));
    let arenas = Arc::new((arena, other));
    for _ in 0..3 {
        let (arenas, heap) = (Arc::clone(&arenas), heap.clone());
        let used = move || {
            take(&arenas.0, layout(8, 8)).expect("room");
            take(&arenas.1, layout(8, 8)).expect("room");
            give(&heap, take(&heap, layout(100, 8)).expect("room"));
        };
        thread::spawn(used).join().expect("no panic");
    }
    // Three threads in turn have adopted the same two chunks; each leaves a granule in both.
    let held = 2 * (3 * 16 + 16);
    asks_for_the_rest(&arenas.0, &region, held, "ended threads");
}

#[test]
fn idle_shared_chunk_is_reclaimed() {
    for by_itself in [true, false] {
        let region = roomy(1 << 20);
        let arena = Arena::builder().region(&region).max_shards(1).build().expect("an arena");
        let sharing = |arena: &Arena| {
            thread::scope(|scope| scope.spawn(|| take(arena, layout(8, 8)).expect("room")).join().expect("no panic"));
        };
        take(&arena, layout(8, 8)).expect("room");
        sharing(&arena);
        let other = Arena::in_region(&region);
        asks_for_the_rest(if by_itself { &arena } else { &other }, &region, 2 * in_chunk(8), "the shared chunk");
    }
}

/// A thread that came too late for a shard has idle memory elsewhere.
#[test]
fn idle_memory_without_shard_is_reclaimed() {
    let region = roomy(1 << 20);
    let arena = Arena::builder().region(&region).max_shards(1).build().expect("an arena");
    take(&arena, layout(8, 8)).expect("this thread has the only shard");
    let (arena, region) = (&arena, &region);
    let late = move || {
        let other = Arena::in_region(region);
        take(&other, layout(8, 8)).expect("room");
        let first = take(arena, layout(200 << 10, 8)).expect("room");
        // The main thread's chunk is idle too, and out of reach while it lives.
        let out_of_reach = arena.memory_usage() - (200 << 10) - 16;
        let rest = (1 << 20) - region.memory_usage() + other.memory_usage() - in_chunk(8) - OVERHEAD;
        let answer = take(arena, layout(rest, 16));
        assert!(answer.is_ok(), "{rest} bytes fit, {out_of_reach} are out of reach: {}", answer.expect_err("refused"));
        check_disjoint(&[first]);
    };
    thread::scope(|scope| scope.spawn(late).join().expect("no panic"));
}

#[test]
fn huge_requests_never_refuse_small_ones() {
    let mut arena = Arena::with_capacity(1 << 20).expect("an arena");
    let region = arena.region().expect("given");
    for _ in 0..3 {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for size in [1 << 20, usize::MAX >> 1] {
                let (arena, done) = (&arena, &done);
                scope.spawn(move || {
                    while !done.load(Ordering::Relaxed) {
                        assert!(take(arena, layout(size, 1)).is_err());
                        assert!(take(&*arena.scratch(), layout(size, 1)).is_err());
                    }
                });
            }
            let mut random = Random::seeded(0x9E);
            let mut left = 900_usize << 10;
            while left > 40 << 10 {
                let size = 1 + random.below(2_000);
                left -= size;
                take(&arena, layout(size, 1)).expect("it fits");
            }
            done.store(true, Ordering::Relaxed);
        });
        assert_all_returns(&mut arena, &region);
    }
}

#[test]
fn smallest_arena_and_zero_limit() {
    let mut small = Arena::with_capacity(4 << 10).expect("the least");
    let region = small.region().expect("given");
    for _ in 0..3 {
        let blocks = fill_up(&small, layout(100, 4));
        assert!(bytes_of(&blocks) > 3 << 10, "{}", small.stats());
        let ones = fill_up(&small, layout(1, 1));
        check_disjoint(&blocks);
        check_disjoint(&ones);
        verified(&mut small);
        assert_all_returns(&mut small, &region);
    }
    let all = take(&small, layout((4 << 10) - 16, 16)).expect("all but the node");
    assert!(take(&small, layout(1, 1)).is_err() && small.memory_usage() == 4 << 10);
    give(&small, all);
    let mut none = Arena::builder().region(&region).limit(0).build().expect("an arena");
    for size in [1, 16, 4 << 10] {
        let error = take(&none, layout(size, 1)).expect_err("no byte may be taken");
        assert_eq!((error.kind, error.limit, error.usage), (AllocErrorKind::LimitReached, 0, 0));
        assert!(take(&*none.scratch(), layout(size, 1)).is_err());
    }
    take(&none, layout(0, 1 << 20)).expect("nothing is always there");
    none.alloc([0_u64; 0]);
    verified(&mut none);
}

#[test]
fn region_limit_is_lowered_below_usage() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let mut arena = Arena::in_region(&region);
    let blocks: Vec<_> = (0..300).map(|_| take(&arena, layout(1_000, 8)).expect("room")).collect();
    let usage = arena.memory_usage();
    region.set_limit(100 << 10);
    assert_eq!((arena.limit(), arena.memory_usage()), (100 << 10, usage), "nothing is taken away");
    // A thread may use up its chunk; then it is refused, and gives the rest of the chunk back.
    let more = fill_up(&arena, layout(1_000, 8));
    assert!(more.len() <= 70 && arena.memory_usage() <= usage, "{} more", more.len());
    assert_eq!(take(&arena, layout(1_000, 8)).expect_err("above the limit").kind, AllocErrorKind::LimitReached);
    check_disjoint(&blocks);
    verified(&mut arena);
    arena.reset();
    verified(&mut arena);
    assert!(arena.memory_usage() <= 100 << 10, "{}", arena.stats());
    let held = fill_up(&arena, layout(1_000, 8));
    assert!(bytes_of(&held) > 95_000, "{}", arena.stats());
    assert!(region.memory_usage() <= 100 << 10);
    region.set_limit(1 << 20);
    let all = fill_up(&arena, layout(1_000, 8));
    assert!(bytes_of(&held) + bytes_of(&all) > 1_000_000, "{}", arena.stats());
    assert_all_returns(&mut arena, &region);
}

/// Threads that have allocated once and wait, and the share of the limit that one thread still gets.
#[test]
fn parked_threads_hold_a_sixteenth() {
    const THREADS: usize = 64;
    for (capacity, max_shards) in [(1 << 20, 8), (8 << 20, 64), (8 << 20, 200)] {
        let region = Region::with_capacity(capacity).expect("a region");
        let mut arena = Arena::builder().region(&region).max_shards(max_shards).build().expect("an arena");
        let (parked, end) = (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let block = take(&arena, layout(24, 8)).expect("room");
                    parked.wait();
                    end.wait();
                    block.check();
                });
            }
            parked.wait();
            let stats = arena.stats();
            let idle = stats.usage - THREADS * (32 + 16);
            assert!(stats.leased <= capacity / 16 && idle <= capacity / 16, "{stats}");
            let blocks = fill_up(&arena, layout(500, 4));
            assert!(arena.memory_usage() <= capacity);
            let most = capacity - capacity / 16 - THREADS * 48;
            assert!(blocks.len() * 528 >= most - 1_024, "{} bytes of {most}", blocks.len() * 528);
            end.wait();
        });
        assert_all_returns(&mut arena, &region);
    }
}

#[test]
fn thousand_arenas_share_one_bound() {
    let region = roomy(4 << 20);
    let mut arenas: Vec<_> = (0..1_000).map(|_| Arena::in_region(&region)).collect();
    assert_eq!(region.memory_usage(), 0, "nothing until used");
    for (count, arena) in arenas.iter().enumerate() {
        take(arena, layout(8, 8)).expect("room");
        assert!(region.stats().leased <= (4 << 20) / 16, "{count}: {}", region.stats());
    }
    assert!(region.memory_usage() <= 1_000 * 32 + (4 << 20) / 16, "{}", region.stats());
    asks_for_the_rest(&arenas[500], &region, 1_000 * 32, "a thousand arenas of one thread");
    arenas.iter_mut().for_each(verified);
    drop(arenas);
    assert_eq!((region.memory_usage(), region.stats().leased), (0, 0));
}
