//! Model 7: what a thread wrote to a block before it freed it is seen by the thread that is given the block next,
//! whichever way the block went.
//!
//! Breaks it: `push`'s Release, `pop`'s first Acquire (through the depot), `region.unlocked` (through the region's
//! lock).

use super::support::harness::{BOUNDED, Blocks, SMALL, explore};
use super::support::heaps::Fixture;
use crate::sync::forced_weak_failure;

struct State {
    fixture: Fixture,
    blocks: Blocks,
    held: Vec<u32>,
}

impl State {
    /// A state in which thread 0 holds `count` blocks of `bytes` bytes.
    fn new(fixture: Fixture, bytes: usize, count: usize) -> Self {
        let blocks = Blocks::new(fixture.region().capacity() / 16);
        let held: Vec<u32> = (0..count).map(|_| fixture.take(bytes).expect("an empty region")).collect();
        for &block in &held {
            blocks.hand_out(block as usize);
        }
        Self { fixture, blocks, held }
    }

    fn end(&self) {
        self.fixture.close_everything();
        assert_eq!(self.fixture.region().memory_usage(), 0);
    }
}

/// Thread 0 writes to its blocks and frees them.
fn free_all(state: &State, bytes: usize) {
    for &block in &state.held {
        state.blocks.free(block as usize);
        state.fixture.free(0, block, bytes);
    }
}

/// Thread 1 allocates, writes, frees.
fn use_one(state: &State, bytes: usize) {
    let Some(block) = state.fixture.alloc(1, bytes) else { return };
    state.blocks.hand_out(block as usize);
    state.blocks.free(block as usize);
    state.fixture.free(1, block, bytes);
}

/// Thread 0 holds three blocks, and two magazines for one block each.
fn three_blocks() -> State {
    let fixture = Fixture::new(4096, 4096, 16);
    let take = || fixture.take(16).expect("an empty region");
    for block in [take(), take()] {
        fixture.free(0, block, 16);
    }
    for _ in 0..2 {
        let block = fixture.alloc(0, 16).expect("what was just freed");
        fixture.give(block, 16);
    }
    State::new(fixture, 16, 3)
}

/// The third free sends the magazine of the first to the depot.
#[test]
fn m07_through_depot() {
    explore(
        "m07_handover::through_depot",
        BOUNDED,
        three_blocks,
        &[|state| free_all(state, 16), |state| use_one(state, 16)],
        State::end,
    );
}

/// As [`m07_through_depot`], where the first exchange of every word fails for no reason.
#[test]
fn m07_weak_failure() {
    forced_weak_failure(true);
    explore(
        "m07_handover::weak_failure",
        BOUNDED,
        three_blocks,
        &[|state| free_all(state, 16), |state| use_one(state, 16)],
        State::end,
    );
    forced_weak_failure(false);
}

/// The only block of the region, too long for a magazine.
#[test]
fn m07_through_region() {
    explore(
        "m07_handover::through_region",
        SMALL,
        || State::new(Fixture::new(4096, 4096, 16), 4096, 1),
        &[|state| free_all(state, 4096), |state| use_one(state, 4096)],
        State::end,
    );
}
