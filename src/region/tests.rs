//! The region's own tests: what a turn of trimming may not disturb, and how often sets are asked.
#![expect(unsafe_code, reason = "frees blocks; registers sets")]

use core::alloc::Layout;
use std::cell::Cell;

use super::budget::Budget;
use super::sets::Source;
use super::{Links, Region, Section, ShardSet, Sweep};
use crate::Heap;
use crate::base::error::{AllocErrorKind, FreeError};
use crate::base::extent::Extent;
use crate::sync::{AtomicUsize, Relaxed};
use crate::thread::Token;

fn bytes(len: usize) -> Layout {
    Layout::array::<u8>(len).expect("a small layout")
}

#[test]
fn a_trimming_extent_is_no_live_block_to_a_stale_free() {
    let region = Region::with_capacity(16 << 20).expect("a region");
    let heap = Heap::in_region(&region);
    let layout = bytes(8 << 20);
    let stale = heap.alloc(layout).expect("a block").cast();
    // SAFETY: live, with its layout.
    unsafe { heap.free(stale, layout) };
    let (offset, turns) = (region.offset_of(stale.as_ptr()).expect("inside"), Cell::new(0));
    region.trim_with(0, |start, len| {
        if (start..start + len).contains(&offset) {
            // SAFETY: `NonNull::add`: inside the region.
            let at = unsafe { region.base().add(start) };
            // SAFETY: nothing is live there, so there is nothing to lose.
            let refused = unsafe { heap.try_free(at, bytes(len)) };
            assert_eq!(refused, Err(FreeError::NotLive));
            turns.set(turns.get() + 1);
        }
        len
    });
    assert!(turns.get() > 0, "the extent was trimmed");
    region.verify().expect("every byte in one place");
    assert_eq!((region.memory_usage(), region.stats().extents_free), (0, 1));
}

#[test]
fn every_part_of_a_long_free_extent_has_its_turn() {
    let region = Region::with_capacity(128 << 20).expect("a region");
    let trimmed = |keep| region.trim_with(keep, |_, len| len);
    assert_eq!(trimmed(0), 128 << 20);
    assert_eq!(trimmed(40 << 20), 88 << 20);
}

#[test]
fn a_limit_above_the_capacity_bounds_slack_and_pressure_by_the_capacity() {
    let region = Region::builder().capacity(1 << 20).limit(usize::MAX).build().expect("a region");
    let heap = Heap::in_region(&region);
    let refused = heap.alloc(bytes(2 << 20)).expect_err("there is no such memory");
    assert_eq!(refused.kind, AllocErrorKind::Fragmented);
    assert_eq!(region.budget().slack(), 64 << 10);
    assert!(region.reserve(2 << 20).is_err());
    let held: Vec<_> = core::iter::from_fn(|| heap.alloc(bytes(4000)).ok()).collect();
    for block in held {
        // SAFETY: live, with its layout.
        unsafe { heap.free(block.cast(), bytes(4000)) };
    }
    for _ in 0..10_000 {
        let block = heap.alloc(bytes(100)).expect("a block");
        // SAFETY: live, with its layout.
        unsafe { heap.free(block.cast(), bytes(100)) };
    }
    assert!(region.stats().leased > 0, "pressure has ended");
}

#[test]
fn a_reservation_gets_what_ended_threads_left_idle() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let heap = Heap::in_region(&region);
    let other = heap.clone();
    std::thread::spawn(move || {
        let blocks: Vec<_> = (0..32).map(|_| other.alloc(bytes(256)).expect("a block")).collect();
        for block in blocks {
            // SAFETY: live, with its layout.
            unsafe { other.free(block.cast(), bytes(256)) };
        }
    })
    .join()
    .expect("the thread ends");
    assert!(region.memory_usage() > 0, "its shard is idle");
    let reservation = region.reserve(1 << 20).expect("nothing is live");
    assert_eq!((reservation.remaining(), region.memory_usage()), (1 << 20, 1 << 20));
    drop(reservation);
    assert_eq!(region.memory_usage(), 0);
}

#[test]
fn a_request_gets_what_its_own_thread_holds_idle_in_another_heap() {
    let region = Region::with_capacity(64 << 10).expect("a region");
    let (idle, wanting) = (Heap::in_region(&region), Heap::in_region(&region));
    let block = idle.alloc(bytes(256)).expect("a block");
    // SAFETY: live, with its layout.
    unsafe { idle.free(block.cast(), bytes(256)) };
    assert!(idle.memory_usage() > 0);
    let block = wanting.alloc(bytes(64)).expect("a block");
    // SAFETY: live, with its layout.
    unsafe { wanting.free(block.cast(), bytes(64)) };
    assert!(wanting.alloc(bytes(64 << 10)).is_ok(), "nothing is live");
}

// ---- how often sets are asked ---------------------------------------------------------------------------------------

/// A set that has something idle in one place, a few times, and counts how often it is asked. There is no memory
/// behind it.
struct Idle {
    budget: Budget,
    links: Links,
    source: Source,
    left: AtomicUsize,
    asked: AtomicUsize,
}

// SAFETY: `links` is used under the region's lock only.
unsafe impl Sync for Idle {}

impl Idle {
    fn had(&self, source: Source) -> bool {
        self.asked.fetch_add(1, Relaxed);
        let left = self.left.load(Relaxed);
        let had = source == self.source && left > 0;
        self.left.store(left - usize::from(had), Relaxed);
        had
    }
}

impl ShardSet for Idle {
    fn budget(&self) -> &Budget {
        &self.budget
    }
    fn links(&self) -> &Links {
        &self.links
    }
    fn metadata_bytes(&self) -> usize {
        0
    }
    fn drain_one(&self, _section: &mut Section<'_>) -> bool {
        self.had(Source::Depots)
    }
    fn drain_quarantine(&self, section: &mut Section<'_>) -> bool {
        let had = self.had(Source::Waiting);
        if had {
            section.end_wait(Extent::new(0, 1));
        }
        had
    }
    fn drain_owned(&self, _section: &mut Section<'_>, _owner: Token) -> bool {
        self.had(Source::Owned)
    }
    fn sweep_one(&self, _section: &mut Section<'_>) -> Sweep {
        if self.had(Source::Ended) { Sweep::GaveBack } else { Sweep::Clean }
    }
}

/// Lets `empty` run in a region with many sets of which some have something idle at `source`; then nothing is left, and
/// each was asked a few times.
fn every_set_is_asked_a_few_times(source: Source, empty: impl Fn(&Region, &Heap)) {
    const SETS: usize = 1_000;
    let region = Region::with_capacity(1 << 20).expect("a region");
    let (heap, full) = (Heap::in_region(&region), Heap::in_region(&region));
    // This thread has a token, another one has ended since the last sweep, and the region is full; what is leased might
    // be given back.
    let first = heap.alloc(bytes(16)).expect("a block");
    heap.flush();
    let other = heap.clone();
    std::thread::spawn(move || _ = other.alloc(bytes(16)).expect("a block")).join().expect("no panic");
    let rest = (1 << 20) - region.memory_usage() - 4096;
    let filler = full.alloc(bytes(rest)).expect("free").cast();
    assert!(region.budget().grant(32 << 10));
    let sets: Vec<_> = (0..SETS)
        .map(|n| {
            Box::pin(Idle {
                budget: Budget::new(usize::MAX, 1 << 20, 16),
                links: Links::default(),
                source,
                left: AtomicUsize::new(if n % 3 == 0 { 3 } else { 0 }),
                asked: AtomicUsize::new(0),
            })
        })
        .collect();
    for set in &sets {
        // SAFETY: `register`'s contract: pinned, and unregistered below.
        region.section(|section| unsafe { section.register(core::ptr::NonNull::<Idle>::from(&**set)) });
    }
    if source == Source::Waiting {
        let count = u32::try_from(SETS).expect("few");
        region.section(|section| section.begin_wait(Extent::new(0, count.div_ceil(3) * 3)));
    }
    empty(&region, &heap);
    let sum = |figure: fn(&Idle) -> &AtomicUsize| sets.iter().map(|set| figure(set).load(Relaxed)).sum::<usize>();
    assert_eq!(sum(|set| &set.left), 0, "{source:?}");
    let asked = sum(|set| &set.asked);
    assert!(asked <= 20 * SETS, "{source:?}: asked {asked} times");
    for set in &sets {
        region.section(|section| section.unregister(&**set));
    }
    region.budget().end_lease(32 << 10);
    // SAFETY: live, with its layout.
    unsafe { full.free(filler, bytes(rest)) };
    // SAFETY: as above.
    unsafe { heap.free(first.cast(), bytes(16)) };
}

#[test]
fn a_refusal_asks_each_set_a_few_times() {
    for source in [Source::Waiting, Source::Depots, Source::Owned, Source::Ended] {
        every_set_is_asked_a_few_times(source, |_, heap| assert!(heap.alloc(bytes(8192)).is_err()));
    }
}

#[test]
fn a_refused_reservation_and_a_sweep_ask_each_set_a_few_times() {
    for source in [Source::Waiting, Source::Depots, Source::Ended] {
        every_set_is_asked_a_few_times(source, |region, _| assert!(region.reserve(8192).is_err()));
    }
    every_set_is_asked_a_few_times(Source::Ended, |region, _| region.sweep());
}

/// A set in which others cache again whatever is taken: in a depot while there is no pressure, in a quarantine always.
struct Endless {
    budget: Budget,
    links: Links,
    source: Source,
    taken: AtomicUsize,
}

// SAFETY: `links` is used under the region's lock only.
unsafe impl Sync for Endless {}

/// Where the others give up, so that a request which does not ends too.
const GIVE_UP: usize = 100_000;

impl Endless {
    fn had(&self, source: Source) -> bool {
        let had = source == self.source && self.taken.load(Relaxed) < GIVE_UP;
        self.taken.fetch_add(usize::from(had), Relaxed);
        had
    }
}

impl ShardSet for Endless {
    fn budget(&self) -> &Budget {
        &self.budget
    }
    fn links(&self) -> &Links {
        &self.links
    }
    fn metadata_bytes(&self) -> usize {
        0
    }
    fn drain_one(&self, section: &mut Section<'_>) -> bool {
        !section.shared.budget.pressed() && self.had(Source::Depots)
    }
    fn drain_quarantine(&self, _section: &mut Section<'_>) -> bool {
        self.had(Source::Waiting)
    }
}

/// What `ask` asks for, in a region of which every second range of 32 KiB is free, is refused after a bounded number of
/// rounds, however much others cache meanwhile.
fn ends_beside_others(source: Source, ask: impl Fn(&Region, &Heap)) {
    const PIECE: usize = 32 << 10;
    let region = Region::with_capacity(1 << 20).expect("a region");
    let heap = Heap::in_region(&region);
    let mut pieces: Vec<_> = (0..32).map(|_| heap.alloc(bytes(PIECE)).expect("room").cast()).collect();
    pieces.sort_unstable();
    let freed: Vec<_> = pieces.iter().copied().step_by(2).collect();
    for piece in &freed {
        // SAFETY: live, with its layout.
        unsafe { heap.free(*piece, bytes(PIECE)) };
    }
    let (budget, links) = (Budget::new(usize::MAX, 1 << 20, 16), Links::default());
    let others = Box::pin(Endless { budget, links, source, taken: AtomicUsize::new(0) });
    // SAFETY: `register`'s contract: pinned, and unregistered below.
    region.section(|section| unsafe { section.register(core::ptr::NonNull::<Endless>::from(&*others)) });
    let idle = 4 << 10;
    if source == Source::Waiting {
        region.section(|section| section.begin_wait(Extent::new(0, 256)));
    } else {
        assert!(region.budget().grant(idle));
    }
    ask(&region, &heap);
    let taken = others.taken.load(Relaxed);
    assert!(taken > 0, "{source:?}: something was idle");
    // A round gives back a granule at least; growth asks twice, for a new place and for room beside the old one.
    assert!(taken <= 8 * idle / 16, "{source:?}: {taken} rounds");
    assert!(region.budget().pressed(), "{source:?}");
    region.section(|section| section.unregister(&*others));
    if source == Source::Waiting {
        region.section(|section| section.end_wait(Extent::new(0, 256)));
    } else {
        region.budget().end_lease(idle);
    }
    for piece in pieces.iter().filter(|piece| !freed.contains(piece)) {
        // SAFETY: live, with its layout.
        unsafe { heap.free(*piece, bytes(PIECE)) };
    }
    assert_eq!(region.memory_usage(), 0);
}

#[test]
fn requests_end_beside_others_that_cache() {
    // A request up to 1/16 of the limit begins pressure at once.
    ends_beside_others(Source::Waiting, |_, heap| assert!(heap.alloc(bytes(48 << 10)).is_err()));
    for source in [Source::Depots, Source::Waiting] {
        ends_beside_others(source, |_, heap| assert!(heap.alloc(bytes(160 << 10)).is_err()));
        ends_beside_others(source, |region, _| assert!(region.reserve(514 << 10).is_err()));
    }
}

#[test]
fn growth_ends_beside_others_that_cache() {
    for source in [Source::Depots, Source::Waiting] {
        ends_beside_others(source, |region, heap| {
            let block = heap.alloc(bytes(20 << 10)).expect("a piece is free").cast();
            // SAFETY: live, with its layout.
            assert!(unsafe { heap.grow(block, bytes(20 << 10), bytes(160 << 10)) }.is_err());
            // SAFETY: as above.
            unsafe { heap.free(block, bytes(20 << 10)) };
            assert!(region.memory_usage() > 0);
        });
    }
}

/// A set that goes may be the one at which a walk would begin.
#[test]
fn sets_that_go_are_asked_no_more() {
    every_set_is_asked_a_few_times(Source::Depots, |region, heap| {
        for _ in 0..100 {
            let (one, two) = (Heap::in_region(region), Heap::in_region(region));
            for heap in [&one, &two] {
                let block = heap.alloc(bytes(64)).expect("a block");
                // SAFETY: live, with its layout.
                unsafe { heap.free(block.cast(), bytes(64)) };
            }
            region.section(|section| _ = section.drain_any());
            drop(two);
            region.section(|section| _ = section.drain_any());
            drop(one);
        }
        assert!(heap.alloc(bytes(8192)).is_err());
    });
}
