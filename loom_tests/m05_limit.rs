//! Model 5: at the limit no thread is refused beside memory in the depot or in the shard of an ended thread,
//! wherever the search began, and a refusal comes to its end.
//!
//! Breaks it: `refusal.drain-outside` (two magazines, one magazine), `refusal.own-depot-only` (two heaps),
//! `refusal.dead-shards-skipped` (dead shard), `refusal.sources-not-wrapped` (behind the source),
//! `refusal.sets-not-wrapped` (behind the set), `lease.taken-after-push` (hopeless), `refusal.unbounded` (long
//! request).
#![expect(unsafe_code, reason = "the region's list")]

use core::pin::Pin;
use core::ptr::NonNull;

use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::support::harness::{Role, SMALL, explore};
use super::support::heaps::{Fixture, class, layout, stock};
use crate::depot::magazine::NodeRef;
use crate::heap::{Heap, Inner};
use crate::region::budget::Budget;
use crate::region::{Links, Region, Section, ShardSet};

const NONE: usize = usize::MAX;

struct State {
    fixture: Fixture,
    filler: (u32, usize),
    flag: AtomicBool,
    /// The block that each thread was given.
    blocks: [AtomicUsize; 2],
}

impl State {
    fn new(fixture: Fixture, filler: (u32, usize)) -> Self {
        let blocks = [AtomicUsize::new(NONE), AtomicUsize::new(NONE)];
        Self { fixture, filler, flag: AtomicBool::new(false), blocks }
    }

    /// A request of `bytes` bytes by thread `thread`; says whether it was served.
    fn request(&self, thread: usize, bytes: usize) -> bool {
        let Some(block) = self.fixture.alloc(thread, bytes) else { return false };
        self.blocks[thread].store(block as usize, Ordering::Relaxed);
        true
    }

    /// Frees what thread `thread` was given.
    #[expect(clippy::cast_possible_truncation, reason = "a granule was stored")]
    fn give(&self, thread: usize, bytes: usize) {
        let block = self.blocks[thread].load(Ordering::Relaxed);
        assert_ne!(block, NONE, "this request was served");
        self.fixture.give(block as u32, bytes);
    }

    fn end(&self) {
        self.fixture.give(self.filler.0, self.filler.1);
        self.fixture.close_everything();
        assert_eq!(self.fixture.region().memory_usage(), 0);
    }
}

// ---- two requests and the depot ---------------------------------------------------------------------------------

/// All memory is handed out, but for two magazines of two blocks of 32 bytes.
fn two_magazines() -> State {
    let fixture = Fixture::new(4096, 2048, 16);
    fixture.stock(32, 2);
    fixture.stock(32, 2);
    let filler = fixture.fill(0);
    State::new(fixture, filler)
}

fn request(state: &State, thread: usize, bytes: usize) {
    assert!(state.request(thread, bytes), "refused beside idle memory");
}

#[test]
fn m05_two_magazines() {
    explore(
        "m05_limit::two_magazines",
        SMALL,
        two_magazines,
        &[|state| request(state, 0, 48), |state| request(state, 1, 80)],
        |state| {
            state.give(0, 48);
            state.give(1, 80);
            state.end();
        },
    );
}

/// All memory is handed out, but for a magazine of four blocks of 32 bytes.
fn one_magazine() -> State {
    let fixture = Fixture::new(4096, 2048, 16);
    fixture.stock(32, 4);
    let filler = fixture.fill(0);
    State::new(fixture, filler)
}

#[test]
fn m05_one_magazine() {
    explore(
        "m05_limit::one_magazine",
        SMALL,
        one_magazine,
        &[|state| request(state, 0, 64), |state| request(state, 1, 64)],
        |state| {
            state.give(0, 64);
            state.give(1, 64);
            state.end();
        },
    );
}

// ---- two heaps in one region ------------------------------------------------------------------------------------

struct TwoHeaps {
    /// Goes before the first, which checks the region's totals.
    second: Heap,
    first: State,
}

/// All memory is handed out, but for a magazine of two blocks of 32 bytes in each heap's depot.
fn two_heaps() -> TwoHeaps {
    let fixture = Fixture::new(4096, 2048, 16);
    let second = Heap::in_region(fixture.region());
    fixture.stock(32, 2);
    stock(&second.inner, fixture.region(), 32, 2);
    let filler = fixture.fill(0);
    TwoHeaps { second, first: State::new(fixture, filler) }
}

/// Needs more than the second heap's own depot has.
fn request_of_second(state: &TwoHeaps) {
    let block = state.second.inner.take_or_refuse(layout(80)).expect("refused beside the other heap's depot");
    state.first.blocks[1].store(block as usize, Ordering::Relaxed);
}

#[test]
#[expect(clippy::cast_possible_truncation, reason = "a granule was stored")]
fn m05_two_heaps() {
    explore(
        "m05_limit::two_heaps",
        SMALL,
        two_heaps,
        &[|state| request(&state.first, 0, 48), request_of_second],
        |TwoHeaps { second, first }| {
            first.give(0, 48);
            let block = second.inner.address(first.blocks[1].load(Ordering::Relaxed) as u32);
            second.inner.give_back(block, layout(80)).expect("a live block");
            assert_eq!(second.memory_usage(), 0);
            first.end();
        },
    );
}

// ---- an ended thread's shard ------------------------------------------------------------------------------------

/// All memory but 16 bytes is handed out, and thread 0 holds one block of 32 bytes and an empty magazine for it.
fn dead_shard() -> State {
    let fixture = Fixture::new(4096, 2048, 16);
    let block = fixture.take(32).expect("an empty region");
    fixture.free(0, block, 32);
    let block = fixture.alloc(0, 32).expect("what was just freed");
    let filler = fixture.fill(16);
    let state = State::new(fixture, filler);
    state.blocks[0].store(block as usize, Ordering::Relaxed);
    state
}

/// Caches its block and ends.
#[expect(clippy::cast_possible_truncation, reason = "a granule was stored")]
fn end(state: &State) {
    state.fixture.free(0, state.blocks[0].load(Ordering::Relaxed) as u32, 32);
    state.fixture.end(0);
    state.flag.store(true, Ordering::Release);
}

/// Needs what thread 0 has cached.
fn request_after_end(state: &State) {
    let ended = state.flag.load(Ordering::Acquire);
    assert!(state.request(1, 48) || !ended, "refused beside the shard of an ended thread");
}

#[test]
fn m05_dead_shard() {
    explore("m05_limit::dead_shard", SMALL, dead_shard, &[end, request_after_end], |state| {
        if state.blocks[1].load(Ordering::Relaxed) == NONE {
            request(state, 1, 48);
        }
        state.give(1, 48);
        state.end();
    });
}

// ---- behind the place where a search begins ---------------------------------------------------------------------

/// A magazine that one thread pushes to a depot, which a request has found empty before.
struct Behind {
    /// The heap with the depot, if it is not the first; goes before that.
    second: Option<Heap>,
    first: State,
    node: NodeRef,
}

/// The last thing that was found was an ended thread's: the next search begins there.
fn behind_the_source() -> Behind {
    let fixture = Fixture::new(9216, 8192, 16);
    let block = fixture.take(32).expect("an empty region");
    fixture.stock(16, 4);
    let node = fixture.made().expect("a body").depot.pop_full(class(16)).expect("just pushed");
    fixture.free(0, block, 32);
    let filler = fixture.fill(16);
    fixture.end(0);
    let state = State::new(fixture, filler);
    request(&state, 0, 48);
    Behind { second: None, first: state, node }
}

/// The last magazine that was found was in the last heap of the list: the next search begins there.
fn behind_the_set() -> Behind {
    let fixture = Fixture::new(9216, 8192, 16);
    let second = Heap::in_region(fixture.region());
    fixture.stock(32, 2);
    stock(&second.inner, fixture.region(), 16, 4);
    let node = second.inner.caches().expect("a body").depot.pop_full(class(16)).expect("just pushed");
    let filler = fixture.fill(0);
    let first = State::new(fixture, filler);
    let block = second.inner.take_or_refuse(layout(64)).expect("the first heap's magazine");
    first.blocks[0].store(block as usize, Ordering::Relaxed);
    Behind { second: Some(second), first, node }
}

impl Behind {
    /// The heap with the depot.
    fn inner(&self) -> &Inner {
        self.second.as_ref().map_or(&self.first.fixture, |second| &second.inner)
    }
}

fn push_behind(state: &Behind) {
    state.inner().caches().expect("a body").depot.push_full(class(16), state.node);
    state.first.flag.store(true, Ordering::Release);
}

/// Needs the magazine; between two sections of its search that may come.
fn request_behind(state: &Behind) {
    let pushed = state.first.flag.load(Ordering::Acquire);
    assert!(state.first.request(1, 64) || !pushed, "refused beside a depot that was empty before");
}

#[expect(clippy::cast_possible_truncation, reason = "a granule was stored")]
fn check_behind(state: &Behind, bytes: usize) {
    let Behind { second, first, .. } = state;
    if first.blocks[1].load(Ordering::Relaxed) == NONE {
        request(first, 1, 64);
    }
    first.give(1, 64);
    let block = first.blocks[0].load(Ordering::Relaxed) as u32;
    let owner = state.inner();
    owner.give_back(owner.address(block), layout(bytes)).expect("a live block");
    if let Some(second) = second {
        assert_eq!(second.memory_usage(), 0);
    }
    first.end();
}

#[test]
fn m05_behind_the_source() {
    let roles: [Role<Behind>; 2] = [push_behind, request_behind];
    explore("m05_limit::behind_the_source", SMALL, behind_the_source, &roles, |state| check_behind(state, 48));
}

#[test]
fn m05_behind_the_set() {
    let roles: [Role<Behind>; 2] = [push_behind, request_behind];
    explore("m05_limit::behind_the_set", SMALL, behind_the_set, &roles, |state| check_behind(state, 64));
}

// ---- the hopeless request ---------------------------------------------------------------------------------------

/// All memory is handed out; thread 0 has a full magazine of four blocks, one of one block, and a block to free.
fn hopeless() -> State {
    let fixture = Fixture::new(9216, 8192, 16);
    let [first, second] = [(); 2].map(|()| fixture.take(16).expect("an empty region"));
    fixture.stock(16, 4);
    fixture.free(0, first, 16);
    let [first, third] = [(); 2].map(|()| fixture.alloc(0, 16).expect("the last freed, then one of the depot's"));
    fixture.free(0, third, 16);
    fixture.free(0, second, 16);
    let filler = fixture.fill(0);
    let state = State::new(fixture, filler);
    state.blocks[0].store(first as usize, Ordering::Relaxed);
    state
}

/// Frees its block: the magazine of four goes to the depot.
#[expect(clippy::cast_possible_truncation, reason = "a granule was stored")]
fn push_to_depot(state: &State) {
    state.fixture.free(0, state.blocks[0].load(Ordering::Relaxed) as u32, 16);
}

/// Sees the magazine in the depot, so its request, which that magazine can serve, is ordered after the push.
fn request_after_push(state: &State) {
    let depot = &state.fixture.made().expect("a body").depot;
    let Some(node) = depot.pop_full(class(16)) else { return };
    depot.push_full(class(16), node);
    let block = state.fixture.take(48).expect("refused beside the magazine that it has seen");
    state.blocks[1].store(block as usize, Ordering::Relaxed);
}

#[test]
fn m05_hopeless() {
    explore("m05_limit::hopeless", SMALL, hopeless, &[push_to_depot, request_after_push], |state| {
        if state.blocks[1].load(Ordering::Relaxed) != NONE {
            state.give(1, 48);
        }
        state.end();
    });
}

// ---- a long request beside others that cache --------------------------------------------------------------------

/// Others who fill their depot again whenever it was emptied, as long as there is no pressure.
struct Others {
    region: Region,
    budget: Budget,
    links: Links,
    drained: AtomicUsize,
}

// SAFETY: `links` is used under the region's lock only; the rest is Send and Sync by itself.
unsafe impl Send for Others {}
// SAFETY: as for Send.
unsafe impl Sync for Others {}

/// Bytes that the others have leased.
const LEASED: usize = 160;

impl ShardSet for Others {
    fn budget(&self) -> &Budget {
        &self.budget
    }
    fn links(&self) -> &Links {
        &self.links
    }
    fn metadata_bytes(&self) -> usize {
        0
    }
    fn drain_one(&self, _section: &mut Section<'_>) -> bool {
        let filled = !self.budget.pressure_with(self.region.budget()).on;
        let drained = self.drained.fetch_add(usize::from(filled), Ordering::Relaxed);
        assert!(drained <= 2 * LEASED / 16, "it goes on as long as others cache");
        filled
    }
}

struct LongRequest {
    /// Goes before the fixture, which checks the region's totals.
    others: Pin<Box<Others>>,
    state: State,
}

/// All memory is handed out; thread 0 has a block of it, and others have leased enough for a long request.
fn long_request() -> LongRequest {
    let fixture = Fixture::new(4096, 2048, 8);
    let block = fixture.take(16).expect("an empty region");
    let filler = fixture.fill(0);
    let region = fixture.region().clone();
    assert!(region.budget().grant(LEASED) && fixture.budget.grant(LEASED));
    let (budget, links) = (Budget::new(usize::MAX, 4096, 8), Links::default());
    let others = Box::pin(Others { region: region.clone(), budget, links, drained: AtomicUsize::new(0) });
    let set: NonNull<dyn ShardSet> = NonNull::from(&*others);
    // SAFETY: `register`'s contract: pinned, and unregistered at the end.
    region.section(|section| unsafe { section.register(set) });
    let state = State::new(fixture, filler);
    state.blocks[0].store(block as usize, Ordering::Relaxed);
    LongRequest { others, state }
}

#[test]
#[expect(clippy::cast_possible_truncation, reason = "a granule was stored")]
fn m05_long_request() {
    let frees = |long: &LongRequest| {
        long.state.fixture.free(0, long.state.blocks[0].load(Ordering::Relaxed) as u32, 16);
    };
    // More than 1/16 of the limit: it begins no pressure at once.
    let requests = |long: &LongRequest| assert!(!long.state.request(1, 144), "there is no such memory");
    explore("m05_limit::long_request", SMALL, long_request, &[frees, requests], |LongRequest { others, state }| {
        let region = state.fixture.region();
        region.section(|section| section.unregister(&**others));
        region.budget().end_lease(LEASED);
        state.fixture.budget.end_lease(LEASED);
        state.end();
    });
}
