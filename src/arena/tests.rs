//! The bump side below its typed methods: scripts against figures that must hold after every step.
#![expect(unsafe_code, reason = "blocks are written, resized and freed by hand")]
#![expect(clippy::cast_possible_truncation, reason = "a step's low bits are its bytes")]

use core::alloc::Layout;
use core::ptr::NonNull;

use super::{Arena, Scratch};
use crate::bump::blocks::Blocks;
use crate::heap::Heap;
use crate::region::Region;

/// Steps of a congruential generator, the high bits.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn layout(&mut self) -> Layout {
        let most = [1, 40, 300, 5_000, 70_000][self.below(5)];
        let align = 1 << [0, 0, 3, 4, 6, 12][self.below(6)];
        Layout::from_size_align(1 + self.below(most), align).expect("a small layout")
    }
}

/// A block filled with bytes of its own.
#[derive(Debug)]
struct Filled {
    ptr: NonNull<u8>,
    layout: Layout,
    byte: u8,
}

impl Filled {
    fn new(ptr: NonNull<u8>, layout: Layout, byte: u8) -> Self {
        assert!(ptr.addr().get().is_multiple_of(layout.align()), "{layout:?}");
        // SAFETY: a fresh block of that length.
        unsafe { ptr.write_bytes(byte, layout.size()) };
        Self { ptr, layout, byte }
    }

    fn check(&self, len: usize) {
        // SAFETY: a live block of at least that length.
        let bytes = unsafe { core::slice::from_raw_parts(self.ptr.as_ptr(), len) };
        assert!(bytes.iter().all(|byte| *byte == self.byte), "{self:?} was written to");
    }
}

/// Allocates, resizes and frees at random; every block is checked before it changes and at the end.
fn script(blocks: impl Blocks, dice: &mut Dice, steps: usize) -> Vec<Filled> {
    let mut live: Vec<Filled> = Vec::new();
    for step in 0..steps {
        match dice.below(8) {
            0 | 1 if !live.is_empty() => {
                // The last one often, for it alone changes in place.
                let at = if dice.below(2) == 0 { live.len() - 1 } else { dice.below(live.len()) };
                let old = live.swap_remove(at);
                old.check(old.layout.size());
                let new = Layout::from_size_align(dice.layout().size(), old.layout.align()).expect("a small layout");
                // SAFETY: a live block of `old.layout`, which is forgotten.
                let Ok(ptr) = (unsafe { blocks.resize(old.ptr, old.layout, new) }) else {
                    live.push(old);
                    continue;
                };
                Filled { ptr, ..old }.check(old.layout.size().min(new.size()));
                live.push(Filled::new(ptr, new, step as u8));
            }
            2 if !live.is_empty() => {
                let at = if dice.below(2) == 0 { live.len() - 1 } else { dice.below(live.len()) };
                let old = live.swap_remove(at);
                old.check(old.layout.size());
                // SAFETY: a live block of that layout, which is forgotten.
                unsafe { blocks.free(old.ptr, old.layout) };
            }
            _ => {
                let layout = dice.layout();
                if let Ok(ptr) = blocks.alloc(layout) {
                    live.push(Filled::new(ptr, layout, step as u8));
                }
            }
        }
    }
    check_all(&live);
    live
}

fn check_all(live: &[Filled]) {
    for block in live {
        block.check(block.layout.size());
    }
}

fn bytes(live: &[Filled]) -> usize {
    live.iter().map(|block| block.layout.size()).sum()
}

#[test]
fn a_script_keeps_every_byte_and_every_figure() {
    let mut dice = Dice(1);
    for capacity in [4 << 10, 64 << 10, 1 << 20, 16 << 20] {
        let region = Region::with_capacity(capacity).expect("a region");
        let mut arena = Arena::in_region(&region);
        for _round in 0..4 {
            let live = script(arena.blocks(), &mut dice, 400);
            let local = {
                let local = arena.local();
                script(local.blocks(), &mut dice, 400)
            };
            assert_eq!(arena.live_bytes(), bytes(&live) + bytes(&local));
            assert!(arena.memory_usage() >= arena.live_bytes());
            assert_eq!(region.memory_usage(), arena.memory_usage());
            arena.verify().expect("every extent is on the list");
            region.verify().expect("every byte is in one place");
            arena.reset();
            assert_eq!(arena.live_bytes(), 0);
            arena.verify().expect("what is kept is on the list");
            assert!(arena.memory_usage() <= arena.stats().leased, "only chunks are kept");
            arena.trim(0);
            assert_eq!((arena.memory_usage(), arena.stats().leased), (0, 0), "an empty arena holds nothing");
            region.verify().expect("every byte is free");
        }
        drop(arena);
        assert_eq!((region.memory_usage(), region.stats().leased), (0, 0));
    }
}

#[test]
fn threads_without_a_shard_share_a_chunk() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let mut arena = Arena::builder().region(&region).max_shards(1).build().expect("an arena");
    let first = script(arena.blocks(), &mut Dice(7), 10);
    let others: usize = std::thread::scope(|scope| {
        let arena = &arena;
        let run = |seed| scope.spawn(move || bytes(&script(arena.blocks(), &mut Dice(seed), 300)));
        let threads: Vec<_> = (0..4).map(run).collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).sum()
    });
    assert_eq!(arena.live_bytes(), bytes(&first) + others);
    arena.verify().expect("every extent is on the list");
    check_all(&first);
    arena.reset();
    arena.trim(0);
    assert_eq!((arena.memory_usage(), region.stats().leased), (0, 0));
}

#[test]
fn scopes_give_back_what_they_took() {
    let mut dice = Dice(3);
    for capacity in [4 << 10, 256 << 10, 16 << 20] {
        let region = Region::with_capacity(capacity).expect("a region");
        let mut scratch = Scratch::in_region(&region);
        for _round in 0..30 {
            let before = scratch.live_bytes();
            let outer = script(scratch.blocks(), &mut dice, 20);
            let (live, held) = (scratch.live_bytes(), scratch.memory_usage());
            assert_eq!((live, held), (before + bytes(&outer), region.memory_usage()));
            let place = scratch.checkpoint();
            for _ in 0..3 {
                scratch.scope(|scope| {
                    let inner = script(scope.blocks(), &mut dice, 60);
                    scope.scope(|scope| script(scope.blocks(), &mut dice, 60));
                    check_all(&inner);
                });
                assert_eq!(scratch.live_bytes(), live);
                check_all(&outer);
            }
            let _ = scratch.stage::<u8, ()>(|stage| {
                script(stage.blocks(), &mut dice, 60);
                Err(())
            });
            script(scratch.blocks(), &mut dice, 60);
            scratch.rewind(place).expect("taken from this stack");
            assert_eq!((scratch.live_bytes(), scratch.memory_usage()), (live, region.memory_usage()));
            check_all(&outer);
            region.verify().expect("every byte is in one place");
            if dice.below(3) == 0 {
                scratch.reset();
            }
        }
        drop(scratch);
        assert_eq!((region.memory_usage(), region.stats().leased), (0, 0));
    }
}

/// Bytes of `region` that are not zero.
fn dirty(region: &Region) -> usize {
    // SAFETY: the region's memory is mapped, and initialised: by the system, or by who had it.
    let memory = unsafe { core::slice::from_raw_parts(region.base().as_ptr(), region.capacity()) };
    memory.iter().filter(|byte| **byte != 0).count()
}

#[test]
fn what_is_freed_is_wiped() {
    let region = Region::builder().capacity(1 << 20).zero_on_free(true).build().expect("a region");
    let mut dice = Dice(11);
    let mut arena = Arena::builder().region(&region).max_shards(1).build().expect("an arena");
    for _round in 0..3 {
        script(arena.blocks(), &mut dice, 300);
        std::thread::scope(|scope| scope.spawn(|| drop(script(arena.blocks(), &mut Dice(5), 300))).join())
            .expect("a thread on the shared chunk");
        assert!(dirty(&region) > 10_000, "blocks are filled");
        arena.reset();
        assert_eq!((dirty(&region), region.memory_usage()), (0, 0));
    }
    let mut scratch = Scratch::in_region(&region);
    scratch.alloc([1u8; 600]);
    let before = dirty(&region);
    scratch.scope(|scope| {
        scope.alloc([1u8; 600]);
        assert_eq!(dirty(&region), before + 600, "in the same chunk");
    });
    assert_eq!(dirty(&region), before);
    for _round in 0..5 {
        script(scratch.blocks(), &mut dice, 100);
        let (place, before) = (scratch.checkpoint(), dirty(&region));
        scratch.scope(|scope| drop(script(scope.blocks(), &mut dice, 100)));
        // A chunk that was cut meanwhile has another length in its node.
        assert!(dirty(&region) <= before + size_of::<u32>(), "the blocks of a scope are wiped when it ends");
        script(scratch.blocks(), &mut dice, 100);
        scratch.rewind(place).expect("taken from this stack");
        assert!(dirty(&region) <= before + size_of::<u32>(), "and those of a rewind");
    }
    drop(scratch);
    assert_eq!((dirty(&region), region.memory_usage()), (0, 0));
}

/// The last block moves down as it grows, or loses its tail; what it leaves is no block's.
fn resize_and_free(blocks: impl Blocks, region: &Region) {
    let layout = |size| Layout::from_size_align(size, 8).expect("a small layout");
    let mut block = blocks.alloc(layout(5)).expect("room");
    // The chunk's node.
    let node = dirty(region);
    // SAFETY: a fresh block.
    unsafe { block.write_bytes(1, 5) };
    for (old, new) in [(5, 6), (6, 7), (7, 13), (13, 2), (2, 3)] {
        // SAFETY: the block is live, and of that layout.
        block = unsafe { blocks.resize(block, layout(old), layout(new)) }.expect("room");
        // SAFETY: as many bytes are the block's.
        unsafe { block.write_bytes(1, new) };
        assert_eq!(dirty(region), node + new, "{old} bytes became {new}");
    }
    // SAFETY: the block is live, and of that layout.
    unsafe { blocks.free(block, layout(3)) };
    assert_eq!(dirty(region), node);
}

#[test]
fn what_a_resized_block_leaves_is_wiped() {
    let new_region = || Region::builder().capacity(64 << 10).zero_on_free(true).build().expect("a region");
    let region = new_region();
    let scratch = Scratch::in_region(&region);
    resize_and_free(scratch.blocks(), &region);
    let region = new_region();
    let arena = Arena::in_region(&region);
    resize_and_free(arena.blocks(), &region);
}

/// The arena's one shard is another thread's; this one has freed blocks in a heap of the same region.
#[test]
fn a_thread_without_a_shard_is_not_refused_beside_what_it_has_idle_elsewhere() {
    let region = Region::with_capacity(256 << 10).expect("a region");
    let (heap, arena) = (Heap::in_region(&region), Arena::builder().region(&region).max_shards(1).build());
    let arena = arena.expect("an arena");
    let block = |bytes| Layout::from_size_align(bytes, 1).expect("a small layout");
    arena.blocks().alloc(block(1)).expect("an empty region");
    let with_other = || {
        let freed = heap.alloc(block(64)).expect("an empty region");
        // SAFETY: allocated with this layout.
        unsafe { heap.free(freed.cast(), block(64)) };
        assert!(heap.memory_usage() > 0, "idle in this thread's shard");
        for bytes in [4096, 64, 1] {
            while arena.blocks().alloc(block(bytes)).is_ok() {}
        }
        heap.memory_usage()
    };
    let idle = std::thread::scope(|scope| scope.spawn(with_other).join()).expect("no panic");
    assert_eq!(idle, 0, "refused beside the caller's own idle blocks");
}

/// The heap's one shard is another thread's; this one has a chunk in an arena of the same region.
#[test]
fn a_thread_without_a_shard_in_a_heap_is_not_refused_beside_its_chunk() {
    let region = Region::with_capacity(64 << 10).expect("a region");
    let (heap, arena) = (Heap::in_region(&region), Arena::in_region(&region));
    assert_eq!(heap.stats().shards, 0, "made at the first use");
    let block = |bytes| Layout::from_size_align(bytes, 1).expect("a small layout");
    heap.alloc(block(16)).expect("an empty region");
    assert_eq!(heap.stats().shards, 1, "and too few for two threads");
    let idle = std::thread::scope(|scope| {
        let refused_with_a_chunk = || {
            arena.blocks().alloc(block(16)).expect("room");
            assert!(arena.stats().leased > 0, "the rest of the chunk is idle");
            while heap.alloc(block(64)).is_ok() {}
            while heap.alloc(block(1)).is_ok() {}
            arena.stats().leased
        };
        scope.spawn(refused_with_a_chunk).join().expect("no panic")
    });
    assert_eq!(idle, 0, "refused beside the caller's own chunk");
}

/// A short block that was made under pressure is gone; a long one stays alone.
#[test]
fn a_free_looks_for_no_block_alone_of_another_length() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let arena = Arena::in_region(&region);
    let block = |bytes| Layout::from_size_align(bytes, 1).expect("a small layout");
    arena.blocks().alloc(block(300_000)).expect("an empty region");
    let rest = region.reserve(region.limit() - region.memory_usage() - 4096).expect("free");
    assert!(region.reserve(8192).is_err(), "pressure begins");
    let may_have = |bytes| arena.inner().made().expect("used").alone.may_have(bytes);
    for _ in 0..3 {
        let short = arena.blocks().alloc(block(64)).expect("room");
        assert!(may_have(64));
        // SAFETY: allocated with this layout.
        unsafe { arena.blocks().free(short, block(64)) };
        assert!(!may_have(64), "every free would take the lock from now on");
        assert!(may_have(300_000));
    }
    drop(rest);
}

#[test]
fn a_short_first_chunk_is_still_a_chunk() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let arena = Arena::builder().region(&region).first_chunk_bytes(1).build().expect("an arena");
    (0..1000u64).for_each(|n| assert_eq!(*arena.alloc(n), n));
    assert!(arena.memory_usage() <= 8000 + 2000, "{}", arena.stats());
}

#[test]
fn the_limit_is_right_beside_another_thread_s_first_use() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    for _ in 0..300 {
        let arena = Arena::builder().region(&region).limit(1 << 16).build().expect("an arena");
        std::thread::scope(|scope| {
            scope.spawn(|| arena.alloc(1u8));
            for _ in 0..20 {
                assert_eq!((arena.limit(), arena.region().is_some()), (1 << 16, true));
            }
        });
    }
}
