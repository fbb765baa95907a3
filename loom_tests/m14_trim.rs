//! Model 14: while the system takes the pages of a free extent nobody is given it, and nobody who fits is refused.
//!
//! Breaks it: `trim.refused-beside`, `trim.left-in-index`.

use super::support::harness::{Blocks, Role, SMALL, WAITING, explore};
use super::support::heaps::{Fixture, units};
use crate::base::extent::Extent;

/// The model sees memory in units of this many bytes, and extents of one unit are long enough to be trimmed.
const UNIT: usize = 1024;

struct State {
    fixture: Fixture,
    units: Blocks,
    /// The half that is handed out all the time.
    low: u32,
}

/// Half of the region is free.
fn make() -> State {
    let fixture = Fixture::new(4 * UNIT, 4 * UNIT, 16);
    let low = fixture.take(2 * UNIT).expect("an empty region");
    assert_eq!(low % 64, 0, "on a unit's edge");
    State { fixture, units: Blocks::new(4), low }
}

fn trim(state: &State) {
    state.fixture.region().trim_with(0, |offset, len| {
        let pages = offset / UNIT..(offset + len) / UNIT;
        pages.clone().for_each(|unit| state.units.hand_out(unit));
        pages.for_each(|unit| state.units.free(unit));
        len
    });
}

/// A request for `count` units, which are free.
fn request(state: &State, count: u32) -> u32 {
    let block = state.fixture.take(count as usize * UNIT).expect("refused beside memory that is being trimmed");
    units(Extent::new(block, count * 64), UNIT).for_each(|unit| state.units.hand_out(unit));
    block
}

/// As [`request`], and gives the block back.
fn request_and_give(state: &State, count: u32) {
    let block = request(state, count);
    units(Extent::new(block, count * 64), UNIT).for_each(|unit| state.units.free(unit));
    state.fixture.give(block, count as usize * UNIT);
}

/// The roles have kept what they were given.
fn check_kept(state: &State) {
    for unit in (0..4).filter(|unit| unit * 64 != state.low && unit * 64 != state.low + 64) {
        state.units.free(unit as usize);
        state.fixture.give(unit * 64, UNIT);
    }
    check(state);
}

fn check(state: &State) {
    state.fixture.give(state.low, 2 * UNIT);
    assert_eq!(state.fixture.region().memory_usage(), 0);
}

#[test]
fn m14_trim_beside_a_request() {
    explore("m14_trim::trim_beside_a_request", SMALL, make, &[trim, |state| request_and_give(state, 2)], check);
}

#[test]
fn m14_trim_beside_two_requests() {
    let one: Role<State> = |state| _ = request(state, 1);
    explore("m14_trim::trim_beside_two_requests", WAITING, make, &[trim, one, one], check_kept);
}
