//! Model 8: a lease that was granted beside the beginning of pressure is returned at its shard's next slow path.
//!
//! Breaks it: `pressure.seen-after-grant`.

use super::support::harness::{SMALL, explore};
use super::support::heaps::Fixture;

struct State {
    fixture: Fixture,
    filler: (u32, usize),
    /// Two blocks of thread 0: one to free beside the refusal, one to free after it.
    beside: u32,
    after: u32,
}

/// All memory is handed out.
fn make() -> State {
    let fixture = Fixture::new(4096, 2048, 16);
    let [beside, after] = [16, 32].map(|bytes| fixture.take(bytes).expect("an empty region"));
    let filler = fixture.fill(0);
    State { fixture, filler, beside, after }
}

/// Opens a magazine for the freed block, unless there is pressure.
fn free(state: &State) {
    state.fixture.free(0, state.beside, 16);
}

/// Is refused: pressure begins.
fn be_refused(state: &State) {
    assert!(state.fixture.alloc(1, 48).is_none(), "there is no room for 48 bytes");
}

/// One more slow path of thread 0.
fn check(state: &State) {
    state.fixture.free(0, state.after, 32);
    assert_eq!(state.fixture.shard(0).held(), 0, "a lease has outlived the beginning of pressure");
    assert_eq!((state.fixture.budget.leased(), state.fixture.region().budget().leased()), (0, 0));
    state.fixture.give(state.filler.0, state.filler.1);
    assert_eq!(state.fixture.region().memory_usage(), 0);
}

#[test]
fn m08_no_lease_outlives_pressure() {
    explore("m08_pressure::no_lease_outlives_pressure", SMALL, make, &[free, be_refused], check);
}
