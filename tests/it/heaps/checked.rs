//! Checked mode: a wrong free is reported at the call, on whichever thread; `try_free` says what is wrong in any mode;
//! and the quarantine gives way before a request is refused.
#![expect(unsafe_code, reason = "frees that are wrong")]

use std::alloc::Layout;
use std::ptr::NonNull;

use crate::support::{Random, assert_empty, churn, give, give_each, heap, layout, panic_text_and_file, take, try_give};
use sharded_arena::{FreeError, Heap, Region};

/// An address that is sent to another thread.
#[derive(Clone, Copy)]
struct Address(NonNull<u8>);

// SAFETY: an address; what may be done with it is decided where it is used.
unsafe impl Send for Address {}

/// The same wrong free through every door: `free` and a local handle's, here and on another thread.
fn reported_everywhere(heap: &Heap, ptr: NonNull<u8>, layout: Layout, error: FreeError) {
    let figures = (heap.stats(), heap.region().snapshot());
    // SAFETY: wrong on purpose; a checked heap refuses it.
    assert_eq!(unsafe { heap.try_free(ptr, layout) }, Err(error));
    let address = Address(ptr);
    let at = format!("{ptr:p}");
    let expect = |(message, file): (String, String)| {
        assert!(message.starts_with(&error.to_string()), "{message}");
        assert!(message.contains(&format!("{} bytes", layout.size())) && message.contains(&at), "{message}");
        assert!(file.ends_with("checked.rs"), "the panic names the caller, not {file}");
    };
    // SAFETY: as above.
    expect(panic_text_and_file(|| unsafe { heap.free(ptr, layout) }));
    // SAFETY: as above.
    expect(panic_text_and_file(|| unsafe { heap.local().free(ptr, layout) }));
    // SAFETY: as above.
    let (batch, _) = panic_text_and_file(|| unsafe { heap.free_batch([(ptr, layout)]) });
    assert!(batch.starts_with(&error.to_string()), "{batch}");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let address = address;
            // SAFETY: as above.
            expect(panic_text_and_file(|| unsafe { heap.free(address.0, layout) }));
        });
    });
    assert_eq!((heap.stats(), heap.region().snapshot()), figures, "a refused free changes nothing");
    heap.region().verify().expect("every byte is in one place");
}

#[test]
fn double_free_is_reported() {
    for size in [1, 24, 600, 8_000, 100_000] {
        let heap = heap(1 << 20, true);
        let block = take(&heap, layout(size, 8)).expect("empty");
        let (ptr, layout) = (block.ptr(), block.layout());
        give(&heap, block);
        reported_everywhere(&heap, ptr, layout, FreeError::NotLive);
        heap.flush();
        reported_everywhere(&heap, ptr, layout, FreeError::NotLive);
        assert_empty(&heap);
    }
}

#[test]
fn interior_free_is_reported() {
    let heap = heap(1 << 20, true);
    for (size, step) in [(100, 1), (100, 16), (8_000, 4_096), (100_000, 99_984)] {
        let block = take(&heap, layout(size, 16)).expect("empty");
        // SAFETY: `add`: inside the block.
        let inside = unsafe { block.ptr().add(step) };
        reported_everywhere(&heap, inside, layout(size - step, 1), FreeError::Interior);
        give(&heap, block);
    }
    assert_empty(&heap);
}

#[test]
fn foreign_free_is_reported() {
    let (heap, other) = (heap(1 << 20, true), heap(1 << 20, false));
    let foreign = take(&other, layout(64, 8)).expect("empty");
    let on_the_stack = 0_u64;
    reported_everywhere(&heap, foreign.ptr(), layout(64, 8), FreeError::OutOfRegion);
    reported_everywhere(&heap, NonNull::from(&on_the_stack).cast(), layout(8, 8), FreeError::OutOfRegion);
    reported_everywhere(&heap, NonNull::dangling(), layout(8, 1), FreeError::OutOfRegion);
    let base = heap.region().base();
    let end = NonNull::new(base.as_ptr().wrapping_add(1 << 20)).expect("not null");
    reported_everywhere(&heap, end, layout(8, 1), FreeError::OutOfRegion);
    reported_everywhere(&heap, base, layout(8, 1), FreeError::NotLive);
    give(&other, foreign);
}

#[test]
fn wrong_layout_is_reported() {
    let heap = heap(1 << 20, true);
    let block = take(&heap, layout(100, 8)).expect("empty");
    for size in [1, 96, 113, 200, 8_193, 1 << 19, isize::MAX as usize / 2] {
        reported_everywhere(&heap, block.ptr(), layout(size, 8), FreeError::WrongLayout);
    }
    let ptr = block.ptr();
    let there = format!("at {ptr:p}, where the block has 112 bytes");
    // SAFETY: wrong on purpose; a checked heap refuses it.
    let (text, _) = panic_text_and_file(|| unsafe { heap.free(ptr, layout(200, 8)) });
    assert!(text.ends_with(&there), "{text}");
    // SAFETY: as above.
    let (text, _) = panic_text_and_file(|| unsafe { _ = heap.grow(ptr, layout(200, 8), layout(300, 8)) });
    assert!(text.ends_with(&there), "{text}");
    // Any size up to what is usable is the same block.
    // SAFETY: a live block; 112 bytes are usable.
    unsafe { heap.free(ptr, layout(112, 8)) };
    heap.flush();
    assert_eq!(heap.memory_usage(), 0);
}

#[test]
fn try_free_is_exact() {
    for checked in [false, true] {
        let heap = heap(1 << 20, checked);
        let blocks: Vec<_> = (0..50).map(|i| take(&heap, layout(1 + i * 97, 8)).expect("room")).collect();
        for block in blocks {
            let (ptr, right) = (block.ptr(), block.layout());
            // SAFETY: wrong on purpose: `try_free` checks.
            let wrong = unsafe { heap.try_free(ptr, layout(right.size() + 512, 8)) };
            assert_eq!(wrong, Err(FreeError::WrongLayout));
            assert_eq!(try_give(&heap, block), Ok(()));
            // SAFETY: as above.
            let twice = unsafe { heap.try_free(ptr, right) };
            assert!(matches!(twice, Err(FreeError::NotLive | FreeError::Interior)), "{twice:?}");
        }
        // SAFETY: nothing is at the address; `try_free` checks.
        assert_eq!(unsafe { heap.try_free(NonNull::dangling(), layout(8, 1)) }, Err(FreeError::OutOfRegion));
        // SAFETY: no bytes, no block.
        assert_eq!(unsafe { heap.try_free(NonNull::dangling(), layout(0, 1)) }, Ok(()));
        assert_empty(&heap);
    }
}

#[test]
fn unchecked_double_free_is_counted() {
    let heap = heap(1 << 20, false);
    let block = take(&heap, layout(40, 8)).expect("empty");
    let (ptr, layout) = (block.ptr(), block.layout());
    give(&heap, block);
    // SAFETY: wrong on purpose; nothing is allocated before the flush, so nobody is given the block twice.
    unsafe { heap.free(ptr, layout) };
    heap.flush();
    assert_eq!((heap.stats().invalid_frees, heap.memory_usage()), (1, 0));
    heap.region().verify().expect("every byte is in one place");
}

#[test]
fn quarantine_is_released_before_refusal() {
    let heap = heap(1 << 20, true);
    let piece = layout(4_096, 16);
    for _round in 0..3 {
        let blocks: Vec<_> = (0..256).map(|_| take(&heap, piece).expect("256 fill the region")).collect();
        assert!(take(&heap, layout(1, 1)).is_err());
        give_each(&heap, blocks);
        assert_eq!(heap.memory_usage(), 1 << 20, "all of it waits");
    }
    let whole = take(&heap, layout(1 << 20, 16)).expect("the quarantine gives way");
    give(&heap, whole);
    assert_empty(&heap);
}

/// As memory in a depot, memory in quarantine is idle: whoever shares the region is not refused beside it.
#[test]
fn quarantines_of_other_heaps_are_released() {
    for checked in [false, true] {
        let region = Region::with_capacity(1 << 20).expect("a region");
        let waiting = Heap::builder().region(&region).checked(true).build().expect("a heap");
        let asking = Heap::builder().region(&region).checked(checked).build().expect("a heap");
        let blocks: Vec<_> = (0..200).map(|_| take(&waiting, layout(4_096, 16)).expect("room")).collect();
        give_each(&waiting, blocks);
        let large = take(&asking, layout(900 << 10, 16)).expect("only idle memory is in the way");
        give(&asking, large);
        asking.flush();
        assert_empty(&waiting);
    }
}

#[test]
fn oldest_blocks_leave_quarantine_first() {
    let heap = Heap::builder().capacity(1 << 20).checked(true).quarantine(4).build().expect("a heap");
    let blocks: Vec<_> = (0..6).map(|_| take(&heap, layout(64, 8)).expect("room")).collect();
    let usage = heap.memory_usage();
    for (i, block) in blocks.into_iter().enumerate() {
        give(&heap, block);
        assert_eq!(heap.memory_usage(), usage - 64 * (i + 1).saturating_sub(4));
    }
    assert_empty(&heap);
    let none = Heap::builder().capacity(1 << 20).checked(true).quarantine(0).build().expect("a heap");
    let block = take(&none, layout(64, 8)).expect("empty");
    let (ptr, layout) = (block.ptr(), block.layout());
    give(&none, block);
    assert_eq!(none.memory_usage(), 0, "nothing waits");
    reported_everywhere(&none, ptr, layout, FreeError::NotLive);
}

#[test]
fn concurrent_scripts_get_no_false_report() {
    for quarantine in [0, 1, 256, 5_000] {
        let heap = Heap::builder().capacity(2 << 20).checked(true).quarantine(quarantine).build().expect("a heap");
        let threads: Vec<_> = (0..4)
            .map(|seed| {
                let heap = heap.clone();
                std::thread::spawn(move || churn(&heap, &mut Random::seeded(0xC0 + seed), 5_000, 300))
            })
            .collect();
        for thread in threads {
            give_each(&heap, thread.join().expect("no panic"));
        }
        assert_empty(&heap);
    }
}
