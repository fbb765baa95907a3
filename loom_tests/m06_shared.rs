//! Model 6: the chunk that threads without a shard bump through together. One of them replaces it when it is
//! exhausted, the others use what it took; what is left of it can be given away at any time; what was written to its
//! bytes before is seen by who is given them.
//!
//! Breaks it: `take`'s Acquire, `replace`'s halves (written before, drained given), `shift`'s halves (last block,
//! grown), `shared.replaced-twice` (one grower), `shared.take-once` (weak failure), `shared.replace-unchecked`
//! (drained).

use super::support::arenas::{GRANULE, Ground};
use super::support::harness::{BOUNDED, Bounds, SMALL, explore};
use super::support::threads::Count;
use crate::sync::forced_weak_failure;
use crate::thread::by_hand;

/// Bytes of a chunk: three blocks of one granule, and its node.
const CHUNK: usize = 64;

/// A request of a thread without a shard.
fn take(ground: &Ground, bytes: usize) -> bool {
    by_hand::set_late(true);
    ground.alloc(bytes).is_some()
}

fn take_and_tell(ground: &Ground) {
    if take(ground, GRANULE) {
        ground.tell(1);
    }
}

fn take_surely(ground: &Ground, bytes: usize) {
    assert!(take(ground, bytes), "refused beside free memory");
}

// ---- replaced ---------------------------------------------------------------------------------------------------

fn one_grower(name: &str, bounds: &Bounds) {
    let takes = |ground: &Ground| take_surely(ground, GRANULE);
    explore(
        name,
        bounds,
        || Ground::new(1, CHUNK, 16),
        &[takes, takes],
        |ground| {
            assert_eq!(ground.usage(), CHUNK, "both are served from one chunk");
        },
    );
}

#[test]
fn m06_one_grower() {
    one_grower("m06_shared::one_grower", BOUNDED);
}

/// Where the first exchange of the word fails for no reason, the chunk is used all the same.
#[test]
fn m06_weak_failure() {
    forced_weak_failure(true);
    one_grower("m06_shared::weak_failure", BOUNDED);
    forced_weak_failure(false);
}

/// Three blocks of two granules fit a chunk of eight; the granule that the fourth does not fit is given back.
#[test]
fn m06_replaced() {
    let takes = |ground: &Ground| {
        take_surely(ground, 2 * GRANULE);
        take_surely(ground, 2 * GRANULE);
    };
    explore(
        "m06_shared::replaced",
        BOUNDED,
        || Ground::new(1, 2 * CHUNK, 32),
        &[takes, takes],
        |ground| {
            assert_eq!(
                ground.usage(),
                2 * 2 * CHUNK - GRANULE,
                "one chunk after the other, the rest of the first given back"
            );
        },
    );
}

// ---- written before ---------------------------------------------------------------------------------------------

/// All memory is one block of the heap.
fn one_block() -> Ground {
    Ground::new(1, CHUNK, CHUNK / GRANULE).with_heap_blocks(&[CHUNK])
}

/// Writes to the block and frees it.
fn free(ground: &Ground) {
    by_hand::set_late(true);
    ground.heap_free(ground.first[0]);
}

/// The grower has written to the memory before; another takes of it with one exchange.
#[test]
fn m06_written_before() {
    static BOTH: Count = Count::new();
    let grows = |ground: &Ground| {
        free(ground);
        take_and_tell(ground);
    };
    explore("m06_shared::written_before", BOUNDED, one_block, &[grows, take_and_tell], |ground| {
        assert_ne!(ground.told(), 0, "one of both is served");
        BOTH.hit_if(ground.told() == 2);
    });
    BOTH.happened("both served from the new chunk");
}

/// One has written, another grows, a third takes.
#[test]
fn m06_written_by_another() {
    static BOTH: Count = Count::new();
    explore("m06_shared::written_by_another", BOUNDED, one_block, &[free, take_and_tell, take_and_tell], |ground| {
        BOTH.hit_if(ground.told() == 2);
    });
    BOTH.happened("both served from the new chunk");
}

// ---- the last block ---------------------------------------------------------------------------------------------

/// The last block is given back while another takes what is below it, or it.
#[test]
fn m06_last_block() {
    static AGAIN: Count = Count::new();
    let gives = |ground: &Ground| {
        by_hand::set_late(true);
        ground.free(ground.first[0]);
    };
    let takes = |ground: &Ground| {
        by_hand::set_late(true);
        let block = ground.alloc(GRANULE).expect("two granules are free");
        AGAIN.hit_if(block == ground.first[0]);
    };
    let make = || Ground::new(1, CHUNK, 16).with_blocks(&[GRANULE]);
    explore("m06_shared::last_block", SMALL, make, &[gives, takes], |ground| assert_eq!(ground.usage(), CHUNK));
    AGAIN.happened("given what another gave back");
}

/// The last block is cut to its upper half while another takes what is below it, and what was cut.
#[test]
fn m06_cut() {
    static AGAIN: Count = Count::new();
    let cuts = |ground: &Ground| {
        by_hand::set_late(true);
        let cut = ground.resize(ground.first[0], GRANULE).expect("shorter");
        assert!(cut.ptr >= ground.first[0].ptr);
    };
    let takes = |ground: &Ground| {
        by_hand::set_late(true);
        let block = ground.alloc(GRANULE).expect("five granules are free");
        AGAIN.hit_if(block.ptr == ground.first[0].ptr);
    };
    let make = || Ground::new(1, 2 * CHUNK, 16).with_blocks(&[2 * GRANULE]);
    explore("m06_shared::cut", SMALL, make, &[cuts, takes], |ground| assert_eq!(ground.usage(), 2 * CHUNK));
    AGAIN.happened("given what another has cut");
}

/// The last block gives back its room, the one before it, last now, grows into that.
#[test]
fn m06_grown() {
    static GROWN: Count = Count::new();
    let gives = |ground: &Ground| {
        by_hand::set_late(true);
        ground.free(ground.first[1]);
    };
    let grows = |ground: &Ground| {
        by_hand::set_late(true);
        let block = ground.resize(ground.first[0], 2 * GRANULE).expect("four granules are free");
        GROWN.hit_if(block.ptr == ground.first[1].ptr);
    };
    let make = || Ground::new(1, 2 * CHUNK, 16).with_blocks(&[GRANULE, GRANULE]);
    explore("m06_shared::grown", SMALL, make, &[gives, grows], |ground| assert_eq!(ground.usage(), 2 * CHUNK));
    GROWN.happened("grown in place, into what another gave back");
}

// ---- drained ----------------------------------------------------------------------------------------------------

/// All memory is a chunk of which one block is taken.
fn one_chunk() -> Ground {
    Ground::new(1, CHUNK, CHUNK / GRANULE).with_blocks(&[GRANULE])
}

/// The heap is given what is left of the chunk beside a thread that takes from it.
#[test]
fn m06_drained() {
    static DRAINED: Count = Count::new();
    let drains = |ground: &Ground| {
        by_hand::set_late(true);
        if ground.heap_keep(GRANULE).is_some() {
            ground.tell(2);
            DRAINED.hit();
        }
    };
    explore("m06_shared::drained", BOUNDED, one_chunk, &[take_and_tell, drains], |ground| {
        assert_ne!(ground.told(), 0, "one of both is served");
    });
    DRAINED.happened("the heap was given the rest of the chunk");
}

/// The heap is given the rest of the chunk with the bytes that a thread has just given back to it.
#[test]
fn m06_drained_given() {
    static DRAINED: Count = Count::new();
    let gives = |ground: &Ground| {
        by_hand::set_late(true);
        ground.free(ground.first[0]);
    };
    let drains = |ground: &Ground| {
        by_hand::set_late(true);
        DRAINED.hit_if(ground.heap_keep(3 * GRANULE).is_some());
    };
    explore("m06_shared::drained_given", SMALL, one_chunk, &[gives, drains], |_| ());
    DRAINED.happened("the heap was given the whole chunk but its node");
}
