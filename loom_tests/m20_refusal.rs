//! Model 20: a request that is refused without the lock did not fit, and its thread could count on no idle memory. The
//! blocks in a pocket are not lost.
//!
//! Each request under test follows a refused one, so that its thread remembers a look.
//!
//! Breaks it: `published.look-first` (taken), `published.not-counted` (taken, charged),
//! `published.counted-before` (counted), `published.trimming` (trimmed), `published.exits-ignored` (ended),
//! `pocket.kept-at-end` (pocket).
#![expect(unsafe_code, reason = "free takes the caller's word for a block")]

use core::alloc::Layout;
use core::ptr::NonNull;
use std::sync::Mutex;

use super::support::harness::{BOUNDED, HEAVY, explore, region};
use super::support::heaps::{class, layout, stock};
use super::support::threads::{Count, Place};
use crate::depot::magazine::NodeRef;
use crate::heap::Heap;
use crate::region::Region;
use crate::sync::publish;
use crate::thread::by_hand;

const GRANULE: usize = 16;

/// A magazine that one thread pushes while another asks.
struct Ground {
    place: Place,
    node: NodeRef,
}

impl Ground {
    /// Frees `free` granules, of which three are in a full magazine that is not in a depot yet, and `apart` granules
    /// that do not join. The limit allows `allowed` more granules.
    fn new(free: usize, apart: usize, allowed: usize) -> Self {
        let place = Place::new(2, free + 2 * apart);
        stock(&place.heap.inner, &place.region, GRANULE, 3);
        let node = place.heap.inner.caches().expect("a body").depot.pop_full(class(GRANULE)).expect("just pushed");
        let mut blocks: Vec<_> = (0..2 * apart).map(|_| place.alloc().expect("granules are free")).collect();
        blocks.sort_unstable();
        for pair in blocks.chunks(2) {
            place.keep(pair[0]);
            place.free(pair[1]);
        }
        place.region.set_limit(place.region.memory_usage() + allowed * GRANULE);
        Self { place, node }
    }

    fn is_served(&self, granules: usize) -> bool {
        is_served(&self.place, granules)
    }

    fn push(&self) {
        self.place.heap.inner.push_full(class(GRANULE), self.node);
    }

    fn check(&self) {
        self.place.check();
    }
}

/// Whether a request of so many granules is served; what it gets stays.
fn is_served(place: &Place, granules: usize) -> bool {
    let layout = layout(granules * GRANULE);
    let block = place.heap.alloc(layout).ok();
    block.inspect(|block| place.keep_long(block.cast(), layout)).is_some()
}

fn published<S>(make: impl Fn() -> S) -> S {
    publish(true);
    make()
}

/// Makes a magazine idle, then takes what is free.
fn push_and_take(ground: &Ground) {
    by_hand::set_late(true);
    ground.push();
    let _ = ground.is_served(3);
}

/// Asks for more than is free; then for no more than is free, or idle.
fn ask_twice(ground: &Ground) {
    if !ground.is_served(6) {
        assert!(ground.is_served(3), "refused beside what was free, then idle");
    }
}

#[test]
fn m20_taken() {
    let make = || published(|| Ground::new(6, 3, 6));
    explore("m20_refusal::taken", BOUNDED, make, &[push_and_take, ask_twice], Ground::check);
}

/// The limit leaves three granules.
#[test]
fn m20_charged() {
    let make = || published(|| Ground::new(12, 0, 3));
    explore("m20_refusal::charged", BOUNDED, make, &[push_and_take, ask_twice], Ground::check);
}

/// A look that runs beside a push, by a thread that then hears of the push.
#[test]
fn m20_counted() {
    static AFTER: Count = Count::new();
    let push_and_tell = |ground: &Ground| {
        ground.push();
        ground.place.tell(1);
    };
    let ask = |ground: &Ground| {
        if !ground.is_served(3) && ground.place.told() == 1 {
            AFTER.hit();
            assert!(ground.is_served(3), "refused beside a magazine that it knows of");
        }
    };
    let make = || published(|| Ground::new(3, 0, 0));
    explore("m20_refusal::counted", BOUNDED, make, &[push_and_tell, ask], Ground::check);
    AFTER.happened("refused, then served");
}

// ---- trimming ---------------------------------------------------------------------------------------------------

/// Two extents of a unit are free, so far apart that they never join.
struct Apart {
    region: Region,
    heap: Heap,
    taken: Vec<NonNull<u8>>,
    kept: Mutex<Vec<NonNull<u8>>>,
}

// SAFETY: the pointers are addresses in the region, which is Send and Sync.
unsafe impl Send for Apart {}
// SAFETY: as for Send.
unsafe impl Sync for Apart {}

const UNIT: Layout = Layout::new::<[u8; 1024]>();
const UNITS: usize = 32;

impl Apart {
    fn new() -> Self {
        by_hand::set_late(true);
        let region = region(UNITS * UNIT.size());
        let heap = Heap::with_shards(&region, 2);
        let mut taken: Vec<_> = (0..UNITS).map(|_| heap.alloc(UNIT).expect("an empty region").cast()).collect();
        for at in [9, 4] {
            // SAFETY: allocated with this layout, and freed once.
            unsafe { heap.free(taken.remove(at), UNIT) };
        }
        Self { region, heap, taken, kept: Mutex::default() }
    }

    fn is_served(&self) -> bool {
        let block = self.heap.alloc(UNIT).ok();
        self.kept.lock().expect("no role panics with it").extend(block.map(NonNull::cast::<u8>));
        block.is_some()
    }

    fn check(&self) {
        let kept: Vec<_> = self.kept.lock().expect("no role panics with it").drain(..).collect();
        // SAFETY: each was allocated with this layout, and is freed once.
        self.taken.iter().copied().chain(kept).for_each(|block| unsafe { self.heap.free(block, UNIT) });
        by_hand::end_all();
        self.heap.flush();
        assert_eq!((self.region.memory_usage(), self.region.budget().leased()), (0, 0));
    }
}

#[test]
fn m20_trimmed() {
    let trim = |apart: &Apart| _ = apart.region.trim_with(0, |_, len| len);
    let ask = |apart: &Apart| {
        assert!(apart.heap.has_shard());
        for _ in 0..2 {
            // A unit that is served is long enough to end the pressure.
            assert!(apart.heap.alloc(layout(2 * UNIT.size())).is_err(), "no two units are joined");
            assert!(apart.is_served(), "refused beside what was being trimmed");
        }
    };
    explore("m20_refusal::trimmed", HEAVY, || published(Apart::new), &[trim, ask], Apart::check);
}

// ---- threads that end -------------------------------------------------------------------------------------------

/// A look beside a living thread's magazine does not hold once that thread has ended.
#[test]
fn m20_ended() {
    static AFTER: Count = Count::new();
    let use_and_end = |place: &Place| {
        place.use_and_end();
        place.tell(1);
    };
    let ask = |place: &Place| {
        if !place.is_ready() {
            return;
        }
        if !is_served(place, 2) && place.told() == 1 {
            AFTER.hit();
            assert!(is_served(place, 2), "refused beside the memory of a thread known to have ended");
        }
    };
    let make = || published(|| Place::new(2, 2));
    explore("m20_refusal::ended", BOUNDED, make, &[use_and_end, ask], Place::check);
    AFTER.happened("refused, then served");
}

/// A block between two granules that are free, for a thread that is refused more than either.
struct Between {
    place: Place,
    block: NonNull<u8>,
}

// SAFETY: the pointer is an address in the region, which is Send and Sync.
unsafe impl Send for Between {}
// SAFETY: as for Send.
unsafe impl Sync for Between {}

impl Between {
    fn new() -> Self {
        let place = Place::new(1, 3);
        let mut blocks = [(); 3].map(|()| place.alloc().expect("three granules are free"));
        blocks.sort_unstable();
        let [below, block, above] = blocks;
        place.free(below);
        place.free(above);
        Self { place, block }
    }
}

/// What an ended thread has left in its pocket is given to others, and its lease ends.
#[test]
fn m20_pocket() {
    static GIVEN: Count = Count::new();
    let free_and_end = |Between { place, block }: &Between| {
        assert!(!is_served(place, 2), "no two granules are joined");
        let before = place.region.memory_usage();
        place.free(*block);
        GIVEN.hit_if(place.region.memory_usage() == before);
        place.end();
        place.tell(1);
    };
    let ask = |Between { place, .. }: &Between| {
        by_hand::set_late(true);
        if place.told() == 1 {
            assert!(is_served(place, 3), "refused beside the pocket of a thread known to have ended");
        }
    };
    let make = || published(Between::new);
    explore("m20_refusal::pocket", BOUNDED, make, &[free_and_end, ask], |state| state.place.check());
    GIVEN.happened("freed into the pocket");
}
