//! Model 8: a lease that was granted beside the beginning of pressure is returned at its shard's next slow path;
//! pressure ends once enough was refunded, by any thread, and not before.
//!
//! Breaks it: `pressure.seen-after-grant` (no lease), `pressure.kept-by-refunds` (ended),
//! `pressure.ended-by-any-refund` (kept).

use std::sync::atomic::{AtomicBool, Ordering};

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
    let pocket = state.fixture.shard(0).pocket_lease();
    assert_eq!(state.fixture.shard(0).held(), pocket, "a magazine's lease has outlived the beginning of pressure");
    assert_eq!((state.fixture.budget.leased(), state.fixture.region().budget().leased()), (pocket, pocket));
    state.fixture.close_everything();
    state.fixture.give(state.filler.0, state.filler.1);
    assert_eq!(state.fixture.region().memory_usage(), 0);
}

#[test]
fn m08_no_lease_outlives_pressure() {
    explore("m08_pressure::no_lease_outlives_pressure", SMALL, make, &[free, be_refused], check);
}

// ---- ended by refunds -------------------------------------------------------------------------------------------

/// Bytes that must be free, and half as much that must have been refunded.
const RELIEF: usize = LIMIT / 8;
const LIMIT: usize = 2048;

/// Two blocks, of which each thread frees one.
struct Freed {
    fixture: Fixture,
    filler: (u32, usize),
    blocks: [u32; 2],
    bytes: usize,
    refused: AtomicBool,
}

/// All memory is handed out, `bytes` of it to each thread.
fn freed(bytes: usize) -> Freed {
    let fixture = Fixture::new(4096, LIMIT, 16);
    let blocks = [(); 2].map(|()| fixture.take(bytes).expect("an empty region"));
    let filler = fixture.fill(0);
    Freed { fixture, filler, blocks, bytes, refused: AtomicBool::new(false) }
}

impl Freed {
    fn free(&self, which: usize) {
        self.fixture.give(self.blocks[which], self.bytes);
    }

    /// A request that may be refused, and gives back what it is given.
    fn ask(&self, bytes: usize) {
        match self.fixture.take(bytes) {
            Some(block) => self.fixture.give(block, bytes),
            None => self.refused.store(true, Ordering::Relaxed),
        }
    }

    fn has_pressure(&self) -> bool {
        self.fixture.budget.pressure_with(self.fixture.region().budget()).on
    }

    fn end(&self) {
        self.fixture.give(self.filler.0, self.filler.1);
        assert_eq!(self.fixture.region().memory_usage(), 0);
        assert!(!self.has_pressure(), "all is free");
    }
}

/// Pressure has begun before. It takes both refunds to end it.
#[test]
fn m08_ended_by_two_refunds() {
    let make = || {
        let state = freed(RELIEF / 2);
        state.ask(16);
        assert!(state.has_pressure());
        state
    };
    explore("m08_pressure::two_refunds", SMALL, make, &[|state| state.free(0), |state| state.free(1)], |state| {
        assert!(!state.has_pressure(), "pressure is left on");
        state.end();
    });
}

/// Whenever a request is refused, what is refunded after it ends the pressure.
#[test]
fn m08_refused_beside_a_refund() {
    let make = || freed(RELIEF);
    explore("m08_pressure::beside_a_refund", SMALL, make, &[|state| state.free(0), |state| state.ask(16)], |state| {
        assert!(!state.has_pressure(), "pressure is left on");
        state.free(1);
        state.end();
    });
}

/// A refusal beside refunds that are not enough: the pressure that it has begun stays.
#[test]
fn m08_kept_beside_small_refunds() {
    let make = || freed(16);
    let frees = |state: &Freed| {
        state.free(0);
        state.free(1);
    };
    explore("m08_pressure::small_refunds", SMALL, make, &[frees, |state| state.ask(48)], |state| {
        assert!(state.refused.load(Ordering::Relaxed), "48 bytes are never free");
        assert!(state.has_pressure(), "pressure has ended too early");
        state.end();
    });
}
