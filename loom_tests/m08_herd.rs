//! Model 8: threads with shards of their own meet an empty arena at once: each takes one chunk, and no more is leased
//! than that; where the slack is enough for one chunk only, the others are served without one. A lease that was
//! granted beside the beginning of pressure is returned at its shard's next slow path.
//!
//! Breaks it: `arena.seen-after-grant` (pressure).
#![expect(unsafe_code, reason = "a role uses its own thread's identity only")]

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::support::arenas::{GRANULE, Ground};
use super::support::harness::{BOUNDED, Role, SMALL, explore};
use super::support::threads::Count;
use crate::arena::Local;
use crate::thread::{Cache, EndOfThread, by_hand};

/// Bytes of a chunk: three blocks of one granule, and its node.
const CHUNK: usize = 64;

/// The first request of a thread: it has a shard and a chunk afterwards.
fn take_chunk(ground: &Ground) {
    ground.alloc(GRANULE).expect("memory is free");
    assert!(ground.arena().has_shard(), "there are shards for all");
    assert_eq!(ground.arena().held(), CHUNK);
}

/// Each of `count` threads has one chunk and its lease.
fn check_chunks(ground: &Ground, count: usize) {
    assert_eq!((ground.usage(), ground.arena().leased()), (count * CHUNK, count * CHUNK));
    assert_eq!(ground.region.budget().leased(), count * CHUNK);
    let owners: Vec<_> = (0..count).map(|index| ground.arena().owner(index).expect("an owner each")).collect();
    assert!((1..count).all(|index| !owners[..index].contains(&owners[index])), "a shard for each");
}

#[test]
fn m08_herd_of_two() {
    let make = || Ground::new(2, CHUNK, 16);
    explore("m08_herd::of_two", BOUNDED, make, &[take_chunk, take_chunk], |ground| check_chunks(ground, 2));
}

/// The slack is 97 bytes: one chunk and not two.
#[test]
fn m08_herd_denied() {
    let takes = |ground: &Ground| assert!(ground.alloc(GRANULE).is_some(), "refused beside free memory");
    let make = || Ground::with_slack(2, CHUNK, 16, 84);
    explore("m08_herd::denied", BOUNDED, make, &[takes, takes], |ground| {
        assert_eq!(
            (ground.usage(), ground.arena().leased()),
            (CHUNK + 2 * GRANULE, CHUNK),
            "a chunk, a block, its node"
        );
    });
}

// ---- shards that threads have already ---------------------------------------------------------------------------

/// Threads whose identities are carried by hand: they have shards when the model begins, and the main thread can go on
/// with them.
struct Owners {
    ground: Ground,
    identities: Vec<(Cache, EndOfThread)>,
    /// The identity that the next role takes; not a word of the model.
    next: AtomicUsize,
}

// SAFETY: an identity is used by one role, or by the main thread when no role runs.
unsafe impl Send for Owners {}
// SAFETY: as for Send.
unsafe impl Sync for Owners {}

impl Owners {
    fn new(count: usize, free: usize) -> Self {
        let identities = (0..count).map(|_| (Cache::new(), EndOfThread::new())).collect();
        let owners = Self { ground: Ground::new(count, CHUNK, free), identities, next: AtomicUsize::new(0) };
        (0..count).for_each(|thread| drop(owners.local(thread)));
        owners
    }

    /// A handle of thread `thread`.
    fn local(&self, thread: usize) -> Local<'_> {
        let (cache, end) = &self.identities[thread];
        self.ground.arena().local_of(cache, end)
    }

    /// A request of thread `thread`.
    fn take(&self, thread: usize, bytes: usize) {
        self.ground.alloc_from(&self.local(thread).blocks(), bytes).expect("there is room for it");
    }
}

#[test]
fn m08_herd_of_three() {
    // Which of the equal identities a role takes does not matter, so the roles are equal too.
    let takes: Role<Owners> = |owners| owners.take(owners.next.fetch_add(1, Relaxed), GRANULE);
    let make = || Owners::new(3, 16);
    explore("m08_herd::of_three", BOUNDED, make, &[takes; 3], |owners| check_chunks(&owners.ground, 3));
}

/// A chunk that was taken beside the beginning of pressure.
#[test]
fn m08_no_chunk_outlives_pressure() {
    static CHUNKS: Count = Count::new();
    let takes = |owners: &Owners| owners.take(0, GRANULE);
    let is_refused = |owners: &Owners| {
        by_hand::set_late(true);
        assert!(owners.ground.heap_keep(9 * GRANULE).is_none(), "there is no room for nine granules");
    };
    explore(
        "m08_herd::no_chunk_outlives_pressure",
        SMALL,
        || Owners::new(1, 8),
        &[takes, is_refused],
        |owners| {
            CHUNKS.hit_if(owners.ground.arena().leased() > 0);
            // One more slow path.
            owners.take(0, 3 * GRANULE);
            let leased = (owners.ground.arena().leased(), owners.ground.region.budget().leased());
            assert_eq!(leased, (0, 0), "a lease has outlived the beginning of pressure");
        },
    );
    CHUNKS.happened("a chunk was taken beside the refusal");
}
