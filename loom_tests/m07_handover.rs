//! Model 7: what a thread wrote to a block before it freed it is seen by the thread that is given the block next,
//! whichever way the block went.
//!
//! Breaks it: `depot.push`, `depot.pop.load` (through the depot), `rule.region.unlocked` (through the region's lock).

use super::fixture::Fixture;
use super::harness::{BOUNDED, Blocks, SMALL, explore};

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
        held.iter().for_each(|&block| blocks.hand_out(block as usize));
        Self { fixture, blocks, held }
    }

    /// Thread 0 writes to its blocks and frees them.
    fn free_all(&self, bytes: usize) {
        for &block in &self.held {
            self.blocks.free(block as usize);
            self.fixture.free(0, block, bytes);
        }
    }

    /// Thread 1 allocates, writes, frees.
    fn use_one(&self, bytes: usize) {
        let Some(block) = self.fixture.alloc(1, bytes) else { return };
        self.blocks.hand_out(block as usize);
        self.blocks.free(block as usize);
        self.fixture.free(1, block, bytes);
    }

    fn end(&self) {
        self.fixture.close_everything();
        assert_eq!(self.fixture.region().memory_usage(), 0);
    }
}

/// Thread 0 holds three blocks, and two magazines for one block each.
fn three_blocks() -> State {
    let fixture = Fixture::new(4096, 4096, 16);
    let take = || fixture.take(16).expect("an empty region");
    [take(), take()].iter().for_each(|&block| fixture.free(0, block, 16));
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
        &[|state: &State| state.free_all(16), |state: &State| state.use_one(16)],
        State::end,
    );
}

/// The only block of the region, too long for a magazine.
#[test]
fn m07_through_region() {
    explore(
        "m07_handover::through_region",
        SMALL,
        || State::new(Fixture::new(4096, 4096, 16), 4096, 1),
        &[|state: &State| state.free_all(4096), |state: &State| state.use_one(4096)],
        State::end,
    );
}
