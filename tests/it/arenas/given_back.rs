//! What an arena gives back block by block: initialisers that fail, vectors and boxes that are dropped, grow or shrink.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::channel;
use std::thread;

use sharded_arena::allocator_api2::alloc::Allocator;
use sharded_arena::boxed::Box as ArenaBox;
use sharded_arena::collections::{self, Vec as ArenaVec};
use sharded_arena::{AllocOrInitError, Arena, Heap, Region, RegionBuilder, Scope, Scratch};

use crate::support::arenas::verified;
use crate::support::{Random, steps};

/// Rounds of each kind: one that lost its block would leave far more than [`most`].
const ROUNDS: usize = 300;
/// Lengths below and above a quarter of a chunk, and beyond every chunk.
const SIZES: [usize; 5] = [1_000, 2_000, 16_000, 300_000, 1_000_000];

/// Bytes that an arena may have taken after any number of rounds with values of `size` bytes.
fn most(size: usize) -> usize {
    2 * size + (64 << 10)
}

/// Fills `region` but for `room` bytes, so that it is under pressure; what is made for that stays until it goes.
fn press(region: &Region, room: usize) {
    let heap = Heap::in_region(region);
    let mut blocks = Vec::new();
    while let Ok(block) = collections::try_vec_with_capacity_in::<u8, _>(32 << 10, &heap) {
        blocks.push(block);
    }
    while region.limit() - region.memory_usage() < room {
        drop(blocks.pop().expect("a block"));
        region.flush_quarantine();
    }
    std::mem::forget(blocks);
    heap.flush();
}

/// Runs `rounds` in regions of all kinds, with and without pressure.
fn in_regions(size: usize, rounds: impl Fn(&Region)) {
    let plain: fn(RegionBuilder) -> RegionBuilder = |builder| builder;
    let kinds = [plain, |builder| builder.zero_on_free(true), |builder| builder.guard_mode(true)];
    for kind in kinds {
        for pressed in [false, true] {
            let room = 2 * most(size);
            let capacity = if pressed { 32 * room } else { 16 << 20 };
            let region = kind(Region::builder().capacity(capacity)).build().expect("a region");
            if pressed {
                press(&region, room);
                assert_eq!(region.stats().leased, 0, "nothing is idle under pressure");
            }
            rounds(&region);
            region.verify().expect("every byte is in one place");
        }
    }
}

/// Initialisers of `$size` bytes in `$arena` that fail, and that panic.
macro_rules! fail {
    ($arena:expr, $size:expr) => {
        for _ in 0..ROUNDS {
            let fail = |at| if at == 10 { Err(()) } else { Ok(0u8) };
            let failed = $arena.try_alloc_slice_try_fill_with($size, fail);
            assert!(matches!(failed, Err(AllocOrInitError::Init(()))), "{failed:?}");
            let panics = |at| if at == 10 { resume_unwind(Box::new(())) } else { 0u8 };
            let panicked = catch_unwind(AssertUnwindSafe(|| $arena.alloc_slice_fill_with($size, panics).len()));
            assert!(panicked.is_err());
        }
    };
}

/// Vectors of `size` bytes that shrink, each kept until the next one has shrunk.
fn shrink(source: impl Allocator + Copy, size: usize) {
    let mut kept = VecDeque::new();
    for _ in 0..ROUNDS {
        let mut shrunk: ArenaVec<u8, _> = collections::try_vec_with_capacity_in(size, source).expect("room");
        shrunk.push(7);
        shrunk.shrink_to_fit();
        kept.push_back(shrunk);
        if kept.len() > 1 {
            kept.pop_front();
        }
    }
    assert!(kept.iter().all(|kept| kept[..] == [7]));
}

/// Vectors of `size` bytes that are dropped, that grow to that length, that shrink; boxes. `usage` must not rise with
/// their number.
fn collect(source: impl Allocator + Copy, size: usize, usage: impl Fn() -> usize) {
    for _ in 0..ROUNDS {
        let dropped = collections::try_vec_with_capacity_in::<u8, _>(size, source);
        let dropped = dropped.unwrap_or_else(|error| panic!("{error}, {} bytes taken", usage()));
        drop(dropped);
    }
    assert!(usage() <= most(size), "{} bytes after vectors were dropped", usage());
    for _ in 0..ROUNDS {
        let mut grown: ArenaVec<u8, _> = collections::vec_in(source);
        while grown.capacity() < size {
            grown.try_reserve_exact((2 * grown.capacity()).clamp(64, size)).expect("room");
        }
    }
    assert!(usage() <= most(size), "{} bytes after vectors grew", usage());
    if size > 1_000 {
        shrink(source, size);
        assert!(usage() <= most(size), "{} bytes after vectors shrank", usage());
    }
    for _ in 0..ROUNDS {
        assert_eq!(ArenaBox::new_in([1u8; 64], source)[63], 1);
    }
    assert!(usage() <= most(size), "{} bytes after boxes were dropped", usage());
}

#[test]
fn failed_arena_blocks_go_back() {
    for size in SIZES {
        in_regions(size, |region| {
            for max_shards in [1, 4] {
                let mut arena = Arena::builder().region(region).max_shards(max_shards).build().expect("an arena");
                let run = || fail!(arena, size);
                run();
                thread::scope(|scope| scope.spawn(run).join().expect("no panic"));
                assert!(arena.memory_usage() <= most(size), "{} bytes: {}", size, arena.stats());
                assert_eq!(arena.live_bytes(), 0);
                verified(&mut arena);
            }
        });
    }
}

#[test]
fn failed_stack_blocks_go_back() {
    for size in SIZES {
        in_regions(size, |region| {
            let mut scratch = Scratch::in_region(region);
            fail!(scratch, size);
            assert!(scratch.memory_usage() <= most(size), "{size} bytes: {}", scratch.memory_usage());
            scratch.scope(|scope| fail!(scope, size));
            let kept = scratch.checkpoint();
            fail!(scratch, size);
            assert!(scratch.memory_usage() <= most(size), "{size} bytes: {}", scratch.memory_usage());
            assert_eq!(scratch.live_bytes(), 0);
            scratch.rewind(kept).expect("of this stack");
        });
    }
}

#[test]
fn dropped_vectors_go_back() {
    for size in SIZES {
        in_regions(size, |region| {
            let mut arena = Arena::in_region(region);
            collect(&arena, size, || arena.memory_usage());
            assert_eq!(arena.live_bytes(), 0);
            verified(&mut arena);
            drop(arena);
            let mut scratch = Scratch::in_region(region);
            scratch.scope(|scope: &mut Scope<'_>| collect(&*scope, size, || scope.memory_usage()));
            assert_eq!(scratch.live_bytes(), 0);
        });
    }
}

/// A heap that filled the region once, and is empty again.
#[test]
fn boxes_under_pressure_keep_nothing() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    press(&region, 16 << 10);
    let arena = Arena::in_region(&region);
    for round in 0..100_000u64 {
        assert_eq!(*ArenaBox::new_in([round; 8], &arena), [round; 8]);
    }
    assert!(arena.memory_usage() <= 8 << 10, "{}", arena.stats());
}

/// Threads free what others have made, in any order, and out of the middle of the arena's list.
#[test]
fn blocks_alone_travel_between_threads() {
    let region = Region::with_capacity(64 << 20).expect("a region");
    let builder = Arena::builder().region(&region).max_shards(3).max_chunk_bytes(4 << 10);
    let mut arena = builder.build().expect("an arena");
    thread::scope(|scope| {
        let arena = &arena;
        let (mut senders, mut receivers) = (Vec::new(), Vec::new());
        for _ in 0..4 {
            let (sender, receiver) = channel::<ArenaVec<u8, &Arena>>();
            senders.push(sender);
            receivers.push(receiver);
        }
        for (seed, receiver) in (0..).zip(receivers) {
            let senders = senders.clone();
            scope.spawn(move || {
                let (mut random, mut held) = (Random::seeded(seed), Vec::new());
                for round in 0..steps(8_000) {
                    held.extend(receiver.try_iter());
                    let size = 1_100 + random.below(3_000);
                    let byte = u8::try_from(round % 251).expect("below 251");
                    let Ok(mut block) = collections::try_vec_with_capacity_in(size, arena) else {
                        // What is under way between threads has taken all of it.
                        held.clear();
                        thread::yield_now();
                        continue;
                    };
                    block.resize(size, byte);
                    let _ended = senders[random.below(4)].send(block);
                    while held.len() > 50 {
                        let mut block = held.swap_remove(random.below(held.len()));
                        assert!(block.iter().all(|found| *found == block[0]), "a block was written to");
                        if block.len() > 3 && random.below(2) == 0 {
                            block.truncate(block.len() / 3);
                            block.shrink_to_fit();
                            held.push(block);
                        }
                    }
                }
            });
        }
    });
    assert_eq!(arena.live_bytes(), 0);
    assert!(arena.memory_usage() <= 64 << 10, "{}", arena.stats());
    verified(&mut arena);
}
