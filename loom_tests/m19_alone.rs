//! Model 19: a block that has an extent alone is freed, or shrinks, while another thread takes a block or a chunk: the
//! arena has what its lists say, and all of what was freed can be taken again.
//!
//! Breaks it: `alone.listed-outside-lock` (freed beside listed), `alone.unlisted-apart` (freed and taken, cut),
//! `alone.order-forgotten` (two freed).

use super::support::arenas::{GRANULE, Ground};
use super::support::harness::{BOUNDED, SMALL, explore};
use super::support::threads::Count;
use crate::thread::by_hand;

/// Bytes of a chunk: three blocks of one granule, and its node.
const CHUNK: usize = 64;
/// Bytes of a block that is too long for a chunk, and of its extent, which has a node too.
const ALONE: usize = 2 * GRANULE;
const EXTENT: usize = ALONE + GRANULE;

/// Frees block `which`, which is alone. Until then it may be counted as live, and nothing else of its size is.
fn free(ground: &Ground, which: usize) {
    by_hand::set_late(true);
    ground.free(ground.first[which]);
}

/// A request of a thread without a shard; it is alone. Tells that it was served.
fn take(ground: &Ground) {
    by_hand::set_late(true);
    if ground.alloc(ALONE).is_some() {
        ground.tell(1);
    }
}

/// One is taken off the arena's list while another is put on it.
#[test]
fn m19_freed_beside_listed() {
    let make = || Ground::new(1, CHUNK, 2 * EXTENT / GRANULE).with_blocks(&[ALONE]);
    explore("m19_alone::freed_beside_listed", SMALL, make, &[|ground| free(ground, 0), take], |ground| {
        assert_eq!((ground.told(), ground.usage()), (1, EXTENT), "there is room for both");
        assert_eq!(ground.arena().live_bytes(), ALONE);
    });
}

/// Only what is freed can serve the other.
#[test]
fn m19_freed_and_taken() {
    static TAKEN: Count = Count::new();
    let make = || Ground::new(1, CHUNK, EXTENT / GRANULE).with_blocks(&[ALONE]);
    explore("m19_alone::freed_and_taken", BOUNDED, make, &[|ground| free(ground, 0), take], |ground| {
        TAKEN.hit_if(ground.told() == 1);
        assert_eq!(ground.usage(), ground.told() * EXTENT);
        assert_eq!(ground.arena().live_bytes(), ground.told() * ALONE);
    });
    TAKEN.happened("given what another has freed");
}

/// The thread has a shard, whose chunk takes what is freed; meanwhile it reads the arena's figures.
#[test]
fn m19_freed_beside_refill() {
    static TAKEN: Count = Count::new();
    fn refill(ground: &Ground) {
        let served = ground.alloc(GRANULE).is_some();
        let live = ground.arena().live_bytes();
        let own = if served { GRANULE } else { 0 };
        assert!([own, own + CHUNK - GRANULE].contains(&live), "{live} bytes live");
        TAKEN.hit_if(served);
        if served {
            ground.tell(1);
        }
    }
    let make = || Ground::new(1, CHUNK, CHUNK / GRANULE).with_blocks(&[CHUNK - GRANULE]);
    explore("m19_alone::freed_beside_refill", BOUNDED, make, &[|ground| free(ground, 0), refill], |ground| {
        // After a refusal the request has an extent alone, as under pressure.
        let held = if ground.told() == 1 { [CHUNK, 2 * GRANULE] } else { [0, 0] };
        assert!(held.contains(&ground.usage()), "{} bytes taken", ground.usage());
    });
    TAKEN.happened("given what another has freed");
}

/// Two neighbours on the list are freed at once.
#[test]
fn m19_two_freed() {
    let make = || Ground::new(1, CHUNK, 2 * EXTENT / GRANULE).with_blocks(&[ALONE, ALONE]);
    explore("m19_alone::two_freed", SMALL, make, &[|ground| free(ground, 0), |ground| free(ground, 1)], |ground| {
        assert_eq!((ground.usage(), ground.arena().live_bytes()), (0, 0));
    });
}

/// The end of a block, with its node, goes to another.
#[test]
fn m19_cut() {
    static TAKEN: Count = Count::new();
    let cuts = |ground: &Ground| {
        by_hand::set_late(true);
        let block = ground.resize(ground.first[0], ALONE).expect("shorter");
        assert_eq!(block.ptr, ground.first[0].ptr);
    };
    let make = || Ground::new(1, CHUNK, 2 * EXTENT / GRANULE).with_blocks(&[ALONE + EXTENT]);
    explore("m19_alone::cut", BOUNDED, make, &[cuts, take], |ground| {
        TAKEN.hit_if(ground.told() == 1);
        assert_eq!(ground.usage(), EXTENT + ground.told() * EXTENT);
        assert_eq!(ground.arena().live_bytes(), ALONE + ground.told() * ALONE);
    });
    TAKEN.happened("given what another has cut off");
}
