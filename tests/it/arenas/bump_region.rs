//! `BumpRegion` by itself: every byte is handed out once, by any number of threads, and its figures are exact.
#![expect(unsafe_code, reason = "memory that the test answers for, and blocks it writes through their addresses")]

use std::alloc::Layout;
use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::typed::odd_memory;
use sharded_arena::{AllocErrorKind, BumpRegion, RegionError};

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).expect("a valid layout")
}

/// Blocks by their start; asserts that they lie in `[base, base + capacity)` and apart.
fn assert_disjoint(region: &BumpRegion, blocks: impl IntoIterator<Item = (usize, usize)>) -> usize {
    let (mut by_start, mut sum) = (BTreeMap::new(), 0);
    for (start, len) in blocks {
        assert_eq!(by_start.insert(start, len), None, "two blocks at one address");
        sum += len;
    }
    let mut end = 0;
    for (start, len) in by_start {
        assert!(start >= end, "a block at {start:#x} begins in one that ends at {end:#x}");
        assert!(region.contains(std::ptr::without_provenance(start)));
        assert!(region.contains(std::ptr::without_provenance(start + len - 1)));
        end = start + len;
    }
    sum
}

/// Takes blocks of the sizes that `size` gives until none is left, fills each and looks again at the end.
fn exhaust(region: &BumpRegion, byte: u8, size: impl Fn(usize) -> (usize, usize)) -> Vec<(usize, usize)> {
    let mut blocks: Vec<&mut [MaybeUninit<u8>]> = Vec::new();
    for turn in 0.. {
        let (len, align) = size(turn);
        let mut block = match region.try_alloc_layout(layout(len, align)) {
            Ok(block) => NonNull::slice_from_raw_parts(block.cast::<MaybeUninit<u8>>(), len),
            // What is left is taken byte by byte.
            Err(_) if (len, align) != (1, 1) => match region.try_alloc_layout(layout(1, 1)) {
                Ok(block) => NonNull::slice_from_raw_parts(block.cast(), 1),
                Err(_) => break,
            },
            Err(_) => break,
        };
        assert!(block.len() == 1 || block.addr().get() % align == 0);
        // SAFETY: as long as its layout, this thread's alone, borrowed no longer than the region.
        let block = unsafe { block.as_mut() };
        block.fill(MaybeUninit::new(byte));
        blocks.push(block);
    }
    let whole = |block: &[MaybeUninit<u8>]| {
        // SAFETY: filled above.
        block.iter().all(|place| unsafe { place.assume_init() } == byte)
    };
    assert!(blocks.iter().all(|block| whole(block)), "another thread wrote into a block of this one");
    blocks.iter().map(|block| (block.as_ptr().addr(), block.len())).collect()
}

fn exhaust_on(threads: usize, region: &BumpRegion, size: impl Fn(usize) -> (usize, usize) + Sync) -> usize {
    let (start, size) = (Barrier::new(threads), &size);
    let blocks: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=threads)
            .map(|byte| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    exhaust(region, u8::try_from(byte).expect("few threads"), size)
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_disjoint(region, blocks)
}

#[test]
fn every_byte_is_handed_out_once() {
    const BYTES: usize = 60_001;
    for threads in [1, 2, 4, 8] {
        let region = BumpRegion::with_capacity(BYTES).expect("memory");
        assert_eq!(exhaust_on(threads, &region, |_| (1, 1)), BYTES, "{threads} threads, one byte each");
        assert_eq!(region.remaining(), 0);
        let region = BumpRegion::over(odd_memory(BYTES)).expect("memory");
        assert_eq!(exhaust_on(threads, &region, |turn| (1 + turn % 97, 1)), BYTES, "{threads} threads, any length");
        assert_eq!(region.remaining(), 0);
    }
}

#[test]
fn aligned_blocks_of_threads_are_disjoint() {
    for threads in [1, 2, 4, 8] {
        let region = BumpRegion::over(odd_memory(300_001)).expect("memory");
        let handed_out = exhaust_on(threads, &region, |turn| (1 + turn * 7 % 300, 1 << (turn % 10)));
        assert_eq!(region.remaining(), 0);
        assert!(handed_out > 100_000, "most is no padding: {handed_out}");
    }
}

#[test]
pub(crate) fn remaining_is_exact() {
    let mut region = BumpRegion::over(odd_memory(100)).expect("memory");
    let base = region.alloc_slice_uninit::<u8>(100).as_ptr().addr();
    assert_eq!((region.capacity(), region.remaining()), (100, 0));
    region.reset();
    for left in (0..100).rev() {
        region.alloc(1u8);
        assert_eq!(region.remaining(), left);
    }
    region.reset();
    let mut end = base + 100;
    for (size, align) in [(3, 1), (8, 8), (1, 2), (24, 16), (0, 64), (5, 4)] {
        if size > 0 {
            end = (end - size) & !(align - 1);
        }
        region.alloc_layout(layout(size, align));
        assert_eq!(region.remaining(), end - base, "{size} bytes aligned to {align}");
    }
    let left = region.remaining();
    let error = region.try_alloc_layout(layout(left + 1, 1)).expect_err("one too many");
    assert_eq!(region.remaining(), left, "a refusal takes nothing");
    assert_eq!((error.usage + error.largest_free, error.limit), (100, 100));
    region.alloc_slice_uninit::<u8>(region.remaining());
    assert_eq!(region.remaining(), 0);
}

#[test]
fn refusal_changes_nothing() {
    let region = BumpRegion::with_capacity(64).expect("memory");
    region.alloc([0u8; 24]);
    let error = region.try_alloc([0u64; 6]).expect_err("48 of 40").error;
    assert_eq!((error.requested, error.align, error.kind), (48, 8, AllocErrorKind::LimitReached));
    assert_eq!((error.usage, error.limit, error.largest_free), (24, 64, 40));
    assert_eq!(region.remaining(), 40);
    for size in [41, 1 << 40, isize::MAX.unsigned_abs()] {
        let error = region.try_alloc_layout(layout(size, 1)).expect_err("more than there is");
        assert_eq!((error.requested, region.remaining()), (size, 40));
    }
    // Aligned to more than its memory is, the address decides.
    let huge = region.try_alloc_layout(layout(1, 1 << 62)).expect_err("no such address");
    assert_eq!((huge.align, region.remaining()), (1 << 62, 40));
    region.alloc([0u8; 40]);
}

#[test]
fn reset_frees_all_and_drops_nothing() {
    struct Never;
    impl Drop for Never {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let mut region = BumpRegion::with_capacity(1000).expect("memory");
    let mut first = None;
    for _ in 0..3 {
        region.alloc((Never, 0u8));
        let block = region.alloc_slice_fill_copy(region.remaining(), 7u8).as_ptr();
        assert_eq!((region.remaining(), *first.get_or_insert(block)), (0, block), "the same memory in every round");
        region.reset();
        assert_eq!(region.remaining(), 1000);
    }
}

#[test]
fn any_memory_can_be_a_region() {
    for (skip, len) in (0..17).flat_map(|skip| [(skip, 16), (skip, 17), (skip, 61), (skip, 64)]) {
        let memory = &mut odd_memory(128)[skip..skip + len];
        let (base, end) = (memory.as_ptr().addr(), memory.as_ptr().addr() + len);
        let mut region = BumpRegion::over(memory).expect("memory");
        assert_eq!((region.capacity(), region.remaining()), (len, len));
        let whole = region.alloc_slice_fill_copy(len, 1u8);
        assert_eq!((whole.as_ptr().addr(), whole.len()), (base, len));
        region.reset();
        // Words up to the last that lies between both ends.
        let words = end / 8 - base.div_ceil(8);
        assert_eq!((0..=len).take_while(|_| region.try_alloc(0u64).is_ok()).count(), words);
        assert!(!region.contains(std::ptr::without_provenance(base - 1)));
        assert!(!region.contains(std::ptr::without_provenance(end)));
    }
}

#[test]
fn invalid_capacities_are_errors() {
    assert!(matches!(BumpRegion::with_capacity(0), Err(RegionError::ZeroCapacity)));
    for bytes in 1..16 {
        assert!(matches!(BumpRegion::with_capacity(bytes), Err(RegionError::BelowLeast { .. })), "{bytes}");
        assert!(matches!(BumpRegion::over(odd_memory(bytes)), Err(RegionError::BelowLeast { .. })), "{bytes}");
    }
    assert_eq!(BumpRegion::with_capacity(16).expect("the least").remaining(), 16);
    for bytes in [usize::MAX, usize::MAX - 4095, isize::MAX.unsigned_abs() + 1] {
        let error = BumpRegion::with_capacity(bytes).expect_err("no machine has so much");
        assert!(matches!(error, RegionError::Overflow | RegionError::System(_)), "{bytes}: {error}");
    }
    // SAFETY: refused before anything is done with it.
    let past_the_end = unsafe { BumpRegion::from_raw_parts(NonNull::dangling(), usize::MAX) };
    assert!(matches!(past_the_end, Err(RegionError::Overflow)));
}

#[test]
fn huge_request_never_blocks_small_ones() {
    const BYTES: usize = 1 << 18;
    let region = BumpRegion::with_capacity(BYTES).expect("memory");
    let (done, start) = (AtomicBool::new(false), Barrier::new(2));
    std::thread::scope(|scope| {
        let giant = scope.spawn(|| {
            start.wait();
            while !done.load(Ordering::Relaxed) {
                assert!(region.try_alloc_layout(layout(BYTES + 1, 1)).is_err());
                assert!(region.try_alloc_layout(layout(isize::MAX.unsigned_abs() - 63, 64)).is_err());
            }
        });
        start.wait();
        for taken in 1..=BYTES / 8 {
            assert!(region.try_alloc(taken as u64).is_ok(), "refused beside {} bytes", region.remaining());
            assert_eq!(region.remaining(), BYTES - 8 * taken, "no observer sees a giant");
        }
        done.store(true, Ordering::Relaxed);
        giant.join().expect("each was refused");
    });
}

#[test]
fn concurrent_resizes_keep_contents() {
    const THREADS: usize = 4;
    let region = BumpRegion::with_capacity(1 << 20).expect("memory");
    let start = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (region, start) = (&region, &start);
            scope.spawn(move || {
                start.wait();
                let texts: Vec<&mut [usize]> = (0..50)
                    .map(|n| region.alloc_from_iter((0..n % 40).filter(|_| true).map(|at| thread << 20 | n << 10 | at)))
                    .collect();
                for (n, text) in texts.iter().enumerate() {
                    assert_eq!(text.len(), n % 40);
                    assert!(text.iter().enumerate().all(|(at, word)| *word == thread << 20 | n << 10 | at));
                }
            });
        }
    });
}

#[test]
fn debug_output_shows_the_figures() {
    let region = BumpRegion::with_capacity(100).expect("memory");
    region.alloc(1u8);
    assert_eq!(format!("{region:?}"), "BumpRegion { capacity: 100, remaining: 99, .. }");
}
