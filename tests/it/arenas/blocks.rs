//! `BlockArena` against a model of its policy, in shared and short regions, beside threads.
#![expect(unsafe_code, reason = "reads what was handed out")]

use crate::support::{Random, assert_empty, churn, give, give_each, layout, region, steps, take};
use sharded_arena::{AllocErrorKind, BlockArena, Heap, Region, RegionError};

const POINTER: usize = size_of::<*mut u8>();

/// `LevelDB`'s policy on plain figures: which block serves a request, and from which byte on.
#[derive(Default)]
struct Model {
    /// Addresses of the blocks, as the arena has shown them.
    blocks: Vec<usize>,
    current: Option<(usize, usize)>,
    usage: usize,
}

impl Model {
    /// Where the arena has to put `bytes`, if it has to use the current block.
    fn next(&mut self, bytes: usize, align: usize) -> Option<usize> {
        let (block, used) = self.current?;
        let from = used.next_multiple_of(align);
        if from + bytes > 4096 {
            return None;
        }
        self.current = Some((block, from + bytes));
        Some(self.blocks[block] + from)
    }

    /// The arena has put `bytes` at `address`, in a new block.
    fn began(&mut self, address: usize, bytes: usize) {
        self.blocks.push(address);
        if bytes > 1024 {
            self.usage += bytes + POINTER;
        } else {
            self.current = Some((self.blocks.len() - 1, bytes));
            self.usage += 4096 + POINTER;
        }
    }
}

#[test]
fn addresses_follow_the_block_policy() {
    for seed in 0..4 {
        let mut random = Random::seeded(0xB10C + seed);
        let (mut arena, mut model, mut live) =
            (BlockArena::with_capacity(64 << 20).expect("a region"), Model::default(), Vec::new());
        for step in 0..steps(40_000) {
            let most = [20, 20, 20, 300, 1100, 5000][random.below(6)];
            let (bytes, aligned) = (1 + random.below(most), random.below(2) == 0);
            let block = if aligned { arena.allocate_aligned(bytes) } else { arena.allocate(bytes) }.expect("room");
            let address = block.addr().get();
            match model.next(bytes, if aligned { POINTER.max(8) } else { 1 }) {
                Some(expected) => assert_eq!(address, expected, "{bytes} bytes at step {step}"),
                None => model.began(address, bytes),
            }
            assert_eq!(arena.memory_usage(), model.usage, "{bytes} bytes at step {step}");
            // SAFETY: fresh bytes.
            unsafe { block.write_bytes(step.to_le_bytes()[0], bytes) };
            live.push((block, bytes, step.to_le_bytes()[0]));
        }
        for (block, bytes, byte) in live {
            // SAFETY: filled above, and the arena lives.
            let filled = unsafe { std::slice::from_raw_parts(block.as_ptr(), bytes) };
            assert!(filled.iter().all(|found| *found == byte), "blocks overlap");
        }
        let region = arena.region().expect("it was used");
        let rounding = region.memory_usage() + model.blocks.len() * POINTER - model.usage;
        assert!(rounding < 16 * model.blocks.len(), "each block is rounded up to 16 bytes: {rounding}");
        region.verify().expect("every byte is in one place");
    }
}

#[test]
fn unservable_request_changes_nothing() {
    let shared = region(64 << 10);
    for mut arena in [BlockArena::new(), BlockArena::in_region(&shared)] {
        for used in [false, true] {
            let before = (arena.memory_usage(), arena.region().map_or(0, |region| region.memory_usage()));
            for (bytes, kind) in [
                (0, AllocErrorKind::InvalidLayout),
                (usize::MAX, AllocErrorKind::InvalidLayout),
                (isize::MAX.unsigned_abs() + 1, AllocErrorKind::InvalidLayout),
                (isize::MAX.unsigned_abs() - 7, AllocErrorKind::LimitReached),
                (65 << 30, AllocErrorKind::LimitReached),
            ] {
                let refused = [(1, arena.allocate(bytes)), (POINTER.max(8), arena.allocate_aligned(bytes))];
                for (align, refused) in refused {
                    let error = refused.expect_err("too much");
                    assert_eq!((error.requested, error.align, error.kind), (bytes, align, kind), "used: {used}");
                    if let Some(region) = arena.region() {
                        assert_eq!((error.usage, error.limit), (region.memory_usage(), region.limit()));
                    }
                }
            }
            assert_eq!((arena.memory_usage(), arena.region().map_or(0, |region| region.memory_usage())), before);
            let first = arena.allocate(10).expect("room").addr().get();
            assert_eq!(arena.allocate(10).expect("room").addr().get(), first + 10);
        }
    }
}

#[test]
fn full_region_still_serves_current_block() {
    let mut arena = BlockArena::with_capacity(12 << 10).expect("a region");
    let region = arena.region().expect("its own");
    let first = arena.allocate(1000).expect("the first block").addr().get();
    arena.allocate(7000).expect("a block of its own");
    let before = (arena.memory_usage(), region.memory_usage(), region.stats());
    let free = (12 << 10) - 4096 - 7008;
    for bytes in [3097, 5000] {
        let error = arena.allocate(bytes).expect_err("only the current block has room");
        assert_eq!((error.kind, error.requested), (AllocErrorKind::LimitReached, bytes));
        assert_eq!((error.usage, error.limit, error.largest_free), (4096 + 7008, 12 << 10, free));
        assert_eq!((arena.memory_usage(), region.memory_usage(), region.stats()), before);
    }
    assert_eq!(arena.allocate(1024).expect("the current block").addr().get(), first + 1000);
    assert_eq!(arena.allocate(2072).expect("its last bytes").addr().get(), first + 2024);
    arena.allocate(1).expect_err("the policy takes whole blocks");
    arena.allocate(1025).expect("an own block is as long as it needs to be");
    region.set_limit(usize::MAX);
    assert_eq!(arena.allocate(5000).expect_err("too short").kind, AllocErrorKind::Fragmented);
    region.verify().expect("every byte is in one place");
}

#[test]
fn idle_heap_memory_is_reclaimed_first() {
    for whole in [4096, 1 << 20] {
        let region = region(1 << 20);
        let heap = Heap::in_region(&region);
        let live = churn(&heap, &mut Random::seeded(0x1D1E), steps(20_000), 300);
        give_each(&heap, live);
        assert!(heap.memory_usage() > 0, "something is idle, in this thread's magazines too");
        let mut arena = BlockArena::in_region(&region);
        let mut taken = 0;
        let error = loop {
            match arena.allocate(whole) {
                Ok(_) => taken += whole,
                Err(error) => break error,
            }
        };
        assert_eq!((heap.memory_usage(), region.memory_usage()), (0, taken), "nobody holds anything");
        assert_eq!((error.requested, error.usage, error.limit), (whole, taken, 1 << 20));
        assert!(error.largest_free < whole && taken >= (1 << 20) - 32 * 4096, "{error}");
        drop(arena);
        assert_empty(&heap);
    }
}

/// The region asks its sets whether threads have ended; an arena of blocks, which is asked first, does not know.
#[test]
fn memory_of_exited_threads_is_reclaimed() {
    let region = region(1 << 20);
    let heap = Heap::in_region(&region);
    let mut arena = BlockArena::in_region(&region);
    give(&heap, take(&heap, layout(100, 8)).expect("room"));
    heap.flush();
    arena.allocate(1).expect("the arena is the region's newest set");
    // A complete sweep: what ended before is no longer asked for.
    heap.flush();
    let user = heap.clone();
    let thread = std::thread::spawn(move || {
        let live = churn(&user, &mut Random::seeded(0xDEAD), steps(20_000), 300);
        give_each(&user, live);
    });
    thread.join().expect("no panic");
    let idle = heap.memory_usage();
    assert!(idle > 0, "the thread has left its magazines");
    arena.allocate((1 << 20) - 4096).expect("all that nobody holds");
    assert_eq!(heap.memory_usage(), 0);
    drop(arena);
    assert_empty(&heap);
}

#[test]
fn drop_frees_only_its_own_blocks() {
    let region = region(8 << 20);
    let heap = Heap::in_region(&region);
    let mut arenas: Vec<BlockArena> = (0..3).map(|_| BlockArena::in_region(&region)).collect();
    assert_eq!(region.memory_usage(), 0, "nothing is taken before the first use");
    let mut blocks = Vec::new();
    for _ in 0..200 {
        for arena in &mut arenas {
            arena.allocate(4000).expect("room");
            arena.allocate(1000).expect("room");
        }
        blocks.push(take(&heap, layout(500, 8)).expect("room"));
    }
    let metadata = || region.stats().metadata_bytes - region.stats().index_bytes;
    let before = metadata();
    // The one in the middle of the list first.
    for index in [1, 0, 0] {
        drop(arenas.remove(index));
        region.verify().expect("every byte is in one place");
        let sum: usize = arenas.iter().map(|arena| arena.memory_usage() - 250 * POINTER).sum();
        assert_eq!(region.memory_usage(), heap.memory_usage() + sum, "{} are left", arenas.len());
    }
    assert!(before >= metadata() + 3 * 250 * 8, "their lists were counted");
    give_each(&heap, blocks);
    assert_empty(&heap);
}

#[test]
fn usage_handles_outlive_arena_and_region() {
    let mut arena = BlockArena::with_capacity(1 << 20).expect("a region");
    arena.allocate(100_000).expect("room");
    let kept = arena.region().expect("made");
    let (usage, second) = (arena.usage_handle(), arena.usage_handle());
    assert_eq!((usage.get(), second.get()), (100_000 + POINTER, 100_000 + POINTER));
    drop(arena);
    assert_eq!((usage.get(), second.get(), kept.memory_usage()), (0, 0, 0));
    kept.verify().expect("every byte is in one place");
    let mut alone = BlockArena::in_region(&kept);
    drop(kept);
    alone.allocate(1 << 20).expect("all of it");
    let usage = alone.usage_handle().clone();
    drop(alone);
    assert_eq!(usage.get(), 0);
    drop(BlockArena::new());
    assert_eq!(BlockArena::default().usage_handle().get(), 0);
}

#[test]
fn usage_is_read_from_other_threads() {
    let mut arena = BlockArena::with_capacity(4 << 20).expect("a region");
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let usage = arena.usage_handle();
            std::thread::spawn(move || {
                let mut last = 0;
                while last < 1000 * (1025 + POINTER) {
                    let seen = usage.get();
                    assert!(seen >= last && seen.is_multiple_of(1025 + POINTER), "{seen} after {last}");
                    last = seen;
                    std::thread::yield_now();
                }
                last
            })
        })
        .collect();
    for _ in 0..1000 {
        arena.allocate(1025).expect("room");
    }
    for reader in readers {
        assert_eq!(reader.join().expect("no panic"), arena.memory_usage());
    }
}

#[test]
fn freed_blocks_are_wiped() {
    for (zero, byte) in [(true, 0), (false, 0xDE)] {
        let builder = Region::builder().capacity(64 << 10);
        let region =
            if zero { builder.zero_on_free(true) } else { builder.poison_on_free(true) }.build().expect("memory");
        let mut arena = BlockArena::in_region(&region);
        let (own, common) = (arena.allocate(2000).expect("room"), arena.allocate(1000).expect("room"));
        for (block, bytes) in [(own, 2000), (common, 1000)] {
            // SAFETY: fresh bytes.
            unsafe { block.write_bytes(0x5A, bytes) };
        }
        let offsets = [own, common].map(|block| region.offset_of(block.as_ptr()).expect("inside"));
        drop(arena);
        for (offset, bytes) in offsets.into_iter().zip([2000, 1000]) {
            // SAFETY: inside the region, which nobody uses; written above and when they were given back.
            let found = unsafe { std::slice::from_raw_parts(region.base().as_ptr().wrapping_add(offset), bytes) };
            assert!(found.iter().all(|found| *found == byte));
        }
    }
}

#[test]
fn region_is_made_at_first_use() {
    let mut arena = BlockArena::new();
    assert!(arena.region().is_none());
    arena.allocate(0).expect_err("zero bytes are no use");
    assert!(arena.region().is_none());
    arena.allocate(1).expect("room");
    let region = arena.region().expect("made");
    assert!(region.capacity() >= 1 << 20 && region.memory_usage() == 4096, "{region:?}");
    assert_eq!(
        format!("{arena:?}"),
        format!("BlockArena {{ memory_usage: {}, blocks: 1, remaining: 4095, .. }}", 4096 + POINTER)
    );
    assert_eq!(format!("{:?}", arena.usage_handle()), format!("UsageHandle({})", 4096 + POINTER));
    assert!(matches!(BlockArena::with_capacity(100), Err(RegionError::BelowLeast { given: 100, .. })));
    assert!(matches!(BlockArena::with_capacity(1 << 40), Err(RegionError::AboveGreatest { .. })));
}
