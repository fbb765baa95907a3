//! The region's own tests: what a turn of trimming may not disturb.
#![expect(unsafe_code, reason = "frees blocks")]

use core::alloc::Layout;
use std::cell::Cell;

use super::Region;
use crate::Heap;
use crate::base::error::{AllocErrorKind, FreeError};

fn bytes(len: usize) -> Layout {
    Layout::array::<u8>(len).expect("a small layout")
}

#[test]
fn a_trimming_extent_is_no_live_block_to_a_stale_free() {
    let region = Region::with_capacity(16 << 20).expect("a region");
    let heap = Heap::in_region(&region);
    let layout = bytes(8 << 20);
    let stale = heap.alloc(layout).expect("a block").cast();
    // SAFETY: live, with its layout.
    unsafe { heap.free(stale, layout) };
    let (offset, turns) = (region.offset_of(stale.as_ptr()).expect("inside"), Cell::new(0));
    region.trim_with(0, |start, len| {
        if (start..start + len).contains(&offset) {
            // SAFETY: `NonNull::add`: inside the region.
            let at = unsafe { region.base().add(start) };
            // SAFETY: nothing is live there, so there is nothing to lose.
            let refused = unsafe { heap.try_free(at, bytes(len)) };
            assert_eq!(refused, Err(FreeError::NotLive));
            turns.set(turns.get() + 1);
        }
        len
    });
    assert!(turns.get() > 0, "the extent was trimmed");
    region.verify().expect("every byte in one place");
    assert_eq!((region.memory_usage(), region.stats().extents_free), (0, 1));
}

#[test]
fn every_part_of_a_long_free_extent_has_its_turn() {
    let region = Region::with_capacity(128 << 20).expect("a region");
    let trimmed = |keep| region.trim_with(keep, |_, len| len);
    assert_eq!(trimmed(0), 128 << 20);
    assert_eq!(trimmed(40 << 20), 88 << 20);
}

#[test]
fn a_limit_above_the_capacity_bounds_slack_and_pressure_by_the_capacity() {
    let region = Region::builder().capacity(1 << 20).limit(usize::MAX).build().expect("a region");
    let heap = Heap::in_region(&region);
    let refused = heap.alloc(bytes(2 << 20)).expect_err("there is no such memory");
    assert_eq!(refused.kind, AllocErrorKind::Fragmented);
    assert_eq!(region.budget().slack(), 64 << 10);
    assert!(region.reserve(2 << 20).is_err());
    let held: Vec<_> = core::iter::from_fn(|| heap.alloc(bytes(4000)).ok()).collect();
    for block in held {
        // SAFETY: live, with its layout.
        unsafe { heap.free(block.cast(), bytes(4000)) };
    }
    for _ in 0..10_000 {
        let block = heap.alloc(bytes(100)).expect("a block");
        // SAFETY: live, with its layout.
        unsafe { heap.free(block.cast(), bytes(100)) };
    }
    assert!(region.stats().leased > 0, "pressure has ended");
}

#[test]
fn a_reservation_gets_what_ended_threads_left_idle() {
    let region = Region::with_capacity(1 << 20).expect("a region");
    let heap = Heap::in_region(&region);
    let other = heap.clone();
    std::thread::spawn(move || {
        let blocks: Vec<_> = (0..32).map(|_| other.alloc(bytes(256)).expect("a block")).collect();
        for block in blocks {
            // SAFETY: live, with its layout.
            unsafe { other.free(block.cast(), bytes(256)) };
        }
    })
    .join()
    .expect("the thread ends");
    assert!(region.memory_usage() > 0, "its shard is idle");
    let reservation = region.reserve(1 << 20).expect("nothing is live");
    assert_eq!((reservation.remaining(), region.memory_usage()), (1 << 20, 1 << 20));
    drop(reservation);
    assert_eq!(region.memory_usage(), 0);
}

#[test]
fn a_request_gets_what_its_own_thread_holds_idle_in_another_heap() {
    let region = Region::with_capacity(64 << 10).expect("a region");
    let (idle, wanting) = (Heap::in_region(&region), Heap::in_region(&region));
    let block = idle.alloc(bytes(256)).expect("a block");
    // SAFETY: live, with its layout.
    unsafe { idle.free(block.cast(), bytes(256)) };
    assert!(idle.memory_usage() > 0);
    let block = wanting.alloc(bytes(64)).expect("a block");
    // SAFETY: live, with its layout.
    unsafe { wanting.free(block.cast(), bytes(64)) };
    assert!(wanting.alloc(bytes(64 << 10)).is_ok(), "nothing is live");
}
