//! Model 2: what is leased is never above the slack, nor what is charged above the limit, as anyone sees it; two that
//! both fit both succeed.
//!
//! Breaks it: `grant`'s Acquire, `end_lease`'s Release, `budget.add-then-roll-back`, `budget.grant-once` (both fit,
//! weak failure), `lease.ended-before-emptied` (closed before returned), `usage.add-then-roll-back` (set limit).

use loom::sync::atomic::{AtomicUsize, Ordering};

use super::support::harness::{BOUNDED, Blocks, SMALL, explore, region};
use super::support::heaps::Fixture;
use crate::region::budget::Budget;
use crate::region::shards::OwnedShard;
use crate::sync::forced_weak_failure;

// ---- one budget -------------------------------------------------------------------------------------------------

const SLACK: usize = 16;

/// A budget whose slack is one lease, and the cache that the lease covers.
struct OneLease {
    budget: Budget,
    cache: Blocks,
}

fn one_lease() -> OneLease {
    OneLease { budget: Budget::new(SLACK, SLACK, 1), cache: Blocks::new(1) }
}

/// Leases the whole slack, fills a cache with it, empties it, returns the lease.
fn lease_all(state: &OneLease) {
    if state.budget.grant(SLACK) {
        state.cache.hand_out(0);
        state.cache.free(0);
        state.budget.end_lease(SLACK);
    }
}

fn observe_leased(state: &OneLease) {
    assert!(state.budget.leased() <= state.budget.slack(), "the word is above the slack");
}

#[test]
fn m02_cached_never_above_slack() {
    explore(
        "m02_lease::cached_never_above_slack",
        BOUNDED,
        one_lease,
        &[lease_all, lease_all, observe_leased],
        |state| assert_eq!(state.budget.leased(), 0),
    );
}

/// Two leases fit.
fn two_leases() -> OneLease {
    OneLease { budget: Budget::new(2 * SLACK, 2 * SLACK, 1), cache: Blocks::new(0) }
}

fn lease_half(state: &OneLease) {
    assert!(state.budget.grant(SLACK), "two that fit both succeed");
    state.budget.end_lease(SLACK);
}

#[test]
fn m02_both_fit() {
    explore("m02_lease::both_fit", SMALL, two_leases, &[lease_half, lease_half], |state| {
        assert_eq!(state.budget.leased(), 0);
    });
}

/// As [`m02_both_fit`], where the first exchange of the word fails for no reason.
#[test]
fn m02_weak_failure() {
    forced_weak_failure(true);
    explore("m02_lease::weak_failure", SMALL, two_leases, &[lease_half, lease_half], |state| {
        assert_eq!(state.budget.leased(), 0);
    });
    forced_weak_failure(false);
}

// ---- a heap's limit below a region's ----------------------------------------------------------------------------

const LEASE: usize = 24;

struct TwoLevels {
    fixture: Fixture,
    cache: Blocks,
}

/// The region's slack is one lease, the heap's is any number.
fn two_levels() -> TwoLevels {
    TwoLevels { fixture: Fixture::new(4096, 40 * 16, 16), cache: Blocks::new(1) }
}

/// Leases for thread `thread`, fills the cache, empties it, returns the lease.
fn lease_under_both(state: &TwoLevels, thread: usize) {
    let (fixture, shard) = (&state.fixture, state.fixture.shard(thread));
    if fixture.grant(shard, fixture.share(fixture.made().expect("a body"), shard, false), LEASE) {
        state.cache.hand_out(0);
        let region = fixture.region().budget();
        assert!(region.leased() <= region.slack(), "the word is above the slack");
        state.cache.free(0);
        shard.release(LEASE);
        fixture.end_lease(LEASE);
    }
}

fn check_both_levels(state: &TwoLevels) {
    assert_eq!((state.fixture.budget.leased(), state.fixture.region().budget().leased()), (0, 0));
}

#[test]
fn m02_two_levels() {
    explore(
        "m02_lease::two_levels",
        BOUNDED,
        two_levels,
        &[|state| lease_under_both(state, 0), |state| lease_under_both(state, 1)],
        check_both_levels,
    );
}

// ---- a magazine is closed beside an open ------------------------------------------------------------------------

struct Closing {
    fixture: Fixture,
    block: u32,
}

/// The slack is 48 bytes, room for one magazine of one block of 32 bytes. Thread 0 has that, and it is full; thread 1
/// holds a block.
fn closing() -> Closing {
    let fixture = Fixture::new(4096, 48 * 16, 16);
    let [cached, block] = [(); 2].map(|()| fixture.take(32).expect("an empty region"));
    fixture.free(0, cached, 32);
    Closing { fixture, block }
}

fn close(state: &Closing) {
    let shard = state.fixture.shard(0);
    shard.enter();
    state.fixture.close_all(state.fixture.made().expect("a body"), shard);
}

/// Frees its block; if that is cached then thread 0's no longer is. Nothing else is charged.
fn free_last(state: &Closing) {
    let Closing { fixture, block } = state;
    fixture.free(1, *block, 32);
    let slack = fixture.region().budget().slack();
    assert!(fixture.shard(1).held() == 0 || fixture.region().memory_usage() <= slack, "cached bytes above the slack");
}

#[test]
fn m02_closed_before_returned() {
    explore("m02_lease::closed_before_returned", SMALL, closing, &[close, free_last], |state| {
        state.fixture.close_everything();
        assert_eq!(state.fixture.region().memory_usage(), 0);
    });
}

// ---- the limit is lowered beside requests -----------------------------------------------------------------------

const BLOCK: u32 = 2;
const BLOCK_BYTES: usize = 32;

struct Lowered {
    region: crate::region::Region,
    own: Budget,
    /// What no later usage may exceed; 0 until the limit was lowered.
    bound: AtomicUsize,
}

/// Two blocks fit, one after the limit was lowered.
fn lowered() -> Lowered {
    let region = region(4096);
    region.set_limit(2 * BLOCK_BYTES);
    Lowered { region, own: Budget::new(usize::MAX, 1 << 20, 16), bound: AtomicUsize::new(0) }
}

/// Two requests, of which one may be served after the limit was lowered.
fn request_two(state: &Lowered) {
    for _ in 0..2 {
        state.region.section(|section| section.take_fixed(&state.own, BLOCK));
    }
}

fn lower(state: &Lowered) {
    state.region.set_limit(BLOCK_BYTES);
    let usage = state.region.section(|_locked| state.region.memory_usage());
    state.bound.store(usage.max(BLOCK_BYTES), Ordering::Release);
}

fn observe_usage(state: &Lowered) {
    let bound = state.bound.load(Ordering::Acquire);
    let bound = if bound == 0 { 2 * BLOCK_BYTES } else { bound };
    assert!(state.region.memory_usage() <= bound, "usage above the limit, and above what it was when that was lowered");
}

#[test]
fn m02_set_limit() {
    explore("m02_lease::set_limit", BOUNDED, lowered, &[request_two, lower, observe_usage], |state| {
        let taken = state.region.memory_usage();
        assert!(taken == BLOCK_BYTES || taken == 2 * BLOCK_BYTES, "the first request fits either limit");
        assert_eq!(state.own.usage(), taken);
    });
}
