//! The global allocator refuses: whatever the crate asks it for fallibly may fail at any call, and the result is a typed
//! error, or a heap that runs uncached; every figure is as it was.
//!
//! The crate takes the memory of its tables zeroed, and can live without it. What the standard library allocates for
//! itself (`Arc`, `Vec`, a thread's list of destructors) ends the process when it fails; it is never asked for zeroed, so
//! the allocator here refuses zeroed requests only.
#![expect(unsafe_code, reason = "a global allocator that refuses")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::arenas::{assert_all_returns, bump_churn, check_disjoint, fill, fill_up};
use common::{Random, assert_empty, churn, give, give_each, layout, take};
use sharded_arena::{Arena, Heap, Region, RegionError, Scratch};

struct Failing;

thread_local! {
    /// Zeroed requests of this thread that still succeed; none: all of them.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    static REFUSED: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

/// Tables, heaps and regions are aligned to the cache line at least; nothing else that these tests allocate is.
fn count(layout: Layout, by: isize) {
    if layout.align() >= 64 {
        let _nothing_at_the_thread_s_end = LIVE.try_with(|live| live.set(live.get() + by));
    }
}

// SAFETY: hands every call on to the system's allocator, or refuses with null.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout, 1);
        // SAFETY: the trait's contract.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let refuses = LEFT.try_with(|left| match left.get() {
            Some(0) => true,
            Some(more) => {
                left.set(Some(more - 1));
                false
            }
            None => false,
        });
        if refuses == Ok(true) {
            REFUSED.set(REFUSED.get() + 1);
            return std::ptr::null_mut();
        }
        count(layout, 1);
        // SAFETY: the trait's contract.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(layout, -1);
        // SAFETY: the trait's contract.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static GLOBAL: Failing = Failing;

/// Runs `body` with the `n`-th zeroed request and all later ones failing, for every `n` until none fails; says how many.
fn for_every_failure(mut body: impl FnMut(usize)) -> usize {
    for n in 0.. {
        let (live, refused) = (LIVE.get(), REFUSED.get());
        LEFT.set(Some(n));
        body(n);
        LEFT.set(None);
        assert_eq!(LIVE.get(), live, "failure {n} leaks");
        if REFUSED.get() == refused {
            return n;
        }
    }
    unreachable!("a range without end")
}

fn is_out_of_memory(error: &RegionError) -> bool {
    matches!(error, RegionError::System(error) if error.kind() == std::io::ErrorKind::OutOfMemory)
}

/// Capacities whose tables come from the global allocator, as small tables do.
const CAPACITIES: [usize; 3] = [4 << 10, 64 << 10, 1 << 20];

#[test]
fn construction_ends_in_a_typed_error() {
    for capacity in CAPACITIES {
        let mut errors = 0;
        let calls = for_every_failure(|_| match Region::with_capacity(capacity) {
            Ok(region) => assert_eq!(region.memory_usage(), 0),
            Err(error) => {
                assert!(is_out_of_memory(&error), "{error}");
                errors += 1;
            }
        });
        assert_eq!(errors, calls, "every failure is an error");
        assert!(calls >= 2, "{capacity}: {calls} tables");
    }
    let calls = for_every_failure(|_| {
        if let Err(error) = Heap::builder().capacity(1 << 20).checked(true).build() {
            assert!(is_out_of_memory(&error), "{error}");
        }
    });
    assert!(calls >= 3, "the quarantine is a table too: {calls}");
}

#[test]
fn first_use_works_uncached() {
    for capacity in CAPACITIES {
        let mut uncached = 0;
        let calls = for_every_failure(|n| {
            LEFT.set(None);
            let region = Region::with_capacity(capacity).expect("no failure here");
            let heap = Heap::in_region(&region);
            LEFT.set(Some(n));
            let block = take(&heap, layout(100, 8)).expect("uncached at worst");
            LEFT.set(None);
            uncached += usize::from(heap.stats().shards == 0);
            give(&heap, block);
            let live = churn(&heap, &mut Random::seeded(0xFA), 2_000, 50);
            give_each(&heap, live);
            assert_empty(&heap);
            assert_eq!(heap.stats().shards == 0, uncached > n, "a heap stays as it began");
        });
        assert_eq!(uncached, calls, "each failure leaves the heap without shards");
        assert!(calls >= 2, "{capacity}: shards, owners, nodes: {calls}");
    }
}

#[test]
fn verify_ends_in_a_typed_error_and_changes_nothing() {
    let heap = Heap::with_capacity(256 << 10).expect("a region");
    let live = churn(&heap, &mut Random::seeded(0xFB), 5_000, 100);
    let (stats, region) = (heap.stats(), heap.region().stats());
    let mut errors = 0;
    let calls = for_every_failure(|_| {
        if let Err(error) = heap.region().verify() {
            assert_eq!(error.what, "no memory for a second index");
            errors += 1;
        }
    });
    assert_eq!((errors, calls > 0), (calls, true));
    assert_eq!((heap.stats(), heap.region().stats()), (stats, region));
    give_each(&heap, live);
    assert_empty(&heap);
}

#[test]
fn nothing_after_the_first_use_needs_the_allocator() {
    for checked in [false, true] {
        let heap = common::heap(512 << 10, checked);
        give(&heap, take(&heap, layout(1, 1)).expect("empty"));
        LEFT.set(Some(0));
        let refused = REFUSED.get();
        let live = churn(&heap, &mut Random::seeded(0xFC), 20_000, 200);
        let reserved = heap.region().reserve(1 << 10).expect("room");
        drop(reserved);
        let _bytes = heap.region().trim(0);
        give_each(&heap, live);
        heap.flush();
        assert_eq!(REFUSED.get(), refused, "no table is made by a running heap");
        LEFT.set(None);
        assert_empty(&heap);
    }
}

#[test]
fn every_thread_of_a_heap_without_shards_works() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let heap = Heap::in_region(&region);
    LEFT.set(Some(0));
    let first = take(&heap, layout(10, 1)).expect("uncached");
    LEFT.set(None);
    assert_eq!((heap.stats().shards, heap.stats().leased), (0, 0));
    let threads: Vec<_> = (0..4)
        .map(|seed| {
            let heap = heap.clone();
            std::thread::spawn(move || churn(&heap, &mut Random::seeded(0xFD + seed), 5_000, 100))
        })
        .collect();
    for thread in threads {
        give_each(&heap, thread.join().expect("no panic"));
    }
    give(&heap, first);
    assert_eq!(heap.memory_usage(), 0, "nothing is cached");
    assert_empty(&heap);
}

/// An arena has no uncached form: without its tables a request is refused, and the next one tries again.
#[test]
fn an_arena_s_first_use_is_refused_cleanly() {
    for capacity in CAPACITIES {
        let mut refused = 0;
        let calls = for_every_failure(|n| {
            LEFT.set(None);
            let region = Region::with_capacity(capacity).expect("no failure here");
            let mut arena = Arena::in_region(&region);
            let scratch = Scratch::in_region(&region);
            LEFT.set(Some(n));
            let (block, staged) = (fill(&arena, layout(100, 8)), fill(&scratch, layout(100, 8)));
            LEFT.set(None);
            for (answer, usage) in [(&block, arena.memory_usage()), (&staged, scratch.memory_usage())] {
                refused += usize::from(answer.is_err());
                assert_eq!(answer.is_err(), usage == 0, "a refusal takes nothing");
            }
            region.verify().expect("every byte is in one place");
            fill(&scratch, layout(10, 8)).expect("the next request tries again");
            fill(&arena, layout(10, 8)).expect("and so does the arena's");
            check_disjoint(&bump_churn(&arena, &mut Random::new(0xFA), 200));
            assert_eq!(
                region.memory_usage(),
                arena.memory_usage() + scratch.memory_usage(),
                "in the region it was given"
            );
            drop(scratch);
            assert_all_returns(&mut arena, &region);
        });
        // The arena's tables, then its stack's: the first half of the failures refuses both.
        assert!(calls >= 2 && refused > calls && refused <= 2 * calls, "{capacity}: {refused} of {calls}");
    }
}

#[test]
fn running_arenas_and_stacks_need_no_table() {
    let region = Region::with_capacity(512 << 10).expect("a region");
    let mut arena = Arena::in_region(&region);
    fill(&arena, layout(1, 1)).expect("empty");
    drop(arena.scratch());
    LEFT.set(Some(0));
    let refused = REFUSED.get();
    for _ in 0..3 {
        check_disjoint(&bump_churn(&arena, &mut Random::new(0xFC), 2_000));
        let mut scratch = arena.scratch();
        let (first, second) = (scratch.checkpoint(), scratch.checkpoint());
        scratch.scope(|scope| check_disjoint(&fill_up(scope, layout(3_000, 8))));
        assert!(scratch.rewind(first).is_ok() && scratch.rewind(second).is_err());
        drop(scratch);
        arena.verify().expect("every extent is on a list");
        arena.reset();
        arena.trim(0);
    }
    assert_eq!(REFUSED.get(), refused, "no table is made by a running arena");
    LEFT.set(None);
    assert_all_returns(&mut arena, &region);
}
