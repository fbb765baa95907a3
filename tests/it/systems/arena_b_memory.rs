//! `arena_b`, the rest: long requests, trimming, figures, a diagnosis, a snapshot.
#![expect(unsafe_code, reason = "frees what is not to be freed")]

use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ScopedJoinHandle};

use crate::support::{Block, Random, assert_empty, churn, give, give_each, layout, steps, take};
use sharded_arena::{AllocError, Arena, BlockArena, FreeError, Heap, Local, Region, Scratch};

// ---- above 16 MiB ---------------------------------------------------------------------------------------------------

/// Around the length that the original has no chunk for, and far above it.
const LONG: [usize; 6] = [(16 << 20) - 1, 16 << 20, (16 << 20) + 1, 17 << 20, 64 << 20, 200 << 20];

/// The first and the last byte are there and the caller's.
fn reach(bytes: &mut [std::mem::MaybeUninit<u8>], len: usize) {
    assert_eq!(bytes.len(), len);
    for at in [0, len - 1] {
        assert_eq!(*bytes[at].write(0x5A), 0x5A);
    }
}

/// In the original a chunk is 16 MiB at most: a longer request gets a null pointer, which its typed methods write
/// through.
#[test]
fn arena_b__a_request_above_16_mib_works() {
    for len in LONG {
        let region = Region::builder().capacity(256 << 20).huge_pages(false).build().expect("address space");
        reach(Arena::in_region(&region).alloc_slice_uninit(len), len);
        reach(Arena::in_region(&region).local().alloc_slice_uninit(len), len);
        reach(Scratch::in_region(&region).alloc_slice_uninit(len), len);
        reach(Arena::in_region(&region).scratch().alloc_slice_uninit(len), len);
        reach(Arena::new().alloc_slice_uninit(len), len);
        let mut blocks = BlockArena::in_region(&region);
        let block = blocks.allocate(len).expect("room");
        assert!(region.contains(block.as_ptr()) && region.contains(block.as_ptr().wrapping_add(len - 1)));
        drop(blocks);
        let heap = Heap::in_region(&region);
        let block = heap.alloc(layout(len, 64)).expect("room");
        assert_eq!((block.len(), block.cast::<u8>().addr().get() % 64), (len, 0));
        // SAFETY: live, with its layout.
        unsafe { heap.free(block.cast(), layout(len, 64)) };
        assert_empty(&heap);
    }
}

/// Where there is no room for it, a long request is refused with its figures, and nothing else has changed.
#[test]
fn arena_b__or_it_is_refused_cleanly() {
    type Request<'a> = (&'static str, &'a dyn Fn(usize) -> Option<AllocError>);
    for limit in [8 << 20, 16 << 20] {
        let region = Region::builder().capacity(32 << 20).limit(limit).build().expect("address space");
        let (arena, heap) = (Arena::in_region(&region), Heap::in_region(&region));
        let (local, scratch): (Local<'_>, Scratch) = (arena.local(), Scratch::in_region(&region));
        let (number, block) = (arena.alloc(7_u64), take(&heap, layout(100, 8)).expect("room"));
        scratch.alloc(8_u64);
        let usage = region.memory_usage();
        let requests: [Request<'_>; 4] = [
            ("arena", &|len| arena.try_alloc_slice_uninit::<u8>(len).err()),
            ("local", &|len| local.try_alloc_slice_uninit::<u8>(len).err()),
            ("scratch", &|len| scratch.try_alloc_slice_uninit::<u8>(len).err()),
            ("heap", &|len| heap.alloc(layout(len, 1)).err()),
        ];
        for (name, request) in requests {
            for len in LONG.into_iter().chain([isize::MAX as usize]) {
                let error = request(len).unwrap_or_else(|| panic!("{name}: {len} bytes of {limit}"));
                assert_eq!((error.requested, error.limit), (len, limit), "{name}: {error}");
                // A request that idle memory might serve makes it go back.
                assert!(region.memory_usage() <= usage, "{name}: {len}");
            }
        }
        assert_eq!((*number, *arena.alloc(9_u64), *scratch.alloc(10_u64)), (7, 9, 10), "it goes on");
        give(&heap, block);
        region.verify().expect("every byte is in one place");
    }
}

// ---- trimming -------------------------------------------------------------------------------------------------------

/// The original's trim takes a shared reference, and drops every chunk but the first under the references into them.
#[test]
fn arena_b__trimming_frees_nothing_under_live_references() {
    let takes_it_exclusively: fn(&mut Arena, usize) -> usize = Arena::trim;
    let region = Region::builder().capacity(64 << 20).huge_pages(false).build().expect("a region");
    let (mut arena, heap, scratch) = (Arena::in_region(&region), Heap::in_region(&region), Scratch::in_region(&region));
    let dropped = Arc::new(Mutex::new(Vec::new()));
    for n in 0..300_usize {
        arena.alloc_dropped(Logged(Arc::clone(&dropped), n, [n; 128]));
    }
    let (numbers, words) = (
        (0..2000_u64).map(|n| scratch.alloc_slice_fill_copy(100, n)).collect::<Vec<_>>(),
        (0..2000).map(|n| scratch.alloc_fmt(format_args!("word {n}"))).collect::<Vec<_>>(),
    );
    let (mut live, mut freed): (Vec<Block>, Vec<Block>) = (Vec::new(), Vec::new());
    for n in 0..100 {
        live.push(take(&heap, layout(1 + n * 1000, 8)).expect("room"));
        freed.push(take(&heap, layout(100_000 + n * 1000, 8)).expect("room"));
    }
    give_each(&heap, freed);
    for (keep, least, most) in [(1 << 20, 100 * 100_000, 64 << 20), (0, 0, 64 << 20), (0, 0, 0)] {
        let returned = region.trim(keep) + takes_it_exclusively(&mut arena, keep);
        assert!((least..=most).contains(&returned), "{returned} bytes went back");
        live.iter().for_each(Block::check);
        assert!((0..).zip(&numbers).all(|(n, numbers)| numbers.iter().all(|found| *found == n)));
        assert!((0..).zip(&words).all(|(n, word)| **word == format!("word {n}")));
        region.verify().expect("every byte is in one place");
        arena.verify().expect("every extent is on its list");
        assert!(arena.memory_usage() >= 300 * size_of::<Logged>(), "{}", arena.stats());
    }
    arena.reset();
    let dropped: Vec<usize> = std::mem::take(&mut dropped.lock().expect("nobody panics here"));
    assert_eq!(dropped, (0..300).rev().collect::<Vec<_>>(), "the values were there when they were dropped");
    give_each(&heap, live);
}

/// Writes down its number when it is dropped, if it has kept its numbers.
struct Logged(Arc<Mutex<Vec<usize>>>, usize, [usize; 128]);

impl Drop for Logged {
    fn drop(&mut self) {
        assert_eq!(self.2, [self.1; 128]);
        self.0.lock().expect("nobody panics here").push(self.1);
    }
}

/// The original's arena is one thread's. Here any thread may trim while others allocate, free and look at what they
/// have.
#[test]
fn arena_b__trimming_beside_threads_frees_nothing_of_theirs() {
    let region = Region::builder().capacity(4 << 20).huge_pages(false).build().expect("a region");
    let (arena, heap) = (Arena::in_region(&region), Heap::in_region(&region));
    let done = AtomicBool::new(false);
    let turns = thread::scope(|scope| {
        let workers: Vec<_> = (0..3_u64)
            .map(|seed| {
                let (arena, heap) = (&arena, &heap);
                scope.spawn(move || {
                    let mut random = Random::new(0xAB + seed);
                    for round in 0..steps(1200) as u64 {
                        let kept = arena.alloc_slice_fill_copy(100, round);
                        // Long enough that they are cut from what is just being trimmed.
                        let long = take(heap, layout(300_000 + random.below(500_000), 64));
                        long.iter().for_each(Block::check);
                        let left = churn(heap, &mut random, 20, 40);
                        give_each(heap, left.into_iter().chain(long));
                        assert!(kept.iter().all(|found| *found == round));
                    }
                })
            })
            .collect();
        let trimmer = scope.spawn(|| {
            let mut turns = 0_usize;
            while !done.load(Ordering::Relaxed) || turns == 0 {
                turns += usize::from(region.trim(0) > 0);
            }
            turns
        });
        let results: Vec<_> = workers.into_iter().map(ScopedJoinHandle::join).collect();
        done.store(true, Ordering::Relaxed);
        assert!(results.iter().all(Result::is_ok), "no panic");
        trimmer.join().expect("no panic")
    });
    assert!(turns > 0, "something was trimmed");
    drop(arena);
    assert_empty(&heap);
}

// ---- figures --------------------------------------------------------------------------------------------------------

/// The original counts in two places, and some paths in neither; a reset starts all figures anew, the peak too.
#[test]
fn arena_b__statistics_are_exact() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let heap = Heap::builder().region(&region).checked(true).quarantine(0).build().expect("a heap");
    let (mut random, mut live, mut peak) = (Random::seeded(0xAB1), Vec::<Block>::new(), 0);
    for _ in 0..steps(8_000) {
        if random.below(5) < 3 {
            live.extend(take(&heap, layout(1 + random.below(1000), 1)));
        } else if !live.is_empty() {
            give(&heap, live.swap_remove(random.below(live.len())));
        }
        let asked = live.iter().map(Block::size).sum::<usize>();
        let taken = live.iter().map(|block| block.size().next_multiple_of(16)).sum::<usize>();
        peak = peak.max(taken);
        let (stats, own) = (region.stats(), heap.stats());
        assert_eq!((stats.usage, stats.peak, stats.free), (taken, peak, (1 << 20) - taken), "{stats}");
        assert_eq!((stats.extents_used, stats.leased), (live.len(), 0), "{stats}");
        assert_eq!((own.usage, own.peak, heap.live_bytes()), (taken, peak, asked), "{own}");
    }
    assert!(peak > 100_000, "{peak}");
    give_each(&heap, live);
    assert_eq!((region.memory_usage(), region.peak_memory_usage()), (0, peak));
}

/// Several kinds of users of one region: their figures add up to its own, while threads work and afterwards.
#[test]
fn arena_b__statistics_add_up_and_are_read_while_threads_work() {
    let region = Region::with_capacity(8 << 20).expect("a region");
    let (arena, heap) = (Arena::in_region(&region), Heap::in_region(&region));
    let done = AtomicBool::new(false);
    let reads = thread::scope(|scope| {
        let workers: Vec<_> = (0..2_u64)
            .map(|seed| {
                let (arena, heap) = (&arena, &heap);
                scope.spawn(move || {
                    let left = churn(heap, &mut Random::new(0xAB2 + seed), steps(8_000), 100);
                    give_each(heap, left);
                    for n in 0..1000_u64 {
                        arena.alloc_slice_fill_copy(10, n);
                    }
                })
            })
            .collect();
        let reader = scope.spawn(|| {
            let (mut reads, mut peak) = (0, 0);
            while !done.load(Ordering::Relaxed) || reads == 0 {
                let (stats, live) = (region.stats(), heap.live_bytes());
                assert!(stats.usage <= stats.limit && stats.usage + stats.free <= stats.capacity, "{stats}");
                assert!(stats.peak >= peak && stats.usage <= stats.peak, "{stats}");
                assert!(
                    live < 1 << 40,
                    "live bytes count a block that goes round twice at most, and are never below zero"
                );
                (reads, peak) = (reads + 1, stats.peak);
            }
            reads
        });
        let results: Vec<_> = workers.into_iter().map(ScopedJoinHandle::join).collect();
        done.store(true, Ordering::Relaxed);
        assert!(results.iter().all(Result::is_ok), "no panic");
        reader.join().expect("no panic")
    });
    assert!(reads > 0);
    assert_eq!(region.memory_usage(), heap.memory_usage() + arena.memory_usage());
    assert_eq!((arena.live_bytes(), heap.live_bytes()), (2 * 1000 * 80, 0));
    let (arena, heap, whole) = (arena.stats(), heap.stats(), region.stats());
    assert!(arena.usage <= arena.live_bytes + arena.leased, "usage is what is live and what is idle: {arena}");
    assert!(heap.usage <= heap.leased && heap.leased + arena.leased <= whole.limit / 16, "{heap}, {whole}");
}

// ---- a diagnosis ----------------------------------------------------------------------------------------------------

/// The original calls its sink once, when the arena is built, and its check finds only what it has counted before.
#[test]
fn arena_b__diagnostics_name_what_is_wrong() {
    let heap = Heap::builder().capacity(64 << 10).build().expect("a heap");
    let block = take(&heap, layout(10_000, 16)).expect("room");
    let refused = take(&heap, layout(60_000, 16)).expect_err("more than is left");
    assert_eq!((refused.requested, refused.align, refused.limit), (60_000, 16, 64 << 10));
    let text = refused.to_string();
    for figure in [60_000, 10_000, 64 << 10, refused.largest_free] {
        assert!(text.contains(&figure.to_string()), "{figure} in {text}");
    }
    let at = |offset: usize| NonNull::new(block.ptr().as_ptr().wrapping_add(offset)).expect("an address");
    let outside = NonNull::new(heap.region().base().as_ptr().wrapping_add(64 << 10)).expect("an address");
    for (ptr, size, error) in [
        (at(16), 100, FreeError::Interior),
        (at(0), 9_000, FreeError::WrongLayout),
        (at(32 << 10), 100, FreeError::NotLive),
        (outside, 100, FreeError::OutOfRegion),
    ] {
        // SAFETY: refused, so nothing is changed.
        assert_eq!(unsafe { heap.try_free(ptr, layout(size, 16)) }, Err(error), "{error}");
        heap.region().verify().expect("every byte is in one place");
    }
    give(&heap, block);
    assert_empty(&heap);
}

// ---- a snapshot -----------------------------------------------------------------------------------------------------

/// The original's snapshot of its settings is made of constants, whatever the builder was told.
#[test]
fn arena_b__snapshot_shows_every_extent() {
    let region = Region::builder().capacity(1 << 20).limit(600 << 10).build().expect("a region");
    let heap = Heap::builder().region(&region).checked(true).quarantine(0).build().expect("a heap");
    let mut live: Vec<Block> = (0..3000).map_while(|n| take(&heap, layout(16 + n % 500, 1)).ok()).collect();
    let freed = live.split_off(live.len() / 3).into_iter().enumerate();
    for (n, block) in freed {
        if n % 3 == 0 { live.push(block) } else { give(&heap, block) }
    }
    let (snapshot, stats) = (region.snapshot(), region.stats());
    assert_eq!((snapshot.capacity, snapshot.limit, snapshot.usage), (1 << 20, 600 << 10, stats.usage));
    let extents = &snapshot.extents;
    assert!(extents.len() > 1024 && extents[0].offset == 0, "{} extents", extents.len());
    assert!(extents.windows(2).all(|pair| pair[0].offset + pair[0].len == pair[1].offset), "no gap");
    assert!(extents.windows(2).all(|pair| pair[0].used || pair[1].used), "no two free neighbours");
    assert_eq!(extents.last().map(|last| last.offset + last.len), Some(1 << 20));
    let shown: Vec<_> = extents.iter().filter(|extent| extent.used).map(|extent| (extent.offset, extent.len)).collect();
    let base = region.base().addr().get();
    let mut expected: Vec<_> =
        live.iter().map(|block| (block.ptr().addr().get() - base, block.size().next_multiple_of(16))).collect();
    expected.sort_unstable();
    assert!(shown == expected, "the live blocks, no more");
    give_each(&heap, live);
    assert_eq!(region.snapshot().extents.len(), 1);
}
