//! Model 6: a lease travels with its magazine: granted to the thread that opened it and grew it, through the depot,
//! ended by another thread; the drop of the heap ends the others.
//!
//! Breaks it: `lease.growth-without-lease` (the word wraps below zero).

use super::support::harness::{BOUNDED, explore};
use super::support::heaps::{Fixture, class};
use crate::region::shards::OwnedShard;

struct State {
    fixture: Fixture,
    first: u32,
}

/// Thread 0 has a magazine for one block, and that block.
fn make() -> State {
    let fixture = Fixture::new(16 * 1024, 16 * 1024, 16);
    let first = fixture.alloc(0, 16).expect("an empty region");
    State { fixture, first }
}

/// Grows its magazine, fills it, pushes it.
fn grow_and_push(state: &State) {
    let (fixture, shard) = (&state.fixture, state.fixture.shard(0));
    let second = fixture.alloc(0, 16).expect("a nearly empty region");
    assert_eq!(fixture.node(shard.loaded(class(16))).cap(), 2, "grown");
    fixture.free(0, second, 16);
    fixture.free(0, state.first, 16);
    let depot = &fixture.made().expect("a body").depot;
    shard.enter();
    let node = shard.take_from(&depot.nodes, &mut 0, u32::MAX).expect("the grown magazine");
    depot.push_full(class(16), node);
}

/// Takes a block, out of the depot if something is there, frees it and closes its magazine.
fn pop_and_close(state: &State) {
    let (fixture, shard) = (&state.fixture, state.fixture.shard(1));
    let block = fixture.alloc(1, 16).expect("a nearly empty region");
    fixture.free(1, block, 16);
    shard.enter();
    fixture.close_all(fixture.made().expect("a body"), shard);
}

#[test]
fn m06_lease_travels() {
    explore("m06_travel::lease_travels", BOUNDED, make, &[grow_and_push, pop_and_close], |state| {
        let (own, region) = (state.fixture.budget.leased(), state.fixture.region().budget().leased());
        assert!(own == region && (own == 0 || own == 32), "{own} and {region} bytes leased");
    });
}
