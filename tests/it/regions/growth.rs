//! Long blocks that grow: where they are while there is room behind them, else to a place with room.

use std::alloc::Layout;

use sharded_arena::allocator_api2::alloc::Allocator;
use sharded_arena::collections::{self, Vec as ArenaVec};
use sharded_arena::{Arena, Heap, Region};

use crate::support::{self, Block, Frees, assert_empty, give, give_each, layout, regrow, take};

const STEP: usize = 64 << 10;
/// Moves of a block that has grown by [`STEP`] 512 times: a part of a step each, however many others grow.
const FEW: usize = 64;

/// Grows `vectors` vectors by turns, each by `step` bytes `steps` times; returns how often one moved.
fn moves(source: impl Allocator + Copy, vectors: usize, step: usize, steps: usize) -> usize {
    let mut grown: Vec<ArenaVec<u8, _>> = (0..vectors).map(|_| collections::vec_in(source)).collect();
    let mut moves = 0;
    for at in 0..steps {
        for (which, vector) in grown.iter_mut().enumerate() {
            let before = vector.as_ptr();
            vector.try_reserve_exact(step).expect("room");
            moves += usize::from(vector.as_ptr() != before);
            vector.resize((at + 1) * step, u8::try_from(which).expect("few vectors"));
        }
    }
    let is_whole = |(which, vector): (usize, &ArenaVec<u8, _>)| {
        vector.len() == steps * step && vector.iter().all(|byte| usize::from(*byte) == which)
    };
    assert!(grown.iter().enumerate().all(is_whole));
    moves
}

fn heap_with(build: impl FnOnce(sharded_arena::RegionBuilder) -> sharded_arena::RegionBuilder, checked: bool) -> Heap {
    let region = build(Region::builder().capacity(128 << 20)).build().expect("a region");
    Heap::builder().region(&region).checked(checked).build().expect("a heap")
}

#[test]
fn long_vectors_grow_in_place() {
    let kinds = [
        heap_with(|builder| builder, false),
        heap_with(|builder| builder, true),
        heap_with(|builder| builder.guard_mode(true), false),
        heap_with(|builder| builder.zero_on_free(true), false),
    ];
    for heap in &kinds {
        let moved = moves(heap, 1, STEP, 512);
        assert!(moved <= FEW, "{moved} moves");
        heap.region().flush_quarantine();
        assert_empty(heap);
    }
}

#[test]
fn vectors_growing_by_turns_rarely_move() {
    for vectors in [2, 3, 8] {
        let heap = support::heap(256 << 20, false);
        let moved = moves(&heap, vectors, STEP, 256);
        assert!(moved <= FEW / 2 * vectors, "{moved} moves of {vectors} vectors");
        assert_empty(&heap);
    }
}

#[test]
fn vectors_of_arenas_grow_in_place() {
    let arena = Arena::builder().capacity(256 << 20).build().expect("an arena");
    let moved = moves(&arena, 1, STEP, 512);
    assert!(moved <= FEW, "{moved} moves");
    let moved = moves(&arena, 2, STEP, 256);
    assert!(moved <= FEW, "{moved} moves of two");
    let mut scratch = arena.scratch();
    let moved = scratch.scope(|scope| moves(&*scope, 1, STEP, 512));
    assert!(moved <= FEW, "{moved} moves in a scope");
    assert!(arena.memory_usage() <= 1 << 20, "{} bytes taken", arena.memory_usage());
}

/// Grows a block of `align` and of `size` bytes by `step` bytes `steps` times; returns how often it moved.
fn moves_aligned(source: &impl Frees, align: usize, size: usize, step: usize, steps: usize) -> usize {
    let mut block = take(source, layout(size, align)).expect("room");
    let mut moves = 0;
    for at in 1..=steps {
        let before = block.ptr();
        regrow(source, &mut block, layout(size + at * step, align)).expect("room");
        moves += usize::from(block.ptr() != before);
    }
    give(source, block);
    moves
}

#[test]
fn aligned_blocks_grow_in_place() {
    for align in [32, 4096, 1 << 20] {
        let heap = support::heap(128 << 20, false);
        let moved = moves_aligned(&heap, align, 40_000, STEP, 128);
        assert!(moved <= FEW / 4, "{moved} moves at alignment {align}");
        assert_empty(&heap);
    }
}

#[test]
fn growth_past_obstacles_moves_rarely() {
    // After each step another request takes what lies behind the block.
    let heap = support::heap(256 << 20, false);
    let mut grown = take(&heap, layout(STEP, 16)).expect("room");
    let (mut others, mut moves) = (Vec::new(), 0);
    for at in 2..=256 {
        others.push(take(&heap, layout(STEP, 16)).expect("room"));
        let before = grown.ptr();
        regrow(&heap, &mut grown, layout(at * STEP, 16)).expect("room");
        moves += usize::from(grown.ptr() != before);
    }
    assert!(moves <= FEW / 2, "{moves} moves");
    give_each(&heap, others);
    give(&heap, grown);
    assert_empty(&heap);
}

#[test]
fn growth_to_limit_needs_no_copy() {
    // What the block needs at the end is all there is: a copy beside it would be refused.
    for checked in [false, true] {
        let heap = support::heap(4 << 20, checked);
        let below: Block = take(&heap, layout(1 << 20, 16)).expect("room");
        let mut grown = take(&heap, layout(STEP, 16)).expect("room");
        give(&heap, below);
        for size in (1..=64).map(|part| part * STEP) {
            regrow(&heap, &mut grown, layout(size, 16)).expect("all of the region is free or the block's");
        }
        give(&heap, grown);
        assert_empty(&heap);
    }
}

#[test]
fn shrunk_blocks_grow_again_in_place() {
    let heap = support::heap(64 << 20, false);
    let mut block = take(&heap, layout(16 << 20, 16)).expect("room");
    let place = block.ptr();
    for size in [1 << 20, 8 << 20, 100_000, 16 << 20] {
        regrow(&heap, &mut block, layout(size, 16)).expect("room");
        assert_eq!(block.ptr(), place, "{size}");
    }
    give(&heap, block);
    assert_empty(&heap);
}

#[cfg(all(target_os = "linux", not(miri)))]
#[test]
#[expect(unsafe_code, reason = "touches two bytes of a block and grows it")]
fn growth_of_untouched_blocks_touches_nothing() {
    let region = Region::builder().capacity(4 << 30).huge_pages(false).build().expect("a region");
    let heap = Heap::in_region(&region);
    let sizes: [Layout; 3] = [1 << 30, (1 << 30) + (1 << 20), 3 << 30].map(|size| layout(size, 16));
    let block = heap.alloc(sizes[0]).expect("room").cast::<u8>();
    // SAFETY: `NonNull::add`: the block's last byte.
    let last = unsafe { block.add((1 << 30) - 1) };
    for at in [block, last] {
        // SAFETY: the first and the last byte of a live block.
        unsafe { at.write(7) };
    }
    // SAFETY: a live block, with its layout.
    let grown = unsafe { heap.grow(block, sizes[0], sizes[1]) }.expect("room");
    // SAFETY: as above.
    let grown = unsafe { heap.grow(grown.cast(), sizes[1], sizes[2]) }.expect("room");
    let resident = support::pages::resident(&region);
    // SAFETY: as above.
    unsafe { heap.free(grown.cast(), sizes[2]) };
    assert!(resident <= 8 * support::pages::PAGE, "{resident} bytes resident");
}
