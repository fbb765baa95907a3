//! The later version of allocator-api2: its vectors in everything that is an allocator, beside those of the earlier
//! one.
#![expect(unsafe_code, reason = "calls an allocator by hand")]

use std::alloc::Layout;
use std::ptr::NonNull;

use crate::support::{assert_empty, heap, layout, steps};
use allocator_api2_04::alloc::Allocator;
use allocator_api2_04::boxed::Box as LaterBox;
use allocator_api2_04::vec::Vec as LaterVec;
use sharded_arena::collections::Vec;
use sharded_arena::{Arena, Heap, Scratch, collections};

fn bytes(block: NonNull<[u8]>) -> &'static mut [u8] {
    // SAFETY: a live block, initialised by the caller, who uses what this gives before the block goes.
    unsafe { &mut *block.as_ptr() }
}

/// Grows, shrinks, zeroes and refuses.
fn works(alloc: &(impl Allocator + Clone)) {
    // Dirty memory first, so that zeros are not there by chance.
    let dirty: std::vec::Vec<_> =
        (1..50).map(|len| (alloc.allocate(layout(len, 8)).expect("room"), layout(len, 8))).collect();
    for (block, layout) in dirty.into_iter().rev() {
        // SAFETY: a live block of as many bytes.
        unsafe { block.cast::<u8>().write_bytes(0xA5, block.len()) };
        assert!(bytes(block).iter().all(|byte| *byte == 0xA5));
        // SAFETY: its layout.
        unsafe { alloc.deallocate(block.cast(), layout) };
    }
    let (small, large, least) = (layout(100, 16), layout(900, 64), layout(40, 16));
    let block = alloc.allocate_zeroed(small).expect("room");
    assert!(block.len() == 100 && bytes(block).iter().all(|byte| *byte == 0));
    bytes(block).fill(7);
    // SAFETY: a live block of this layout.
    let block = unsafe { alloc.grow_zeroed(block.cast(), small, large) }.expect("room");
    assert_eq!((block.len(), block.cast::<u8>().addr().get() % 64), (900, 0));
    assert!(bytes(block)[..100].iter().all(|byte| *byte == 7) && bytes(block)[100..].iter().all(|byte| *byte == 0));
    // SAFETY: as above.
    assert!(unsafe { alloc.grow(block.cast(), large, layout(1 << 40, 64)) }.is_err());
    assert!(alloc.allocate(layout(1 << 40, 8)).is_err());
    // SAFETY: as above; the refusal left the block as it was.
    let block = unsafe { alloc.shrink(block.cast(), large, least) }.expect("room");
    assert!(block.len() == 40 && bytes(block).iter().all(|byte| *byte == 7));
    // SAFETY: as above.
    unsafe { alloc.deallocate(block.cast(), least) };
    assert_eq!(alloc.allocate(Layout::new::<()>()).expect("no bytes").len(), 0);

    let mut numbers = LaterVec::new_in(alloc.clone());
    for number in 0..steps(4_000) as u64 {
        numbers.push(LaterBox::new_in(number, alloc.clone()));
    }
    numbers.retain(|number| **number % 3 == 0);
    numbers.shrink_to_fit();
    assert!(numbers.iter().map(|number| **number).eq((0..steps(4_000) as u64).step_by(3)));
    assert!(numbers.try_reserve(1 << 40).is_err());
}

#[test]
fn later_vector_grows_shrinks_and_zeroes() {
    for checked in [false, true] {
        let heap = heap(4 << 20, checked);
        works(&heap);
        works(&&heap);
        works(&&heap.local());
        assert_empty(&heap);
    }
    works(&&Arena::with_capacity(8 << 20).expect("an arena"));
    Scratch::with_capacity(8 << 20).expect("a stack").scope(|scope| works(&&*scope));
}

/// The same values in either version's vector, and in the later one's in an arena.
type Both<'a> = (Vec<u64, &'a Heap>, LaterVec<u64, &'a Heap>, LaterVec<u64, &'a Arena>);

/// A block belongs to the heap, whichever version it came through.
#[test]
fn both_versions_share_one_heap() {
    let (heap, arena) = (heap(4 << 20, true), Arena::new());
    let earlier = |number: u64| collections::collect_in(0..number, &heap);
    let mut both: std::vec::Vec<Both<'_>> = std::vec::Vec::new();
    for number in 0..100 {
        let (mut later, mut in_arena) = (LaterVec::new_in(&heap), LaterVec::new_in(&arena));
        later.extend(0..number);
        in_arena.extend(0..number);
        both.push((earlier(number), later, in_arena));
    }
    for (number, (earlier, later, in_arena)) in (0..).zip(&both) {
        assert!(earlier.iter().eq(later) && earlier.iter().eq(in_arena) && earlier.len() == number);
    }
    std::thread::scope(|scope| scope.spawn(move || drop(both)).join()).expect("no panic");
    let layout = layout(64, 16);
    let block = sharded_arena::allocator_api2::alloc::Allocator::allocate(&heap, layout).expect("room");
    // SAFETY: a live block of this layout.
    unsafe { Allocator::deallocate(&heap, block.cast(), layout) };
    assert_empty(&heap);
}

/// Beside the old one no other block of the new length fits: it has to grow where it is.
#[test]
fn block_grows_zeroed_in_place() {
    macro_rules! grows {
        ($version:path, $alloc:expr) => {{
            use $version as Version;
            let (alloc, old, new) = ($alloc, layout(600 << 10, 16), layout(1 << 20, 16));
            let block = Version::allocate(alloc, new).expect("room");
            bytes(block).fill(0xA5);
            // SAFETY: a live block of this layout.
            let block = unsafe { Version::shrink(alloc, block.cast(), new, old) }.expect("it becomes shorter");
            // SAFETY: as above.
            let block = unsafe { Version::grow_zeroed(alloc, block.cast(), old, new) }.expect("grows in place");
            let (kept, zeros) = bytes(block).split_at(600 << 10);
            assert!(kept.iter().all(|byte| *byte == 0xA5) && zeros.iter().all(|byte| *byte == 0));
            // SAFETY: as above.
            unsafe { Version::deallocate(alloc, block.cast(), new) };
        }};
    }
    let heap = heap(1 << 20, false);
    grows!(allocator_api2_04::alloc::Allocator, &heap);
    grows!(sharded_arena::allocator_api2::alloc::Allocator, &heap);
    grows!(allocator_api2_04::alloc::Allocator, &heap.local());
    grows!(sharded_arena::allocator_api2::alloc::Allocator, &heap.local());
    assert_empty(&heap);
}
