//! Guard mode: a read of what was freed ends the process, in release builds too; without guard mode it does not.
#![expect(unsafe_code, reason = "reads of freed bytes")]

use std::ptr::NonNull;

use crate::support::{
    child::{self, SIGSEGV},
    give, give_all, layout, take,
};
use sharded_arena::collections::try_vec_with_capacity_in;
use sharded_arena::{Arena, BlockArena, Heap, Region, Scope, Scratch};

const LONG: usize = 64 << 10;

/// The handle goes with the child's process: what it freed was freed before.
fn leak<T>(handle: T) {
    std::mem::forget(handle);
}

/// An address in what was freed, without the right to use it.
fn stale<T: ?Sized>(value: &T) -> *const u8 {
    std::ptr::from_ref(value).cast()
}

// ---- a heap's -------------------------------------------------------------------------------------------------------

/// A freed block of 64 KiB beside a small one.
fn freed(heap: &Heap) -> NonNull<u8> {
    let _small = take(heap, layout(100, 1)).expect("room");
    let block = take(heap, layout(LONG, 1)).expect("room");
    let at = block.ptr();
    give(heap, block);
    at
}

fn block(region: &Region) -> *const u8 {
    freed(&Heap::in_region(region)).as_ptr()
}

fn last_byte(region: &Region) -> *const u8 {
    freed(&Heap::in_region(region)).as_ptr().wrapping_add(LONG - 1)
}

fn block_of_a_checked_heap(region: &Region) -> *const u8 {
    freed(&Heap::builder().region(region).checked(true).build().expect("a heap")).as_ptr()
}

fn block_of_a_batch(region: &Region) -> *const u8 {
    let heap = Heap::in_region(region);
    let blocks: Vec<_> = (0..3).map(|_| take(&heap, layout(LONG, 1)).expect("room")).collect();
    let at = blocks[1].ptr();
    give_all(&heap, blocks);
    at.as_ptr()
}

fn block_that_moved_to_grow(region: &Region) -> *const u8 {
    let (heap, old) = (Heap::in_region(region), layout(LONG, 1));
    let first = heap.alloc(old).expect("room").cast::<u8>();
    let _behind = heap.alloc(old).expect("room");
    // SAFETY: live, with its layout.
    let grown = unsafe { heap.grow(first, old, layout(3 * LONG, 1)) }.expect("room");
    assert_ne!(grown.addr(), first.addr(), "between the region's start and its neighbour it has no room");
    first.as_ptr()
}

// ---- an arena's -----------------------------------------------------------------------------------------------------

fn value_before_a_reset(region: &Region) -> *const u8 {
    let mut arena = Arena::in_region(region);
    let at = stale(arena.alloc(1u64));
    arena.reset();
    leak(arena);
    at
}

fn value_of_a_dropped_arena(region: &Region) -> *const u8 {
    let arena = Arena::in_region(region);
    let at = stale(arena.alloc(1u64));
    drop(arena);
    at
}

/// Of the chunk 48 bytes were unused when the next one was taken; a thousand bytes lie behind it.
fn value_in_a_chunk_that_was_left(region: &Region) -> *const u8 {
    let _aside = take(&Heap::in_region(region), layout(1_000, 1)).expect("room");
    let mut arena = Arena::in_region(region);
    let values: Vec<_> = (0..2_000u64).map(|n| stale(arena.alloc([n; 8]))).collect();
    arena.reset();
    leak(arena);
    values[10]
}

fn value_in_a_chunk_of_odd_length(region: &Region) -> *const u8 {
    let arena = Arena::builder().region(region).first_chunk_bytes(6_000).build().expect("an arena");
    let at = stale(arena.alloc(1u64));
    drop(arena);
    at
}

fn value_in_the_shared_chunk(region: &Region) -> *const u8 {
    let mut arena = Arena::builder().region(region).max_shards(1).build().expect("an arena");
    arena.alloc(1u64);
    let other = || region.offset_of(stale(arena.alloc(2u64))).expect("inside");
    let offset = std::thread::scope(|scope| scope.spawn(other).join()).expect("no panic");
    arena.reset();
    leak(arena);
    region.base().as_ptr().wrapping_add(offset)
}

fn long_slice(region: &Region) -> *const u8 {
    let mut arena = Arena::in_region(region);
    let at = stale(arena.alloc_slice_fill_copy(LONG, 1u8));
    arena.reset();
    leak(arena);
    at
}

fn vector_dropped_in_an_arena(region: &Region) -> *const u8 {
    let arena = Arena::in_region(region);
    let vector = try_vec_with_capacity_in::<u8, _>(LONG, &arena).expect("room");
    let at = vector.as_ptr();
    drop(vector);
    leak(arena);
    at
}

fn slice_that_failed(region: &Region) -> *const u8 {
    let arena = Arena::in_region(region);
    let mut at = std::ptr::null();
    let failed = arena.alloc_slice_try_fill_with(LONG, |index| {
        let block = region.snapshot().extents.into_iter().find(|extent| extent.used && extent.len > LONG);
        at = region.base().as_ptr().wrapping_add(block.expect("an extent of its own").offset);
        if index == 1 { Err(()) } else { Ok(0u8) }
    });
    assert!(failed.is_err());
    leak(arena);
    at
}

fn block_of_a_block_arena(region: &Region) -> *const u8 {
    let mut arena = BlockArena::in_region(region);
    arena.allocate(4_000).expect("room");
    let at = arena.allocate(100).expect("room");
    drop(arena);
    at.as_ptr()
}

// ---- a stack's ------------------------------------------------------------------------------------------------------

fn value_before_a_rewind(region: &Region) -> *const u8 {
    let mut scratch = Scratch::in_region(region);
    scratch.alloc(1u8);
    let place = scratch.checkpoint();
    let values: Vec<_> = (0..400u64).map(|n| stale(scratch.alloc([n; 8]))).collect();
    scratch.rewind(place).expect("this stack's");
    leak(scratch);
    values[399]
}

fn value_of_a_scope(region: &Region) -> *const u8 {
    let mut scratch = Scratch::in_region(region);
    scratch.alloc(1u8);
    let values = scratch.scope(|scope| (0..400u64).map(|n| stale(scope.alloc([n; 8]))).collect::<Vec<_>>());
    leak(scratch);
    values[399]
}

fn vector_dropped_in_a_scope(region: &Region) -> *const u8 {
    let mut scratch = Scratch::in_region(region);
    let at = scratch.scope(|scope: &mut Scope<'_>| {
        let vector = try_vec_with_capacity_in::<u8, _>(LONG, &*scope).expect("room");
        let at = vector.as_ptr();
        drop(vector);
        at
    });
    leak(scratch);
    at
}

fn value_of_a_reset_stack(region: &Region) -> *const u8 {
    let mut scratch = Scratch::in_region(region);
    let at = stale(scratch.alloc(1u8));
    scratch.reset();
    leak(scratch);
    at
}

fn value_of_a_lent_stack(region: &Region) -> *const u8 {
    let arena = Arena::in_region(region);
    let at = stale(arena.scratch().alloc(1u64));
    leak(arena);
    at
}

/// What leaves something stale behind, and gives its address.
type Case = fn(&Region) -> *const u8;

const CASES: [(&str, Case); 19] = [
    ("block", block),
    ("last_byte", last_byte),
    ("block_of_a_checked_heap", block_of_a_checked_heap),
    ("block_of_a_batch", block_of_a_batch),
    ("block_that_moved_to_grow", block_that_moved_to_grow),
    ("value_before_a_reset", value_before_a_reset),
    ("value_of_a_dropped_arena", value_of_a_dropped_arena),
    ("value_in_a_chunk_that_was_left", value_in_a_chunk_that_was_left),
    ("value_in_a_chunk_of_odd_length", value_in_a_chunk_of_odd_length),
    ("value_in_the_shared_chunk", value_in_the_shared_chunk),
    ("long_slice", long_slice),
    ("vector_dropped_in_an_arena", vector_dropped_in_an_arena),
    ("slice_that_failed", slice_that_failed),
    ("block_of_a_block_arena", block_of_a_block_arena),
    ("value_before_a_rewind", value_before_a_rewind),
    ("value_of_a_scope", value_of_a_scope),
    ("vector_dropped_in_a_scope", vector_dropped_in_a_scope),
    ("value_of_a_reset_stack", value_of_a_reset_stack),
    ("value_of_a_lent_stack", value_of_a_lent_stack),
];

#[test]
fn stale_read_faults_only_when_guarded() {
    if let Some(task) = child::task() {
        let (name, mode) = task.split_once(' ').expect("two words");
        let region = Region::builder().capacity(4 << 20).huge_pages(false).guard_mode(mode == "guarded");
        let region = region.build().expect("a region");
        let (_, case) = CASES.iter().find(|(case, _)| *case == name).expect("a case");
        let at = case(&region);
        // SAFETY: the region's memory, which stands: readable, or the system ends the process here.
        let _byte = unsafe { at.read_volatile() };
        return;
    }
    let test = child::this_test!(stale_read_faults_only_when_guarded);
    for (name, _) in CASES {
        assert_eq!(child::signal_of(test, &format!("{name} guarded")), Some(SIGSEGV), "{name}");
        assert_eq!(child::signal_of(test, &format!("{name} open")), None, "{name}");
    }
}
