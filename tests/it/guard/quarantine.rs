//! Guard mode's quarantine: what waits in it, in which order it leaves, and what the index says of it meanwhile.
#![expect(unsafe_code, reason = "reads of freed bytes, frees of freed blocks")]

use std::ptr::NonNull;

use super::assert_rest_is_quarantined;
use crate::support::{Block, give, give_each, layout, take, try_give};
use sharded_arena::{FreeError, Heap, Region, RegionBuilder};

const PAGE: usize = 4096;

fn guarded(capacity: usize) -> RegionBuilder {
    Region::builder().capacity(capacity).guard_mode(true)
}

fn region(capacity: usize) -> Region {
    guarded(capacity).build().expect("a region")
}

/// Whether the process may read the byte at `at`, by the system's list of its mappings.
fn is_readable(at: NonNull<u8>) -> bool {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("procfs");
    let hex = |digits: &str| usize::from_str_radix(digits, 16).expect("an address");
    let covers = |range: &str| {
        let (start, end) = range.split_once('-').expect("a range");
        (hex(start)..hex(end)).contains(&at.addr().get())
    };
    let line = maps.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|line| covers(line[0]));
    line.expect("a mapping")[1].starts_with('r')
}

// ---- the quarantine -------------------------------------------------------------------------------------------------

/// `count` blocks of `bytes` bytes, freed in order; their addresses.
fn free_in_order(heap: &Heap, count: usize, bytes: usize) -> Vec<NonNull<u8>> {
    let blocks: Vec<Block> = (0..count).map(|_| take(heap, layout(bytes, 1)).expect("room")).collect();
    let places = blocks.iter().map(Block::ptr).collect();
    give_each(heap, blocks);
    places
}

#[test]
fn quarantine_is_capped_usage() {
    let region = region(4 << 20);
    let heap = Heap::in_region(&region);
    let places = free_in_order(&heap, 24, 64 << 10);
    let stats = region.stats();
    assert_eq!((heap.memory_usage(), stats.usage, stats.quarantined), (0, 1 << 20, 1 << 20), "{stats}");
    assert!(stats.to_string().contains("quarantined 1048576"), "{stats}");
    let readable: Vec<bool> = places.iter().map(|at| is_readable(*at)).collect();
    assert_eq!(readable, (0..24).map(|at| at < 8).collect::<Vec<_>>(), "the oldest have left");
    assert_rest_is_quarantined(&region);
    assert!(places.iter().all(|at| is_readable(*at)));
    let whole = take(&heap, layout(4 << 20, 1)).expect("all of it");
    give(&heap, whole);
    assert_eq!(region.stats().quarantined, 4 << 20, "the one freed last waits, however long it is");
    drop(free_in_order(&heap, 1, 64 << 10));
    assert_eq!(region.stats().quarantined, 64 << 10);
    assert_rest_is_quarantined(&region);
}

#[test]
fn quarantine_holds_1024_extents() {
    let region = region(64 << 20);
    let heap = Heap::builder().region(&region).checked(true).build().expect("a heap");
    let places = free_in_order(&heap, 1_500, 2 * PAGE);
    assert_eq!(region.stats().quarantined, 1024 * 2 * PAGE);
    assert!(is_readable(places[475]) && !is_readable(places[476]));
    assert_rest_is_quarantined(&region);
}

#[test]
fn oldest_extents_leave_as_needed() {
    let region = region(1 << 20);
    let heap = Heap::in_region(&region);
    let kept = take(&heap, layout(768 << 10, 1)).expect("room");
    let places = free_in_order(&heap, 4, 64 << 10);
    assert!(places.iter().all(|at| !is_readable(*at)));
    let mut taken = Vec::new();
    for oldest in &places {
        let block = take(&heap, layout(64 << 10, 1)).expect("not refused");
        assert_eq!(block.ptr(), *oldest, "the oldest is used again first");
        taken.push(block);
        assert_eq!(places.iter().filter(|at| is_readable(**at)).count(), taken.len());
    }
    let refused = take(&heap, layout(PAGE, 1)).expect_err("the region is full");
    assert_eq!((refused.usage, refused.limit), (1 << 20, 1 << 20));
    give_each(&heap, taken.into_iter().chain([kept]));
    assert_rest_is_quarantined(&region);
}

#[test]
fn hopeless_request_keeps_the_quarantine() {
    let region = region(1 << 20);
    let heap = Heap::builder().region(&region).limit(512 << 10).build().expect("a heap");
    let kept = take(&heap, layout(384 << 10, 1)).expect("room");
    drop(free_in_order(&heap, 2, 64 << 10));
    heap.alloc(layout(2 << 20, 1)).expect_err("longer than the region");
    heap.alloc(layout(256 << 10, 1)).expect_err("above the heap's own limit");
    assert_eq!(region.stats().quarantined, 128 << 10);
    region.reserve(768 << 10).expect_err("beside a live block");
    assert_eq!(region.stats().quarantined, 128 << 10);
    let reserved = region.reserve(640 << 10).expect("what is free, and what waits");
    assert_eq!(region.stats().quarantined, 0);
    drop(reserved);
    give(&heap, kept);
    assert_rest_is_quarantined(&region);
}

#[test]
fn double_free_is_detected() {
    for checked in [false, true] {
        let region = region(4 << 20);
        let heap = Heap::builder().region(&region).checked(checked).build().expect("a heap");
        let (first, again) = (layout(64 << 10, 1), layout(60 << 10, 1));
        let block = take(&heap, first).expect("room");
        let at = block.ptr();
        // SAFETY: of another length, so nothing is freed.
        assert_eq!(unsafe { heap.try_free(at, again) }, Err(FreeError::WrongLayout));
        block.check();
        try_give(&heap, block).expect("live");
        for layout in [first, again] {
            // SAFETY: freed, which the index knows, so nothing is changed.
            assert_eq!(unsafe { heap.try_free(at, layout) }, Err(FreeError::NotLive));
        }
        let inside = NonNull::new(at.as_ptr().wrapping_add(PAGE)).expect("an address of the region");
        // SAFETY: as above.
        assert_eq!(unsafe { heap.try_free(inside, layout(PAGE, 1)) }, Err(FreeError::Interior));
        // SAFETY: as above.
        let free = || unsafe { heap.free(at, first) };
        if checked {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(free)).expect_err("reported");
        } else {
            free();
            // SAFETY: as above.
            unsafe { heap.free_batch([(at, first), (at, first)]) };
            assert_eq!(heap.stats().invalid_frees, 3);
        }
        assert_eq!((heap.memory_usage(), region.stats().quarantined), (0, 64 << 10));
        assert_rest_is_quarantined(&region);
    }
}

// ---- beside other options -------------------------------------------------------------------------------------------

#[test]
fn quarantined_pages_hold_no_memory() {
    for (zero, poison, byte) in [(false, false, 0), (true, false, 0), (false, true, 0xDE)] {
        let region = guarded(1 << 20).zero_on_free(zero).poison_on_free(poison).build().expect("a region");
        let heap = Heap::in_region(&region);
        let block = take(&heap, layout(256 << 10, 1)).expect("room");
        let at = block.ptr();
        give(&heap, block);
        assert!(!is_readable(at));
        region.flush_quarantine();
        // SAFETY: the region's memory, free and readable again: fresh pages, or what the free has filled them with.
        let bytes = unsafe { std::slice::from_raw_parts(at.as_ptr(), 256 << 10) };
        assert!(bytes.iter().all(|found| *found == byte), "zero {zero}, poison {poison}");
        assert_rest_is_quarantined(&region);
    }
}

#[test]
fn locked_memory_is_guarded() {
    let Ok(region) = guarded(256 << 10).lock_memory(true).build() else { return };
    let heap = Heap::in_region(&region);
    for _ in 0..20 {
        let block = take(&heap, layout(128 << 10, 1)).expect("never refused");
        let at = block.ptr();
        give(&heap, block);
        assert!(!is_readable(at));
    }
    assert_rest_is_quarantined(&region);
}

/// Whether the system was asked for huge pages in the mapping that begins at the region's base.
fn asked_for_huge_pages(region: &Region) -> bool {
    let smaps = std::fs::read_to_string("/proc/self/smaps").expect("procfs");
    let mapping = smaps.split_once(&format!("{:x}-", region.base().addr())).expect("between its guard pages").1;
    let flags = mapping.split_once("VmFlags:").expect("a line of flags").1.lines().next().expect("flags");
    flags.split_whitespace().any(|flag| flag == "hg")
}

#[test]
fn huge_pages_split_only_on_request() {
    assert!(!asked_for_huge_pages(&region(8 << 20)));
    let region = guarded(8 << 20).huge_pages(true).build().expect("a region");
    assert!(asked_for_huge_pages(&region) || !std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists());
    let heap = Heap::in_region(&region);
    let kept = take(&heap, layout(64 << 10, 1)).expect("room");
    let places = free_in_order(&heap, 4, 64 << 10);
    assert!(places.iter().all(|at| !is_readable(*at)));
    give(&heap, kept);
    assert_rest_is_quarantined(&region);
}

#[test]
fn trim_keeps_the_quarantine() {
    let region = region(4 << 20);
    let heap = Heap::in_region(&region);
    let places = free_in_order(&heap, 4, 64 << 10);
    assert_eq!(region.trim(0), 0, "what was touched waits, and is no longer resident");
    assert!(places.iter().all(|at| !is_readable(*at)));
    assert_eq!(region.stats().quarantined, 256 << 10);
    let snapshot = region.snapshot();
    let used: usize = snapshot.extents.iter().filter(|extent| extent.used).map(|extent| extent.len).sum();
    assert_eq!((used, snapshot.usage), (256 << 10, 256 << 10));
    assert_rest_is_quarantined(&region);
}

#[test]
fn borrowed_memory_is_not_guarded() {
    let memory = vec![std::mem::MaybeUninit::<u8>::uninit(); 1 << 20].leak();
    for region in [Region::over(memory).expect("a region"), Region::with_capacity(1 << 20).expect("a region")] {
        let heap = Heap::in_region(&region);
        let places = free_in_order(&heap, 4, 64 << 10);
        assert!(places.iter().all(|at| is_readable(*at)));
        assert_eq!((region.memory_usage(), region.stats().quarantined, region.flush_quarantine()), (0, 0, 0));
    }
}

#[test]
fn long_blocks_begin_on_pages() {
    let region = region(64 << 10);
    let heap = Heap::builder().region(&region).checked(true).quarantine(0).build().expect("a heap");
    let _aside = take(&heap, layout(16, 1)).expect("room");
    let long = take(&heap, layout(PAGE + 16, 1)).expect("room");
    assert_eq!(long.ptr().addr().get() % PAGE, 0);
    give(&heap, long);
    region.flush_quarantine();
    // Only a place that begins within a page is left.
    let mut small: Vec<_> = std::iter::from_fn(|| take(&heap, layout(16, 1)).ok()).collect();
    small.sort_unstable_by_key(Block::ptr);
    let places: Vec<_> = small.iter().map(Block::ptr).collect();
    give_each(&heap, small.drain(100..100 + PAGE / 16));
    let block = take(&heap, layout(PAGE, 1)).expect("it fits");
    assert_eq!((block.ptr(), block.ptr().addr().get() % PAGE), (places[100], 1_600));
}
