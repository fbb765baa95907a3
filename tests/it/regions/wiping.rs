//! Poison and zero on free: after every way to free something not a byte of it is left in the region's memory.
#![expect(unsafe_code, reason = "raw blocks, and the memory of a whole region")]

use std::alloc::Layout;
use std::ptr::NonNull;

use crate::support::layout;
use sharded_arena::allocator_api2::alloc::Allocator;
use sharded_arena::allocator_api2::vec::Vec as VecIn;
use sharded_arena::{Arena, BlockArena, Heap, Pool, Region, Scratch};

/// What values are made of; nothing else in a region is.
const MARK: u8 = 0x5A;

/// Bytes of `region` that are `byte`.
fn count(region: &Region, byte: u8) -> usize {
    // SAFETY: the region's memory, mapped and initialised: by the system, or by who had it; nobody writes meanwhile.
    let memory = unsafe { std::slice::from_raw_parts(region.base().as_ptr(), region.capacity()) };
    memory.split(|found| *found == byte).count() - 1
}

/// What is about to be freed is there.
fn assert_marked(region: &Region, least: usize) {
    let marked = count(region, MARK);
    assert!(marked >= least, "{marked} bytes are marked, not {least}");
}

/// A block of `size` bytes, all of them marked.
fn block_in(source: &impl Allocator, size: usize) -> (NonNull<u8>, Layout) {
    let layout = layout(size, 8);
    let block = source.allocate(layout).expect("room").cast::<u8>();
    // SAFETY: a fresh block of that size.
    unsafe { block.write_bytes(MARK, size) };
    (block, layout)
}

// ---- a heap ---------------------------------------------------------------------------------------------------------

fn heap_free(region: &Region) {
    for checked in [false, true] {
        let heap = Heap::builder().region(region).checked(checked).build().expect("a heap");
        for size in [1, 16, 500, 4_000, 9_000, 100_000] {
            let (block, layout) = block_in(&heap, size);
            assert_marked(region, size);
            // SAFETY: live, with its layout.
            unsafe { heap.free(block, layout) };
            assert_eq!(count(region, MARK), 0, "{size} bytes");
            let (block, layout) = block_in(&heap, size);
            // SAFETY: live, with its layout.
            unsafe { heap.try_free(block, layout) }.expect("live");
            assert_eq!(count(region, MARK), 0, "{size} bytes");
        }
    }
}

fn heap_batch(region: &Region) {
    let heap = Heap::in_region(region);
    let blocks: Vec<_> = [16, 16, 3_000, 20_000, 20_000].into_iter().map(|size| block_in(&heap, size)).collect();
    assert_marked(region, 43_032);
    // SAFETY: live, with their layouts.
    unsafe { heap.free_batch(blocks) };
}

fn heap_shrink(region: &Region) {
    let heap = Heap::in_region(region);
    let (mut block, mut old) = block_in(&heap, 100_000);
    for size in [50_000, 10_000, 900, 40] {
        // SAFETY: live, with its layout.
        block = unsafe { heap.shrink(block, old, layout(size, 8)) }.expect("in place").cast();
        old = layout(size, 8);
        assert!(count(region, MARK) < size + 128, "the tail, but for its class's rest, is free");
    }
    // SAFETY: live, with its layout.
    let none = unsafe { heap.shrink(block, old, layout(0, 8)) }.expect("nothing");
    assert_eq!((none.len(), count(region, MARK)), (0, 0));
}

fn heap_grow(region: &Region) {
    let heap = Heap::in_region(region);
    let (mut block, mut old) = block_in(&heap, 24);
    let beside: Vec<_> = (0..4).map(|_| block_in(&heap, 8)).collect();
    for size in [100, 3_000, 20_000, 60_000] {
        // SAFETY: live, with its layout.
        block = unsafe { heap.grow(block, old, layout(size, 8)) }.expect("room").cast();
        old = layout(size, 8);
        // Where it moved within itself its rest is as the bytes were.
        let rest = NonNull::new(block.as_ptr().wrapping_add(24)).expect("an address of the block");
        // SAFETY: all of the block but its first bytes.
        unsafe { rest.write_bytes(0, size - 24) };
        assert_eq!(count(region, MARK), 24 + 32, "where it moved from nothing is left");
    }
    // SAFETY: live, with their layouts.
    unsafe { heap.free_batch(beside.into_iter().chain([(block, old)])) };
}

fn heap_values(region: &Region) {
    let heap = Heap::in_region(region);
    let mut bytes = VecIn::new_in(&heap);
    (0..30_000).for_each(|_| bytes.push(MARK));
    assert_marked(region, 30_000);
    bytes.truncate(10_000);
    bytes.shrink_to_fit();
    assert_eq!(count(region, MARK), 10_000, "only where they are now");
}

// ---- an arena -------------------------------------------------------------------------------------------------------

/// Values of many lengths, in chunks and by themselves, on this thread and on one without a shard.
fn fill_arena(arena: &Arena) {
    let other = || _ = arena.alloc_slice_fill_copy(70, MARK);
    for size in [1, 9, 200, 5_000, 60_000] {
        arena.alloc_slice_fill_copy(size, MARK);
        std::thread::scope(|scope| scope.spawn(other).join()).expect("no panic");
    }
    arena.alloc_dropped([MARK; 33]);
}

fn arena_reset(region: &Region) {
    let mut arena = Arena::builder().region(region).max_shards(1).build().expect("an arena");
    for _ in 0..3 {
        fill_arena(&arena);
        assert_marked(region, 65_210);
        arena.reset();
        assert_eq!(count(region, MARK), 0);
    }
}

fn arena_drop(region: &Region) {
    let arena = Arena::in_region(region);
    fill_arena(&arena);
    assert_marked(region, 65_210);
}

fn arena_free(region: &Region) {
    let mut arena = Arena::builder().region(region).max_shards(1).build().expect("an arena");
    let check = |arena: &Arena| {
        for size in [5, 300, 40_000] {
            let (first, last) = (block_in(&arena, size), block_in(&arena, size));
            for (block, layout) in [first, last] {
                // SAFETY: live, with its layout.
                unsafe { (&arena).deallocate(block, layout) };
            }
            assert_eq!(count(region, MARK), 0, "{size} bytes");
        }
    };
    check(&arena);
    std::thread::scope(|scope| scope.spawn(|| check(&arena)).join()).expect("a thread on the shared chunk");
    arena.trim(0);
}

fn arena_resize(region: &Region) {
    let arena = Arena::builder().region(region).max_shards(1).build().expect("an arena");
    arena.alloc(0u64);
    let check = || {
        // The last block grows where it is, moved down to its alignment; then it moves; then it shrinks where it is.
        let (mut block, mut old) = block_in(&&arena, 5);
        let mut marked = 5;
        for size in [6, 7, 13, 200, 190, 3, 2] {
            let new = layout(size, 8);
            let resized = if size > old.size() {
                // SAFETY: live, with its layout.
                unsafe { (&arena).grow(block, old, new) }
            } else {
                // SAFETY: live, with its layout.
                unsafe { (&arena).shrink(block, old, new) }
            };
            (block, old, marked) = (resized.expect("room").cast(), new, marked.min(size));
            // Where it moved within itself its rest is as the bytes were.
            let rest = NonNull::new(block.as_ptr().wrapping_add(marked)).expect("an address of the block");
            // SAFETY: all of the block but its first bytes.
            unsafe { rest.write_bytes(0, size - marked) };
            assert_eq!(count(region, MARK), marked, "{size} bytes");
        }
        // SAFETY: live, with its layout.
        unsafe { (&arena).deallocate(block, old) };
        assert_eq!(count(region, MARK), 0);
    };
    check();
    std::thread::scope(|scope| scope.spawn(check).join()).expect("a thread on the shared chunk");
}

fn arena_values(region: &Region) {
    let arena = Arena::in_region(region);
    let refused = arena.alloc_try_with(|| Err::<u64, [u8; 100]>([MARK; 100]));
    assert_eq!(refused.expect_err("as asked for")[0], MARK);
    assert!(arena.alloc_slice_try_fill_with(700, |n| if n < 650 { Ok(MARK) } else { Err(n) }).is_err());
    assert_eq!(count(region, MARK), 0, "what was not kept");
    let kept = arena.alloc_from_iter((0..900).filter(|n| n % 2 == 0).map(|_| MARK)).len();
    assert_eq!(count(region, MARK), kept, "only where they are now");
}

// ---- a stack --------------------------------------------------------------------------------------------------------

fn fill_stack(scratch: &Scratch) {
    // More than the first chunk has room for, so that it is left.
    for size in [3, 80, 3_000, 3_000, 40_000].into_iter().chain([100; 60]) {
        scratch.alloc_slice_fill_copy(size, MARK);
    }
}

fn stack_rewind(region: &Region) {
    let mut scratch = Scratch::in_region(region);
    scratch.alloc_slice_fill_copy(100, MARK);
    let place = scratch.checkpoint();
    for _ in 0..3 {
        fill_stack(&scratch);
        assert_marked(region, 52_183);
        scratch.rewind(place).expect("this stack's");
        assert_eq!(count(region, MARK), 100);
        scratch.scope(|scope| {
            scope.alloc_slice_fill_copy(900, MARK);
            scope.alloc_slice_fill_copy(9_000, MARK);
        });
        assert_eq!(count(region, MARK), 100);
        let failed: Result<&mut u8, ()> = scratch.stage(|scope| {
            scope.alloc_slice_fill_copy(900, MARK);
            Err(())
        });
        assert_eq!((failed, count(region, MARK)), (Err(()), 100));
    }
    fill_stack(&scratch);
    scratch.reset();
    assert_eq!(count(region, MARK), 0);
    fill_stack(&scratch);
}

/// A string grows and is cut where it is made, at the end of the stack.
fn stack_resize(region: &Region) {
    let scratch = Scratch::in_region(region);
    let text = scratch.alloc_fmt(format_args!("{0}{0}{0}", "Z".repeat(333)));
    assert_eq!((text.len(), count(region, MARK)), (999, 999), "only where it is now");
}

fn stack_lent(region: &Region) {
    let arena = Arena::in_region(region);
    for _ in 0..3 {
        let lent = arena.scratch();
        lent.alloc_slice_fill_copy(700, MARK);
        lent.alloc_slice_fill_copy(30_000, MARK);
        assert_marked(region, 30_700);
        drop(lent);
        assert_eq!(count(region, MARK), 0, "it waits to be lent again");
    }
}

fn block_arena(region: &Region) {
    let mut arena = BlockArena::in_region(region);
    for size in [100, 3_000, 20_000] {
        let block = arena.allocate(size).expect("room");
        // SAFETY: a fresh block of that size.
        unsafe { block.write_bytes(MARK, size) };
    }
    assert_marked(region, 23_100);
}

/// What a value was is filled when it goes, by whatever way, not when the pool does.
fn pool(region: &Region) {
    let mut pool = Pool::in_region(region);
    let fill_up = |pool: &Pool<[u8; 100]>| [(); 5].map(|()| pool.insert([MARK; 100]).expect("room"));
    let keys = fill_up(&pool);
    assert_marked(region, 500);
    assert!(pool.remove(keys[0]) && pool.take(keys[1]) == Some([MARK; 100]));
    let guard = pool.get(keys[2]).expect("there");
    assert!(pool.remove(keys[2]));
    assert_eq!(count(region, MARK), 300, "the guarded one is there");
    drop(guard);
    assert_eq!(count(region, MARK), 200);
    assert_eq!(pool.drain().next(), Some((keys[3], [MARK; 100])));
    assert_eq!(count(region, MARK), 0, "a drain takes all");
    fill_up(&pool);
    pool.clear();
    assert_eq!(count(region, MARK), 0);
}

#[test]
fn freed_bytes_are_wiped() {
    let cases: [fn(&Region); 15] = [
        heap_free,
        heap_batch,
        heap_shrink,
        heap_grow,
        heap_values,
        arena_reset,
        arena_drop,
        arena_free,
        arena_resize,
        arena_values,
        stack_rewind,
        stack_resize,
        stack_lent,
        block_arena,
        pool,
    ];
    for (at, case) in cases.iter().enumerate() {
        for zero in [true, false] {
            let builder = Region::builder().capacity(320 << 10).zero_on_free(zero).poison_on_free(!zero);
            let region = builder.build().expect("a region");
            case(&region);
            assert_eq!((count(&region, MARK), region.memory_usage()), (0, 0), "case {at}, zero {zero}");
            let poisoned = count(&region, 0xDE);
            assert!(if zero { poisoned == 0 } else { poisoned > 400 }, "case {at}, zero {zero}: {poisoned} bytes");
        }
    }
}
