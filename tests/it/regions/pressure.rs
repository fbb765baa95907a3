//! Pressure: when it begins and ends, seen by what threads then cache.

use std::sync::mpsc::channel;

use crate::support::{self, Block, give, give_each, layout, regrow, take, take_reserved};
use sharded_arena::{AllocErrorKind, Arena, Heap, LocalHeap, Region, Scratch};

/// Whether a thread caches a block that it frees, beyond its next request.
fn caches(heap: &Heap) -> bool {
    let before = heap.memory_usage();
    give(heap, take(heap, layout(64, 8)).expect("room"));
    let next = take(heap, layout(16, 8)).expect("room");
    let cached = heap.memory_usage() > before + 16;
    give(heap, next);
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

/// A raised limit makes room as a refund does, however little is used from then on.
#[test]
fn raised_limits_end_pressure() {
    for own in [false, true] {
        let region = Region::with_capacity(4 << 20).expect("a region");
        let heap =
            Heap::builder().region(&region).limit(if own { 512 << 10 } else { 4 << 20 }).build().expect("a heap");
        let set_limit = |bytes| if own { heap.set_limit(bytes) } else { region.set_limit(bytes) };
        set_limit(512 << 10);
        let blocks = fill(&heap);
        set_limit(520 << 10);
        assert!(!caches(&heap), "hardly more room");
        set_limit(4 << 20);
        assert!(caches(&heap), "own limit: {own}");
        give_each(&heap, blocks);
    }
}

/// Nothing that is freed would help such a request.
#[test]
fn unplaceable_requests_drain_no_cache() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let (heap, hostile, arena) = (Heap::in_region(&region), Heap::in_region(&region), Arena::in_region(&region));
    let scratch = Scratch::in_region(&region);
    let local: LocalHeap<'_> = hostile.local();
    arena.alloc(1_u8);
    scratch.alloc(1_u8);
    let mut reserved = region.reserve(1_000).expect("room");
    let mut long = take(&hostile, layout(50_000, 16)).expect("room");
    give(&heap, take(&heap, layout(64, 8)).expect("room"));
    let figures = || (region.stats(), heap.stats(), arena.stats());
    let before = figures();
    assert!(before.0.leased > 0 && before.1.leased > 0);
    for shift in [33, 34, 35, 36, 40, 46, 62] {
        let layout = support::layout(16, 1 << shift);
        let mut errors = vec![
            hostile.alloc(layout).expect_err("a heap"),
            local.alloc(layout).expect_err("a local"),
            arena.try_alloc_layout(layout).expect_err("an arena"),
            scratch.try_alloc_layout(layout).expect_err("a scratch stack"),
        ];
        errors.push(take_reserved(&hostile, &mut reserved, layout).expect_err("a reservation"));
        for error in errors {
            assert_eq!((error.kind, error.requested, error.align), (AllocErrorKind::Unplaceable, 16, 1 << shift));
            assert_eq!((error.usage, error.limit), (before.0.usage, before.0.limit), "{error}");
            assert!(error.to_string().contains("lower the alignment"), "{error}");
        }
        assert!(regrow(&hostile, &mut long, support::layout(60_000, 1 << shift)).is_err());
        assert_eq!(figures(), before);
    }
    give(&hostile, long);
    assert!(caches(&heap), "there is no pressure");
    // As much alignment as the region has addresses for is served, whatever its base.
    let aligned = (0..40).map(|shift| take(&heap, layout(16, 1 << shift)));
    aligned.flatten().for_each(|block| give(&heap, block));
    give(&heap, take(&heap, layout(16, 256 << 10)).expect("three such places or four"));
}

#[test]
fn long_blocks_without_a_place_refused() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let heap = Heap::in_region(&region);
    // The highest multiple of 512 KiB is too near to the end, or exactly at it.
    let error = take(&heap, layout((1 << 20) - 16, 512 << 10)).err();
    let is_aligned = region.base().addr().get().is_multiple_of(512 << 10);
    assert_eq!(error.map(|error| error.kind), (!is_aligned).then_some(AllocErrorKind::Unplaceable));
}

/// A region of 4 MiB that the first heap has filled with blocks of 256 bytes: the next one is refused. The thread has
/// freed blocks in both heaps under pressure, and was refused since.
fn filled() -> (Region, [Heap; 2], Vec<Block>) {
    let region = Region::with_capacity(4 << 20).expect("a region");
    let [heap, other] = [(); 2].map(|()| Heap::in_region(&region));
    let mut blocks: Vec<_> = std::iter::from_fn(|| take(&heap, layout(256, 8)).ok()).collect();
    for of in [&other, &heap] {
        give_each(&heap, blocks.drain(..1));
        give(of, take(of, layout(256, 8)).expect("one was freed"));
        blocks.push(take(&heap, layout(256, 8)).expect("what this thread has freed"));
        assert!(take(&heap, layout(256, 8)).is_err());
    }
    assert_eq!(region.memory_usage(), blocks.len() * 256, "nothing is idle");
    (region, [heap, other], blocks)
}

#[test]
fn freed_blocks_leave_with_next_request() {
    let (region, [heap, _], mut blocks) = filled();
    let full = region.memory_usage();
    give_each(&heap, blocks.drain(..2));
    let longer = take(&heap, layout(272, 8));
    assert_eq!(region.memory_usage(), full - 512 + if longer.is_ok() { 272 } else { 0 }, "both are given back");
    give_each(&heap, longer.into_iter().chain(blocks));
    heap.flush();
    assert_eq!((region.memory_usage(), region.stats().leased), (0, 0));
}

#[test]
fn blocks_freed_elsewhere_are_found() {
    let (_region, [heap, other], mut blocks) = filled();
    give_each(&heap, blocks.drain(..1));
    let moved = take(&other, layout(256, 8)).expect("one block was freed");
    assert!(take(&heap, layout(256, 8)).is_err(), "all is taken");
    give(&other, moved);
    blocks.push(take(&heap, layout(256, 8)).expect("what this thread has freed in the other heap"));
    give_each(&heap, blocks);
}

#[test]
fn blocks_cached_elsewhere_are_found() {
    let (region, [heap, other], mut blocks) = filled();
    give_each(&heap, blocks.drain(..96));
    let mut kept = Vec::new();
    while other.memory_usage() == kept.len() * 256 {
        kept.push(take(&other, layout(256, 8)).expect("served for long, it caches"));
    }
    blocks.extend(std::iter::from_fn(|| take(&heap, layout(256, 8)).ok()));
    assert_eq!(other.memory_usage(), kept.len() * 256);
    assert_eq!(region.memory_usage(), (kept.len() + blocks.len()) * 256);
    give_each(&other, kept);
    give_each(&heap, blocks);
}

#[test]
fn threads_served_for_long_cache() {
    let (region, [heap, _], mut blocks) = filled();
    let freed = 200;
    give_each(&heap, blocks.drain(..freed));
    let idle = || region.memory_usage() - 256 * blocks.len();
    let mut served = Vec::new();
    let most = (0..freed).map(|_| {
        served.push(take(&heap, layout(256, 8)).expect("room"));
        idle() - 256 * served.len()
    });
    let most = most.max().expect("some");
    assert!((512..=1 << 14).contains(&most), "{most}");
    assert!(take(&heap, layout(256, 8)).is_err());
    assert_eq!(idle(), 256 * served.len(), "a refusal finds all of it");
    give_each(&heap, served.into_iter().chain(blocks));
}

/// Each round: one thread frees a block and tells the other, which was refused.
#[test]
fn blocks_freed_by_others_are_served() {
    let (_region, [heap, _], mut blocks) = filled();
    let freed: Vec<_> = blocks.drain(..8).collect();
    let (ask, asked) = channel();
    let (tell, told) = channel();
    std::thread::scope(|scope| {
        // Dropped if this thread panics, so that the other ends.
        let (heap, ask) = (&heap, ask);
        scope.spawn(move || {
            for block in freed {
                if asked.recv().is_err() {
                    return;
                }
                give(heap, block);
                tell.send(()).expect("the other thread waits");
            }
            // Lives on until the other was served.
            let _ = asked.recv();
        });
        for _ in 0..8 {
            ask.send(()).expect("the other thread frees");
            told.recv().expect("it has freed");
            blocks.push(take(heap, layout(256, 8)).expect("freed by a thread that lives and asks for nothing"));
        }
        ask.send(()).expect("the other thread waits");
    });
    give_each(&heap, blocks);
}

#[test]
fn reservations_find_own_freed_blocks() {
    let (region, [heap, _], mut blocks) = filled();
    give_each(&heap, blocks.drain(..3));
    drop(region.reserve(3 * 256).expect("what this thread has just freed"));
    give(&heap, take(&heap, layout(256, 8)).expect("room"));
    drop(region.reserve(3 * 256).expect("what this thread has just freed"));
    give_each(&heap, blocks);
}

/// What one stack has found out says nothing of another that is moved into its place.
#[test]
fn moved_stacks_find_their_own_memory() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let heap = Heap::in_region(&region);
    let [long, piece] = [8 << 10, 256].map(|bytes| layout(bytes, 8));
    let mut blocks: Vec<_> = (0..124).map(|_| take(&heap, long).expect("room")).collect();
    let mut empty = Scratch::in_region(&region);
    let mut stack = Scratch::builder().region(&region).first_chunk_bytes(8 << 10).build().expect("a stack");
    stack.alloc(1_u64);
    let begin = stack.checkpoint();
    (0..14).for_each(|_| _ = stack.alloc([0_u8; 512]));
    while region.capacity() - region.memory_usage() > 8 << 10 {
        blocks.push(take(&heap, layout(1 << 10, 8)).expect("room"));
    }
    // Free ranges of 8 KiB, and a limit that allows half of one.
    give_each(&heap, [100, 80, 60, 40, 20].map(|at| blocks.remove(at)));
    heap.flush();
    region.set_limit(region.memory_usage() + 4096);
    let mut fill = || blocks.extend(std::iter::from_fn(|| take(&heap, piece).ok()));
    fill();
    assert!(stack.try_alloc_layout(layout(3_000, 8)).is_err(), "the stack acts upon the pressure");
    fill();
    stack.rewind(begin).expect("its own checkpoint");
    fill();
    let last = blocks.split_off(blocks.len() - 4);
    give_each(&heap, last);
    heap.flush();
    for _ in 0..2 {
        assert!(empty.try_alloc_layout(layout(2_000, 8)).is_err(), "there is 1 KiB of room");
    }
    std::mem::swap(&mut empty, &mut stack);
    assert!(empty.try_alloc_layout(layout(7_300, 8)).is_ok(), "refused beside the stack's own idle memory");
    give_each(&heap, blocks);
}
