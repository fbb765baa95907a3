//! Model 15: scratch stacks that an arena lends are used by one thread at a time, and the next borrower sees what the
//! one before it did to the stack.
//!
//! All threads of a model share one slot: those past their end because they do in the real body too, the others because
//! `PerThread` has one value for all in a model, the worst that slots which are used again can do.
//!
//! Breaks it: `lend`'s Acquire, `give_back`'s Release.

use super::support::arenas::{GRANULE, Ground};
use super::support::harness::{BOUNDED, explore};
use super::support::threads::Count;
use crate::arena::ScratchGuard;
use crate::thread::by_hand;

/// Bytes of a chunk: three blocks of one granule, and its node.
const CHUNK: usize = 64;

fn make() -> Ground {
    Ground::new(1, CHUNK, 16)
}

/// `count` slots are made, of threads past their end if `late`: the model checker does not see the `OnceLock` by which
/// threads come by one.
fn with_slots(count: usize, late: bool) -> Ground {
    let ground = make();
    by_hand::set_late(late);
    let guards: Vec<_> = (0..count).map(|_| ground.arena().scratch()).collect();
    drop(guards);
    by_hand::set_late(true);
    ground
}

/// Allocates in two scopes, one inside the other.
fn use_stack(ground: &Ground, guard: &mut ScratchGuard<'_>) {
    guard.scope(|outer| {
        let first = ground.alloc_from(&outer.blocks(), GRANULE).expect("memory is free");
        outer.scope(|inner| {
            let second = ground.alloc_from(&inner.blocks(), GRANULE).expect("memory is free");
            ground.put_down(second);
        });
        ground.put_down(first);
    });
}

/// Borrows a stack, uses it, gives it back.
fn borrow(ground: &Ground) {
    use_stack(ground, &mut ground.arena().scratch());
}

/// One stack is used again, or there are two; each keeps its chunk.
fn check(ground: &Ground, again: &Count, beside: &Count) {
    let usage = ground.usage();
    again.hit_if(usage == CHUNK);
    beside.hit_if(usage == 2 * CHUNK);
    assert!(usage == CHUNK || usage == 2 * CHUNK, "{usage} bytes in one or two chunks");
    assert_eq!(ground.arena().leased(), usage, "what is idle is leased");
}

#[test]
fn m15_recycled() {
    static AGAIN: Count = Count::new();
    static BESIDE: Count = Count::new();
    explore(
        "m15_scratch::recycled",
        BOUNDED,
        || with_slots(2, false),
        &[borrow, borrow],
        |ground| check(ground, &AGAIN, &BESIDE),
    );
    AGAIN.happened("one stack was used by both");
    BESIDE.happened("each used a stack of its own");
}

#[test]
fn m15_late() {
    static AGAIN: Count = Count::new();
    static BESIDE: Count = Count::new();
    let late = |ground: &Ground| {
        by_hand::set_late(true);
        borrow(ground);
    };
    explore(
        "m15_scratch::late",
        BOUNDED,
        || with_slots(2, true),
        &[late, late],
        |ground| check(ground, &AGAIN, &BESIDE),
    );
    AGAIN.happened("one stack was used by both");
    BESIDE.happened("each used a stack of its own");
}

/// Nested guards of one thread have stacks of their own, beside another thread that borrows one.
#[test]
fn m15_nested() {
    static TWO: Count = Count::new();
    static THREE: Count = Count::new();
    let nests = |ground: &Ground| {
        let mut outer = ground.arena().scratch();
        outer.scope(|scope| {
            let block = ground.alloc_from(&scope.blocks(), GRANULE).expect("memory is free");
            borrow(ground);
            ground.put_down(block);
        });
    };
    explore(
        "m15_scratch::nested",
        BOUNDED,
        || with_slots(3, false),
        &[nests, borrow],
        |ground| {
            TWO.hit_if(ground.usage() == 2 * CHUNK);
            THREE.hit_if(ground.usage() == 3 * CHUNK);
            assert_eq!(ground.arena().leased(), ground.usage(), "what is idle is leased");
        },
    );
    TWO.happened("a stack was used again");
    THREE.happened("three stacks at once");
}
