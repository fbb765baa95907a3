//! Arenas under many threads: stampedes, short threads, threads that end with a chunk, arenas that move and go.

use std::sync::{Arc, Barrier, LazyLock};
use std::thread;

use crate::support::{
    Block, Random,
    arenas::{assert_all_returns, bump_churn, verified},
    bytes_of, check_disjoint, churn, fill_up, give, give_each, join_all, layout, steps, take,
};
use sharded_arena::{Arena, Heap, Local, Region};

#[test]
fn stampede_takes_one_chunk_per_thread() {
    const THREADS: usize = 64;
    // With address space and shards for all, and for a few.
    for (capacity, max_shards, each) in [(256 << 20, 64, 4_096), (256 << 20, 4, 4_096), (1 << 20, 16, 1_024)] {
        for _ in 0..3 {
            let region = Region::with_capacity(capacity).expect("a region");
            let mut arena = Arena::builder().region(&region).max_shards(max_shards).build().expect("an arena");
            let (start, filled) = (Barrier::new(THREADS), Barrier::new(THREADS));
            let blocks: Vec<Block> = thread::scope(|scope| {
                let run = |_| {
                    scope.spawn(|| {
                        start.wait();
                        let block = take(&arena, layout(64, 8)).expect("room");
                        filled.wait();
                        block
                    })
                };
                let threads: Vec<_> = (0..THREADS).map(run).collect();
                threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
            });
            check_disjoint(&blocks);
            let stats = arena.stats();
            assert!(stats.peak <= THREADS * each && stats.leased <= capacity / 16, "{stats}");
            assert_eq!(stats.live_bytes, THREADS * 64);
            verified(&mut arena);
            assert_all_returns(&mut arena, &region);
        }
    }
}

#[test]
fn short_threads_keep_memory_bounded() {
    const AT_ONCE: usize = 8;
    let region = Region::with_capacity(64 << 20).expect("a region");
    let mut arena = Arena::in_region(&region);
    let count = steps(80_000);
    for round in 0..count / AT_ONCE {
        thread::scope(|scope| {
            for i in 0..AT_ONCE {
                let arena = &arena;
                thread::Builder::new()
                    .stack_size(64 << 10)
                    .spawn_scoped(scope, move || take(arena, layout(1 + (round + i) % 64, 4)).expect("room").check())
                    .expect("a thread");
            }
        });
    }
    let stats = arena.stats();
    assert!(stats.shards_owned <= stats.shards, "{stats}");
    // A shard's chunks grow with its use, and at most a sixteenth of it lies idle.
    assert!(stats.usage <= count * 68 * 17 / 16 + stats.shards * 8_192, "{stats}");
    verified(&mut arena);
    assert_all_returns(&mut arena, &region);
}

#[test]
fn chunk_of_exited_thread_is_adopted() {
    let region = Region::with_capacity(16 << 20).expect("a region");
    let arena = Arc::new(Arena::builder().region(&region).max_shards(2).build().expect("an arena"));
    let mut blocks = Vec::new();
    for _ in 0..60 {
        let arena = Arc::clone(&arena);
        // Joined, so the thread has ended for good.
        blocks.push(thread::spawn(move || take(&*arena, layout(60, 4)).expect("room")).join().expect("no panic"));
    }
    check_disjoint(&blocks);
    let stats = arena.stats();
    assert!(stats.usage <= 2 * 4_096 && stats.shards_owned <= 2, "one chunk, or two: {stats}");
    let mut arena = Arc::into_inner(arena).expect("all threads are gone");
    assert_eq!(arena.live_bytes(), 60 * 60);
    assert_all_returns(&mut arena, &region);
}

#[test]
fn arena_is_reset_and_dropped_elsewhere() {
    let region = Region::with_capacity(4 << 20).expect("a region");
    let mut arena = Arena::in_region(&region);
    for round in 0..20 {
        // Allocated on four threads and here, reset on a fifth, dropped on a sixth.
        thread::scope(|scope| {
            let arena = &arena;
            for seed in 0..4 {
                scope.spawn(move || check_disjoint(&bump_churn(arena, &mut Random::seeded(seed), 100)));
            }
        });
        let left = take(&arena, layout(100, 8)).expect("room");
        left.check();
        let moved = thread::spawn(move || {
            arena.reset();
            let block = take(&arena, layout(5_000, 8)).expect("room");
            block.check();
            arena
        });
        arena = moved.join().expect("no panic");
        assert_eq!(arena.live_bytes(), 5_000);
        verified(&mut arena);
        if round % 4 == 3 {
            thread::spawn(move || drop(arena)).join().expect("no panic");
            assert_eq!((region.memory_usage(), region.stats().leased), (0, 0), "round {round}");
            arena = Arena::in_region(&region);
        }
    }
}

static SHARED: LazyLock<Arena> = LazyLock::new(|| Arena::with_capacity(8 << 20).expect("an arena"));

#[test]
fn static_arena_returns_static_references() {
    let words: Vec<&'static str> = (0..16)
        .map(|n| thread::spawn(move || &*SHARED.alloc_fmt(format_args!("word {n}"))))
        .map(|thread| thread.join().expect("no panic"))
        .collect();
    let wanted: Vec<_> = (0..16).map(|n| format!("word {n}")).collect();
    assert_eq!(words, wanted);
    assert_eq!(SHARED.live_bytes(), wanted.iter().map(String::len).sum::<usize>());
}

#[test]
fn arenas_reusing_an_address_are_independent() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let neighbour = Arena::in_region(&region);
    let canaries: Vec<_> = (0..100).map(|i| take(&neighbour, layout(16 + i * 7, 8)).expect("room")).collect();
    let (usage, mut random) = (region.memory_usage(), Random::seeded(0x7E4));
    let mut place = None;
    for round in 0..steps(10_000) {
        // The same stack slot each time, and a core that the global allocator puts where the last one was.
        let arena = place.insert(Arena::in_region(&region));
        let first = take(arena, layout(1 + random.below(300), 8)).expect("room");
        let second = take(&arena.local(), layout(1 + random.below(3_000), 8)).expect("room");
        let scratch = arena.scratch();
        let third = take(&*scratch, layout(100, 8)).expect("room");
        check_disjoint(&[first, second]);
        third.check();
        drop(scratch);
        assert_eq!(arena.stats().shards_owned, 1);
        if round % 64 == 0 {
            canaries.iter().for_each(Block::check);
            verified(arena);
        }
        place = None;
        assert_eq!(region.memory_usage(), usage, "a dropped arena leaves nothing charged");
    }
    check_disjoint(&canaries);
}

/// More arenas and heaps than a thread remembers, used in turn.
#[test]
fn thread_alternates_between_many_arenas() {
    let region = Region::with_capacity(16 << 20).expect("a region");
    let mut arenas: Vec<_> = (0..10).map(|_| Arena::in_region(&region)).collect();
    let heaps: Vec<_> = (0..3).map(|_| Heap::in_region(&region)).collect();
    let locals: Vec<Local<'_>> = arenas.iter().map(Arena::local).collect();
    let mut random = Random::seeded(0x3EA9);
    let mut blocks: Vec<Vec<Block>> = arenas.iter().map(|_| Vec::new()).collect();
    let mut freed: Vec<_> = heaps.iter().map(|_| Vec::new()).collect();
    for step in 0..steps(40_000) {
        let (at, size) = (random.below(13), layout(random.below(200), 1 << random.below(7)));
        match at.checked_sub(10) {
            Some(heap) if freed[heap].len() > 50 => give_each(&heaps[heap], freed[heap].drain(..)),
            Some(heap) => freed[heap].extend(take(&heaps[heap], size)),
            None if step % 3 == 0 => blocks[at].extend(take(&locals[at], size)),
            None if step % 7 == 0 => blocks[at].pop().into_iter().for_each(|block| give(&arenas[at], block)),
            None => blocks[at].extend(take(&arenas[at], size)),
        }
    }
    drop(locals);
    for (arena, blocks) in arenas.iter().zip(&blocks) {
        assert_eq!((arena.live_bytes(), arena.stats().shards_owned), (bytes_of(blocks), 1));
    }
    check_disjoint(&blocks.into_iter().flatten().collect::<Vec<_>>());
    for (heap, blocks) in heaps.iter().zip(freed) {
        give_each(heap, blocks);
        heap.flush();
    }
    for arena in &mut arenas {
        verified(arena);
        arena.trim(0);
    }
    let sum: usize = arenas.iter().map(Arena::memory_usage).sum();
    assert_eq!((region.memory_usage(), region.stats().leased), (sum, 0));
}

/// Arenas, heaps and stacks of one region are made, used and dropped by threads that know nothing of each other.
#[test]
fn arenas_and_heaps_come_and_go() {
    let region = Region::with_capacity(2 << 20).expect("a region");
    let threads = (0..6)
        .map(|seed| {
            let region = region.clone();
            thread::spawn(move || {
                for round in 0..steps(160) as u64 {
                    let arena = Arena::builder().region(&region).max_shards(2).build().expect("an arena");
                    let heap = Heap::in_region(&region);
                    thread::scope(|scope| {
                        for i in 0..3 {
                            let (arena, heap) = (&arena, &heap);
                            scope.spawn(move || {
                                let mut random = Random::new(seed * 1_000 + round * 10 + i);
                                let blocks = bump_churn(arena, &mut random, 40);
                                let held = churn(heap, &mut random, 100, 20);
                                let mut scratch = arena.scratch();
                                scratch.scope(|scope| {
                                    let inner = fill_up(scope, layout(9_000, 8));
                                    check_disjoint(&inner);
                                });
                                give_each(heap, held);
                                check_disjoint(&blocks);
                            });
                        }
                    });
                }
            })
        })
        .collect();
    join_all(threads);
    region.verify().expect("every byte is in one place");
    let stats = region.stats();
    assert_eq!((stats.usage, stats.leased, stats.extents_free), (0, 0, 1), "{stats}");
}
