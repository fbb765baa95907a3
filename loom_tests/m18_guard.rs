//! Model 18: in guard mode nobody is refused beside what waits or moves, and nobody is given hidden memory.
//!
//! Breaks it: `guard.refused-beside` (a free beside a request), `guard.refused-beside-moving` (both, each by itself),
//! `guard.given-back-hidden` (two requests).

use std::sync::Arc;

use loom::sync::atomic::{AtomicUsize, Ordering};

use super::support::harness::{Blocks, Role, SMALL, explore, guarded_region};
use super::support::heaps::{Fixture, units};
use crate::base::extent::Extent;
use crate::base::size_class::GRANULE_BYTES;

/// The model sees memory in units of one page of the system's.
const GRANULES: u32 = 256;
const UNIT: usize = GRANULES as usize * GRANULE_BYTES;
const NONE: usize = usize::MAX;

struct State {
    fixture: Fixture,
    units: Arc<Blocks>,
    /// What is handed out all the time.
    kept: u32,
    /// Two units, handed out at first.
    freed: u32,
    /// What was given to each of two requests.
    given: [AtomicUsize; 2],
}

/// Half of the region is handed out for good, the other half to be freed.
fn make() -> State {
    let units = Arc::new(Blocks::new(4));
    let pages = Arc::clone(&units);
    // Whoever hides or shows pages has them alone, and nobody is given them meanwhile.
    let region = guarded_region(4 * UNIT, move |_hidden, offset, len| {
        let pages_of_it = offset / UNIT..(offset + len) / UNIT;
        pages_of_it.clone().for_each(|unit| pages.hand_out(unit));
        pages_of_it.for_each(|unit| pages.free(unit));
    });
    let fixture = Fixture::on(region);
    let [kept, freed] = [(); 2].map(|()| fixture.take(2 * UNIT).expect("an empty region"));
    let state = State { fixture, units, kept, freed, given: [AtomicUsize::new(NONE), AtomicUsize::new(NONE)] };
    state.hand_out(freed, 2);
    state
}

/// The half that is not kept waits in the quarantine.
fn make_waiting() -> State {
    let state = make();
    free(&state);
    assert_eq!(state.fixture.region().stats().quarantined, 2 * UNIT);
    state
}

impl State {
    fn hand_out(&self, granule: u32, count: u32) {
        units(Extent::new(granule, count * GRANULES), UNIT).for_each(|unit| self.units.hand_out(unit));
    }

    fn give(&self, granule: u32, count: u32) {
        units(Extent::new(granule, count * GRANULES), UNIT).for_each(|unit| self.units.free(unit));
        self.fixture.give(granule, count as usize * UNIT);
    }

    /// Request number `which`, for `count` units; says whether it was served.
    fn request(&self, which: usize, count: u32) -> bool {
        let Some(granule) = self.fixture.take(count as usize * UNIT) else { return false };
        self.hand_out(granule, count);
        self.given[which].store(granule as usize, Ordering::Relaxed);
        true
    }
}

/// Frees two units, which then wait.
fn free(state: &State) {
    state.give(state.freed, 2);
}

/// A request that only the freed memory can serve.
fn request_freed(state: &State) {
    let is_quarantined = state.fixture.region().stats().quarantined > 0;
    let served = state.request(0, 2);
    assert!(served || !is_quarantined, "refused beside what waits or moves");
}

/// All comes back; nothing is charged when the quarantine is empty.
#[expect(clippy::cast_possible_truncation, reason = "a granule was stored")]
fn check(state: &State, count: u32) {
    for given in &state.given {
        let granule = given.load(Ordering::Relaxed);
        if granule != NONE {
            state.give(granule as u32, count);
        }
    }
    state.fixture.give(state.kept, 2 * UNIT);
    let region = state.fixture.region();
    let waiting = region.stats().quarantined;
    assert_eq!(region.memory_usage(), waiting);
    region.verify().expect("every byte is in one place");
    assert_eq!(region.flush_quarantine(), waiting);
    assert_eq!(region.memory_usage(), 0);
}

#[test]
fn m18_free_beside_a_request() {
    explore("m18_guard::free_beside_a_request", SMALL, make, &[free, request_freed], |state| check(state, 2));
}

#[test]
fn m18_two_requests_beside_what_waits() {
    let roles: [Role<State>; 2] = [
        |state| assert!(state.request(0, 1), "refused beside what waits or moves"),
        |state| assert!(state.request(1, 1), "refused beside what waits or moves"),
    ];
    explore("m18_guard::two_requests", SMALL, make_waiting, &roles, |state| check(state, 1));
}

/// Of two that are freed one may wait: the second pushes the first out, or neither the other.
fn make_apart() -> State {
    let state = make();
    state.give(state.freed, 2);
    assert!(state.request(0, 1) && state.request(1, 1), "what waited is free");
    state
}

#[expect(clippy::cast_possible_truncation, reason = "a granule was stored")]
fn free_one(state: &State, which: usize) {
    state.give(state.given[which].load(Ordering::Relaxed) as u32, 1);
    state.given[which].store(NONE, Ordering::Relaxed);
}

#[test]
fn m18_two_frees() {
    let roles: [Role<State>; 2] = [|state| free_one(state, 0), |state| free_one(state, 1)];
    explore("m18_guard::two_frees", SMALL, make_apart, &roles, |state| {
        assert_eq!(state.fixture.region().stats().quarantined, UNIT, "one waits, one was pushed out");
        check(state, 1);
    });
}
