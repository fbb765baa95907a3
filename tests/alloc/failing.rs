//! The global allocator refuses: whatever the crate asks it for fallibly may fail at any call, and the result is a
//! typed error, or a heap that runs uncached; every figure is as it was.
//!
//! The crate takes the memory of its tables zeroed, and can live without it. What the standard library allocates for
//! itself (`Arc`, `Vec`, a thread's list of destructors) ends the process when it fails; it is never asked for zeroed,
//! so the allocator here refuses zeroed requests only.

use crate::allocator::{Requests::Zeroed, refused, refusing, tables};
use crate::support::{
    self, Random,
    arenas::{assert_all_returns, bump_churn},
    assert_empty, check_disjoint, churn, fill_up, give, give_each, layout, take,
};
use sharded_arena::{Arena, Heap, Region, RegionError, Scratch};

/// Runs `body` with each `n` from 0 on, as which it lets zeroed requests fail, until none fails; returns that `n`.
fn for_every_failure(mut body: impl FnMut(usize)) -> usize {
    for n in 0.. {
        let (live, refused_before) = (tables(), refused());
        body(n);
        assert_eq!(tables(), live, "failure {n} leaks");
        if refused() == refused_before {
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
fn construction_failure_is_a_typed_error() {
    for capacity in CAPACITIES {
        let mut errors = 0;
        let calls = for_every_failure(|n| match refusing(Zeroed, n, || Region::with_capacity(capacity)) {
            Ok(region) => assert_eq!(region.memory_usage(), 0),
            Err(error) => {
                assert!(is_out_of_memory(&error), "{error}");
                errors += 1;
            }
        });
        assert_eq!(errors, calls, "every failure is an error");
        assert!(calls >= 2, "{capacity}: {calls} tables");
    }
    let calls = for_every_failure(|n| {
        if let Err(error) = refusing(Zeroed, n, || Heap::builder().capacity(1 << 20).checked(true).build()) {
            assert!(is_out_of_memory(&error), "{error}");
        }
    });
    assert!(calls >= 3, "the quarantine is a table too: {calls}");
}

#[test]
fn first_use_without_tables_works_uncached() {
    for capacity in CAPACITIES {
        let mut uncached = 0;
        let calls = for_every_failure(|n| {
            let region = Region::with_capacity(capacity).expect("no failure here");
            let heap = Heap::in_region(&region);
            let block = refusing(Zeroed, n, || take(&heap, layout(100, 8))).expect("uncached at worst");
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
fn verify_failure_changes_nothing() {
    let heap = Heap::with_capacity(256 << 10).expect("a region");
    let live = churn(&heap, &mut Random::seeded(0xFB), 5_000, 100);
    let (stats, region) = (heap.stats(), heap.region().stats());
    let mut errors = 0;
    let calls = for_every_failure(|n| {
        if let Err(error) = refusing(Zeroed, n, || heap.region().verify()) {
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
fn running_heap_needs_no_table() {
    for checked in [false, true] {
        let heap = support::heap(512 << 10, checked);
        give(&heap, take(&heap, layout(1, 1)).expect("empty"));
        let before = refused();
        refusing(Zeroed, 0, || {
            let live = churn(&heap, &mut Random::seeded(0xFC), 20_000, 200);
            let reserved = heap.region().reserve(1 << 10).expect("room");
            drop(reserved);
            let _bytes = heap.region().trim(0);
            give_each(&heap, live);
            heap.flush();
        });
        assert_eq!(refused(), before, "no table is made by a running heap");
        assert_empty(&heap);
    }
}

#[test]
fn heap_without_shards_serves_every_thread() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let heap = Heap::in_region(&region);
    let first = refusing(Zeroed, 0, || take(&heap, layout(10, 1))).expect("uncached");
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
fn arena_first_use_is_refused_cleanly() {
    for capacity in CAPACITIES {
        let mut refusals = 0;
        let calls = for_every_failure(|n| {
            let region = Region::with_capacity(capacity).expect("no failure here");
            let mut arena = Arena::in_region(&region);
            let scratch = Scratch::in_region(&region);
            let both = || (take(&arena, layout(100, 8)), take(&scratch, layout(100, 8)));
            let (block, staged) = refusing(Zeroed, n, both);
            for (answer, usage) in [(&block, arena.memory_usage()), (&staged, scratch.memory_usage())] {
                refusals += usize::from(answer.is_err());
                assert_eq!(answer.is_err(), usage == 0, "a refusal takes nothing");
            }
            region.verify().expect("every byte is in one place");
            take(&scratch, layout(10, 8)).expect("the next request tries again");
            take(&arena, layout(10, 8)).expect("and so does the arena's");
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
        assert!(calls >= 2 && refusals > calls && refusals <= 2 * calls, "{capacity}: {refusals} of {calls}");
    }
}

#[test]
fn running_arena_needs_no_table() {
    let region = Region::with_capacity(512 << 10).expect("a region");
    let mut arena = Arena::in_region(&region);
    take(&arena, layout(1, 1)).expect("empty");
    drop(arena.scratch());
    let before = refused();
    refusing(Zeroed, 0, || {
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
    });
    assert_eq!(refused(), before, "no table is made by a running arena");
    assert_all_returns(&mut arena, &region);
}
