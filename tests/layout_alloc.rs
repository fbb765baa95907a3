//! The global allocator checks: every block returns with exactly the layout it was allocated with, and in the end every
//! byte has returned. It gives the alignment that was asked for and no more.
//!
//! One test, for it counts the bytes of the whole process.
#![expect(unsafe_code, reason = "a global allocator that checks layouts")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Random, assert_empty, churn, give, give_each, join_all, layout, steps, take};
use sharded_arena::allocator_api2::vec::Vec as ArenaVec;
use sharded_arena::{BestFitArena, BlockArena, Heap, Region};

/// Puts size and alignment in front of every block.
struct Checking;

static BYTES: AtomicUsize = AtomicUsize::new(0);
static WRONG: AtomicUsize = AtomicUsize::new(0);

/// What is asked of the system for `layout`, and where in it the block begins: at an odd multiple of its alignment.
fn padded(layout: Layout) -> Option<(Layout, usize)> {
    let align = layout.align().max(16);
    let front = if layout.align() >= 16 { layout.align() } else { 16 + layout.align() };
    let whole = Layout::from_size_align(layout.size().checked_add(front)?, 2 * align).ok()?;
    Some((whole, front))
}

/// The header of a block in memory of the system's at `start`.
fn header(start: *mut u8) -> *mut [usize; 2] {
    start.cast()
}

// SAFETY: blocks are disjoint parts of the system allocator's blocks, aligned as asked for.
unsafe impl GlobalAlloc for Checking {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((whole, front)) = padded(layout) else { return std::ptr::null_mut() };
        // SAFETY: not empty.
        let start = unsafe { System.alloc(whole) };
        if start.is_null() {
            return start;
        }
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: at least 16 bytes lie in front of the block.
        unsafe { header(start).write([layout.size(), layout.align()]) };
        start.wrapping_add(front)
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        let Some((whole, front)) = padded(layout) else { return };
        let start = ptr.wrapping_sub(front);
        // SAFETY: written by `alloc`, if the layout is the same; if not, this test is about to fail.
        let written = unsafe { header(start).read() };
        if written != [layout.size(), layout.align()] {
            // No panic in an allocator: the block is leaked, the test sees the count.
            WRONG.fetch_add(1, Ordering::Relaxed);
            return;
        }
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: allocated with this layout.
        unsafe { System.dealloc(start, whole) };
    }
}

#[global_allocator]
static GLOBAL: Checking = Checking;

fn bytes() -> usize {
    assert_eq!(WRONG.load(Ordering::Relaxed), 0, "blocks freed with another layout");
    BYTES.load(Ordering::Relaxed)
}

#[test]
fn layouts_are_kept_and_every_byte_returns() {
    eprintln!("seeds 0x1b, 0x1c");
    let mut each = 0;
    let mut round = || {
        let before = bytes();
        everything();
        each = never_used_heaps_cost();
        bytes() == before
    };
    // The test harness and the runtime allocate once in a while too; a leak would show in every round.
    assert!((0..8).any(|_| round()), "every byte returns");
    assert!((0..8).any(|_| round()), "and does so again");
    eprintln!("a never-used heap: {each} bytes");
    assert!(each > 0 && each < 1024, "{each} bytes a heap");
}

/// Each kind of object, used and dropped, also by threads.
fn everything() {
    for capacity in [4 << 10, 100 << 10, 1 << 20, 32 << 20] {
        for checked in [false, true] {
            let heap = common::heap(capacity, checked);
            let other = Heap::in_region(heap.region());
            let threads: Vec<_> = (0..2)
                .map(|seed| {
                    let heap = heap.clone();
                    std::thread::spawn(move || {
                        let live = churn(&heap, &mut Random::new(0x1B + seed), steps(2_000), 60);
                        give_each(&heap, live);
                    })
                })
                .collect();
            join_all(threads);
            let local = other.local();
            let live = churn(&local, &mut Random::new(0x1C), steps(2_000), 60);
            give_each(&local, live);
            let mut numbers = ArenaVec::new_in(&other);
            numbers.extend(0..50_u64);
            drop(numbers);
            other.flush();
            assert_empty(&heap);
            let mut blocks = BlockArena::in_region(heap.region());
            let taken = (0..200).map_while(|size| blocks.allocate(10 * size + 1).ok()).count();
            assert!(taken > 4 && blocks.usage_handle().get() == blocks.memory_usage());
            drop(blocks);
            assert_empty(&heap);
            let snapshot = heap.region().snapshot();
            assert_eq!(snapshot.extents.len(), 1);
        }
    }
    let mut memory = vec![std::mem::MaybeUninit::uninit(); 10_000];
    let mut arena = BestFitArena::over(&mut memory, 8).expect("memory");
    assert!(arena.alloc(5_000).is_some());
}

/// 40,000 heaps that were never used are their handles' memory alone.
fn never_used_heaps_cost() -> usize {
    const COUNT: usize = 40_000;
    let region = Region::with_capacity(1 << 20).expect("a region");
    let mut heaps = Vec::with_capacity(COUNT);
    let before = bytes();
    heaps.extend((0..COUNT).map(|_| Heap::in_region(&region)));
    let each = (bytes() - before) / COUNT;
    assert_eq!((region.memory_usage(), region.stats().leased), (0, 0), "nothing of the limit");
    let user = Heap::in_region(&region);
    let whole = take(&user, layout(1 << 20, 16)).expect("all of the limit is there");
    give(&user, whole);
    region.verify().expect("every byte is in one place");
    each
}
