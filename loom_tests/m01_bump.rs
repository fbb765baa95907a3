//! Model 1: threads bump through one word. What they are given is disjoint and aligned, nothing that fits is refused,
//! and who is given the bytes that another gave back sees that the other is done with them.
//!
//! Breaks it: `take`'s Acquire (given back), `shift`'s halves (given back, grown), `bump.add-then-roll-back` (exact),
//! `bump.take-once` (weak failure), `bump.shift-unchecked` (given back).
#![expect(unsafe_code, reason = "blocks are resized and given back by hand")]

use core::alloc::Layout;
use core::ptr::NonNull;
use std::sync::Mutex;

use super::support::harness::{BOUNDED, Blocks, SMALL, explore, own_memory};
use super::support::threads::Count;
use crate::bump::BumpRegion;
use crate::bump::blocks::Blocks as _;
use crate::sync::forced_weak_failure;

/// Bytes of the region.
const BYTES: usize = 16;

/// A region that begins at an odd address, and a cell per byte.
struct State {
    region: BumpRegion,
    base: usize,
    cells: Blocks,
    /// Bytes that roles hold; not a word of the model.
    held: Mutex<usize>,
    /// Blocks that `make` has taken for the roles, the last one last.
    first: Vec<NonNull<u8>>,
}

// SAFETY: the pointers are addresses in the region, which is Send and Sync.
unsafe impl Send for State {}
// SAFETY: as for Send.
unsafe impl Sync for State {}

fn layout(bytes: usize, align: usize) -> Layout {
    Layout::from_size_align(bytes, align).expect("a small layout")
}

impl State {
    fn new() -> Self {
        // SAFETY: inside this model's own memory.
        let base = unsafe { own_memory(BYTES + 1).add(1) };
        // SAFETY: that memory; the region of the execution before is gone.
        let region = unsafe { BumpRegion::from_raw_parts(base, BYTES) }.expect("sixteen bytes");
        let (base, cells) = (base.addr().get(), Blocks::new(BYTES));
        Self { region, base, cells, held: Mutex::new(0), first: Vec::new() }
    }

    /// A region from which blocks of these sizes were taken.
    fn with(sizes: &[usize]) -> Self {
        let mut state = Self::new();
        state.first = sizes.iter().map(|&bytes| state.take(bytes, 1).expect("an empty region")).collect();
        state
    }

    fn bytes(&self, block: NonNull<u8>, bytes: usize) -> core::ops::Range<usize> {
        let at = block.addr().get() - self.base;
        at..at + bytes
    }

    fn hold(&self, bytes: usize) {
        *self.held.lock().expect("no role panics with it") += bytes;
    }

    fn release(&self, bytes: usize) {
        *self.held.lock().expect("no role panics with it") -= bytes;
    }

    /// A block, if it is not refused.
    fn take(&self, bytes: usize, align: usize) -> Option<NonNull<u8>> {
        let block = self.region.blocks().alloc(layout(bytes, align)).ok()?;
        assert!(block.addr().get().is_multiple_of(align), "aligned");
        self.bytes(block, bytes).for_each(|byte| self.cells.hand_out(byte));
        self.hold(bytes);
        Some(block)
    }

    /// Takes blocks until one is refused.
    fn take_all(&self, bytes: usize, align: usize) {
        while self.take(bytes, align).is_some() {}
    }

    /// Gives back what is the caller's.
    fn give(&self, block: NonNull<u8>, bytes: usize) {
        self.bytes(block, bytes).for_each(|byte| self.cells.free(byte));
        self.release(bytes);
        // SAFETY: a block of that layout, the caller's alone by the cells above.
        unsafe { self.region.blocks().free(block, layout(bytes, 1)) };
    }

    /// Cuts a block to `new` bytes, which move to its end if it is the last.
    fn cut(&self, block: NonNull<u8>, old: usize, new: usize) {
        let cells = self.bytes(block, old);
        cells.clone().for_each(|byte| self.cells.free(byte));
        self.release(old);
        // SAFETY: a block of that layout, the caller's alone by the cells above.
        let moved = unsafe { self.region.blocks().resize(block, layout(old, 1), layout(new, 1)) }.expect("shorter");
        let kept = self.bytes(moved, new);
        assert!(kept.start == cells.start || kept.end == cells.end, "the front of it, or its end");
        kept.for_each(|byte| self.cells.hand_out(byte));
        self.hold(new);
    }
}

// ---- disjoint, aligned, exact -----------------------------------------------------------------------------------

#[test]
fn m01_disjoint() {
    explore(
        "m01_bump::disjoint",
        BOUNDED,
        State::new,
        &[|state| state.take_all(4, 4), |state| state.take_all(3, 1)],
        |state| {
            assert!(state.region.remaining() < 3, "both were refused, so less than the lesser is left");
            assert!(*state.held.lock().expect("no role panicked") + state.region.remaining() <= BYTES);
        },
    );
}

/// What fits is not refused beside what does not.
#[test]
fn m01_exact() {
    explore(
        "m01_bump::exact",
        BOUNDED,
        State::new,
        &[
            |state| {
                for bytes in [5, 3] {
                    assert!(state.take(bytes, 1).is_some(), "refused though it fits");
                }
            },
            |state| assert!(state.take(8, 1).is_some(), "refused though it fits"),
            |state| assert!(state.region.blocks().alloc(layout(BYTES + 1, 1)).is_err(), "there is not so much"),
        ],
        |state| assert_eq!((state.region.remaining(), *state.held.lock().expect("no role panicked")), (0, BYTES)),
    );
}

/// Where the first exchange of the word fails for no reason, a request is served all the same.
#[test]
fn m01_weak_failure() {
    forced_weak_failure(true);
    let take = |state: &State| assert!(state.take(8, 1).is_some(), "refused though it fits");
    explore("m01_bump::weak_failure", SMALL, State::new, &[take, take], |state| {
        assert_eq!(state.region.remaining(), 0);
    });
    forced_weak_failure(false);
}

// ---- the last block ---------------------------------------------------------------------------------------------

/// After the roles: everything that is left can be had, and nothing else.
fn drain(state: &State) {
    state.take_all(1, 1);
    assert_eq!(state.region.remaining(), 0, "a byte that is left is refused to nobody");
    assert_eq!(*state.held.lock().expect("no role panicked"), BYTES - lost(state), "every byte is somebody's, or lost");
}

/// Bytes given back by who was not the last any more: nobody's until the reset.
fn lost(state: &State) -> usize {
    (0..BYTES).filter(|byte| !state.cells.is_held(*byte)).count()
}

/// The last block is given back while another takes what is below it, or it.
#[test]
fn m01_given_back() {
    static AGAIN: Count = Count::new();
    let gives = |state: &State| state.give(state.first[0], 8);
    let takes = |state: &State| {
        let block = state.take(8, 1).expect("eight bytes are free all the time");
        AGAIN.hit_if(block == state.first[0]);
    };
    explore(
        "m01_bump::given_back",
        SMALL,
        || State::with(&[8]),
        &[gives, takes],
        |state| {
            drain(state);
            assert!(matches!(lost(state), 0 | 8));
        },
    );
    AGAIN.happened("given what another gave back");
}

/// The last block is cut while another takes what is below it, and what was cut.
#[test]
fn m01_cut() {
    static AGAIN: Count = Count::new();
    let cuts = |state: &State| state.cut(state.first[0], 8, 3);
    let takes = |state: &State| {
        let block = state.take(8, 1).expect("eight bytes are free all the time");
        AGAIN.hit_if(state.bytes(block, 8).end == 13);
    };
    explore(
        "m01_bump::cut",
        SMALL,
        || State::with(&[8]),
        &[cuts, takes],
        |state| {
            drain(state);
            assert!(matches!(lost(state), 0 | 5));
        },
    );
    AGAIN.happened("given what another has cut");
}

/// The last block gives back its room, the one before it, last now, grows into that.
#[test]
fn m01_grown() {
    static GROWN: Count = Count::new();
    let gives = |state: &State| state.give(state.first[1], 4);
    let grows = |state: &State| {
        let block = state.first[0];
        state.bytes(block, 4).for_each(|byte| state.cells.free(byte));
        state.release(4);
        // SAFETY: a block of that layout, the caller's alone by the cells above.
        let moved =
            unsafe { state.region.blocks().resize(block, layout(4, 1), layout(8, 1)) }.expect("eight bytes are free");
        state.bytes(moved, 8).for_each(|byte| state.cells.hand_out(byte));
        state.hold(8);
        GROWN.hit_if(state.bytes(moved, 8).end == BYTES);
    };
    explore(
        "m01_bump::grown",
        SMALL,
        || State::with(&[4, 4]),
        &[gives, grows],
        |state| {
            drain(state);
            assert!(matches!(lost(state), 0 | 4 | 8));
        },
    );
    GROWN.happened("grown in place, into what another gave back");
}
