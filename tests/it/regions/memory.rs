//! Regions as memory: sizes at the bounds, the caller's memory, pages, guards, wiping.
#![expect(unsafe_code, reason = "memory of the caller's; reads of freed and of forbidden bytes")]

use std::mem::MaybeUninit;
use std::ptr::NonNull;

#[cfg(all(target_os = "linux", not(miri)))]
use crate::support::{self, Random, assert_empty, churn, give, give_each, heap, layout, pages::resident, regrow, take};
#[cfg(all(target_os = "linux", not(miri)))]
use sharded_arena::{Arena, BumpRegion};
use sharded_arena::{Heap, Region, RegionBuilder, RegionError};

const MOST: usize = (64 << 30) - 4096;

#[test]
fn capacity_bounds_are_enforced() {
    assert!(matches!(Region::with_capacity(0), Err(RegionError::ZeroCapacity)));
    for bytes in [1, 16, 4_095] {
        assert!(matches!(Region::with_capacity(bytes), Err(RegionError::BelowLeast { .. })), "{bytes}");
        assert!(matches!(Heap::with_capacity(bytes), Err(RegionError::BelowLeast { .. })), "{bytes}");
    }
    for bytes in [MOST + 1, 64 << 30, 1 << 62, usize::MAX - 4_095, usize::MAX] {
        assert!(matches!(Region::with_capacity(bytes), Err(RegionError::AboveGreatest { .. })), "{bytes}");
        assert!(matches!(Heap::with_capacity(bytes), Err(RegionError::AboveGreatest { .. })), "{bytes}");
    }
    for (bytes, rounded, most) in
        [(4_096, 4_096, 4_096), (4_097, 8_192, 4_096), (8_191, 8_192, 7_680), (1_000_001, 1_003_520, 1_000_000)]
    {
        for checked in [false, true] {
            let heap = heap(bytes, checked);
            let region = heap.region().clone();
            assert_eq!((region.limit(), region.capacity()), (bytes, rounded), "the limit is what was asked for");
            let left = churn(&heap, &mut Random::seeded(0x517E), 3_000, 40);
            give_each(&heap, left);
            let whole = take(&heap, layout(most, 1)).expect("the longest that fits its size class and the limit");
            assert!(take(&heap, layout(bytes - most + 1, 1)).is_err());
            give(&heap, whole);
            assert_empty(&heap);
        }
    }
}

#[cfg(not(miri))]
#[test]
fn greatest_region_is_only_reserved() {
    for bytes in [MOST, MOST - 1, MOST - 4_096] {
        let heap = Heap::with_capacity(bytes).expect("address space");
        let region = heap.region();
        assert_eq!(region.capacity(), bytes.next_multiple_of(4_096));
        assert!(region.stats().metadata_bytes < 4 << 20, "{}", region.stats());
        let low = heap.alloc(layout(bytes / 16 * 16 - 16, 16)).expect("nearly all, untouched");
        let high = take(&heap, layout(16, 16)).expect("the rest");
        assert!(take(&heap, layout(16 + 4_096, 16)).is_err());
        assert_eq!(region.offset_of(low.cast::<u8>().as_ptr()).map(|at| at < 4_128), Some(true));
        give(&heap, high);
        // SAFETY: allocated above with this layout.
        unsafe { heap.free(low.cast(), layout(bytes / 16 * 16 - 16, 16)) };
        heap.flush();
        assert_eq!((heap.memory_usage(), region.stats().largest_free), (0, region.capacity()));
    }
}

#[test]
fn borrowed_memory_of_any_alignment_works() {
    let memory: &'static mut [u64] = Box::leak(vec![0x5A5A_5A5A_5A5A_5A5A_u64; 4_096].into_boxed_slice());
    let base = NonNull::from(&mut *memory).cast::<u8>();
    let whole = size_of_val(memory);
    for off in 1..64 {
        // SAFETY: `add`: inside the leaked slice.
        let start = unsafe { base.add(off) };
        for len in [4_096 + 15, 4_096 + 16, 5_000, 20_001] {
            // SAFETY: inside the leaked slice, and no other region over it is alive.
            let region = unsafe { Region::from_raw_parts(start, len) }.expect("at least 4 KiB after rounding");
            assert_eq!(region.base().addr().get() % 16, 0);
            assert!(region.base() >= start && region.capacity() <= len && region.capacity() + 31 > len);
            let heap = Heap::in_region(&region);
            let left = churn(&heap, &mut Random::new(0x0FF + off as u64), 300, 20);
            give_each(&heap, left);
            for align in [32, 256, 2_048] {
                give(&heap, take(&heap, layout(10, align)).expect("room"));
            }
            assert_eq!(region.trim(0), 0, "memory of the caller's is never trimmed");
            assert_empty(&heap);
        }
        // SAFETY: as above.
        let short = unsafe { Region::from_raw_parts(start, 4_095) };
        assert!(matches!(short, Err(RegionError::BelowLeast { given: 4_080..=4_095, least: 4_096, .. })), "{short:?}");
    }
    let untouched = memory[20_100 / 8..].iter().all(|word| *word == 0x5A5A_5A5A_5A5A_5A5A);
    assert!(untouched && whole == 32_768, "nothing behind the region is touched");
}

#[test]
fn unusable_borrowed_memory_is_an_error() {
    for len in [0, 1, 4_095] {
        let memory: &'static mut [MaybeUninit<u8>] = Box::leak(vec![MaybeUninit::uninit(); len].into_boxed_slice());
        let made = Region::over(memory);
        assert!(matches!(made, Err(RegionError::ZeroCapacity | RegionError::BelowLeast { .. })), "{len}: {made:?}");
    }
    let end = NonNull::new(std::ptr::without_provenance_mut::<u8>(usize::MAX - 100)).expect("not null");
    // SAFETY: refused before anything is touched.
    assert!(matches!(unsafe { Region::from_raw_parts(end, 4_096) }, Err(RegionError::Overflow)));
    let base = NonNull::new(std::ptr::without_provenance_mut::<u8>(4_096)).expect("not null");
    // SAFETY: as above.
    assert!(matches!(unsafe { Region::from_raw_parts(base, 1 << 40) }, Err(RegionError::AboveGreatest { .. })));
    let memory: &'static mut [MaybeUninit<u8>] = Box::leak(vec![MaybeUninit::uninit(); 10_000].into_boxed_slice());
    let (start, region) = (memory.as_ptr().addr(), Region::over(memory).expect("10,000 bytes"));
    assert!(region.contains(region.base().as_ptr()) && region.base().addr().get() - start < 16);
    assert!(!region.contains(region.base().as_ptr().wrapping_add(region.capacity())));
    assert!(!region.contains(region.base().as_ptr().wrapping_sub(1)));
}

/// The bytes of the region that are free and not `expected`.
fn stained(region: &Region, expected: u8) -> usize {
    let extents = region.snapshot().extents;
    extents
        .iter()
        .filter(|extent| !extent.used)
        .map(|extent| {
            // SAFETY: `add`: inside the region.
            let start = unsafe { region.base().add(extent.offset) };
            // SAFETY: the region's memory, zeroed by the system; nobody writes to it now.
            let bytes = unsafe { std::slice::from_raw_parts(start.as_ptr(), extent.len) };
            bytes.iter().filter(|byte| **byte != expected).count()
        })
        .sum()
}

#[test]
fn freed_memory_is_zeroed() {
    for checked in [false, true] {
        let region = Region::builder().capacity(512 << 10).zero_on_free(true).build().expect("a region");
        let heap = Heap::builder().region(&region).checked(checked).build().expect("a heap");
        let left = churn(&heap, &mut Random::seeded(0x2E80), 10_000, 200);
        assert_eq!(stained(&region, 0), 0, "beside live blocks");
        give_each(&heap, left);
        let mut long = take(&heap, layout(200_000, 8)).expect("room");
        for size in [150_000, 9_000, 100] {
            regrow(&heap, &mut long, layout(size, 8)).expect("a shrink");
            assert_eq!(stained(&region, 0), 0, "the tail that a shrink gives back");
        }
        give(&heap, long);
        let batch: Vec<_> = (0..100).map(|i| take(&heap, layout(1 + i * 13, 8)).expect("room")).collect();
        support::give_all(&heap, batch);
        assert_empty(&heap);
        assert_eq!(stained(&region, 0), 0);
    }
}

#[test]
fn freed_memory_is_poisoned() {
    let region = Region::builder().capacity(64 << 10).poison_on_free(true).build().expect("a region");
    let heap = Heap::in_region(&region);
    let whole = take(&heap, layout(64 << 10, 8)).expect("all of it");
    give(&heap, whole);
    assert_eq!(stained(&region, 0xDE), 0);
    let block = heap.alloc_zeroed(layout(1_000, 8)).expect("room");
    // SAFETY: a live, zeroed block.
    assert!(unsafe { block.as_ref() }.iter().all(|byte| *byte == 0));
    // SAFETY: live, with its layout.
    unsafe { heap.free(block.cast(), layout(1_000, 8)) };
    assert_eq!(stained(&region, 0xDE), 0);
}

#[test]
fn reused_zeroed_blocks_are_zero() {
    for checked in [false, true] {
        let heap = heap(256 << 10, checked);
        let mut random = Random::seeded(0x2E81);
        for _ in 0..3_000 {
            let layout = layout(1 + random.below(3_000), 8);
            give(&heap, take(&heap, layout).expect("room"));
            let block = heap.alloc_zeroed(layout).expect("room");
            // SAFETY: a live, zeroed block.
            assert!(unsafe { block.as_ref() }.iter().all(|byte| *byte == 0));
            // SAFETY: live, with its layout.
            unsafe { heap.free(block.cast(), layout) };
        }
        assert_empty(&heap);
    }
}

fn exact(capacity: usize) -> RegionBuilder {
    Region::builder().capacity(capacity).huge_pages(false)
}

#[cfg(all(target_os = "linux", not(miri)))]
#[test]
fn trim_returns_touched_pages() {
    let region = exact(32 << 20).build().expect("a region");
    assert_eq!(resident(&region), 0, "reserved is not touched");
    for checked in [false, true] {
        let heap = Heap::builder().region(&region).checked(checked).build().expect("a heap");
        let kept = take(&heap, layout(1 << 20, 4_096)).expect("room");
        let freed = take(&heap, layout(16 << 20, 4_096)).expect("room");
        assert_eq!(resident(&region), 17 << 20);
        give(&heap, freed);
        heap.flush();
        assert_eq!(resident(&region), 17 << 20, "a free keeps the pages");
        assert_eq!(region.trim(3 << 20), 13 << 20, "all but the first part, which is to be kept");
        assert_eq!(region.trim(0), 3 << 20);
        assert_eq!(resident(&region), 1 << 20, "what is live stays");
        kept.check();
        region.verify().expect("every byte is in one place");
        let again = heap.alloc(layout(16 << 20, 4_096)).expect("room");
        // SAFETY: the system's pages, fresh.
        assert!(unsafe { again.as_ref() }.iter().all(|byte| *byte == 0));
        // SAFETY: live, with its layout.
        unsafe { heap.free(again.cast(), layout(16 << 20, 4_096)) };
        give(&heap, kept);
        heap.flush();
        let _bytes = region.trim(0);
        assert_eq!((resident(&region), region.memory_usage()), (0, 0));
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
#[test]
fn trim_counts_only_resident_pages() {
    let region = exact(64 << 20).build().expect("a region");
    assert_eq!(region.trim(0), 0, "nothing was touched");
    let (heap, mut arena) = (Heap::in_region(&region), Arena::in_region(&region));
    for _ in 0..2 {
        give(&heap, take(&heap, layout(8 << 20, 4_096)).expect("room"));
        heap.flush();
        assert_eq!((region.trim(0), region.trim(0)), (8 << 20, 0), "the second time it is gone");
        arena.alloc_slice_fill_copy(8 << 20, 1_u8);
        arena.reset();
        let returned = arena.trim(0);
        assert!((8 << 20..=(8 << 20) + (8 << 10)).contains(&returned), "{returned}");
        assert_eq!((arena.trim(0), resident(&region)), (0, 0));
    }
}

/// Where the system gives huge pages to all, residency would not be exact to the page.
#[cfg(all(target_os = "linux", not(miri)))]
#[test]
fn huge_pages_are_declined_unless_wanted() {
    use crate::support::pages::{flags, flags_at};
    if !std::fs::exists("/sys/kernel/mm/transparent_hugepage").expect("sysfs") {
        return;
    }
    let built = |builder: RegionBuilder| builder.build().expect("a region");
    let builder = || Region::builder().capacity(8 << 20);
    let small = [exact(8 << 20), exact(64 << 10), exact(8 << 20).guard_mode(true), builder().guard_mode(true)];
    for region in small.map(built) {
        assert!(flags(&region).contains(" nh"), "{region:?}: {}", flags(&region));
    }
    let default = Region::with_capacity(64 << 10).expect("a region");
    assert!(flags(&default).contains(" nh"), "{default:?}");
    for region in [builder(), builder().huge_pages(true), exact(64 << 10).huge_pages(true)].map(built) {
        assert!(flags(&region).contains(" hg"), "{region:?}: {}", flags(&region));
    }
    let (arena, bump) = (Arena::new(), BumpRegion::with_capacity(64 << 10).expect("a region"));
    for value in [arena.alloc(1_u8), bump.alloc(1_u8)] {
        assert!(flags_at(value).contains(" nh"), "{}", flags_at(value));
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
#[test]
fn prefaulted_pages_are_resident_at_start() {
    let region = exact(8 << 20).prefault(true).build().expect("a region");
    assert_eq!(resident(&region), 8 << 20);
    let region = exact(64 << 10).lock_memory(true).build();
    if let Ok(region) = region {
        assert_eq!((resident(&region), region.trim(0)), (64 << 10, 0), "locked in memory");
    }
}

#[cfg(all(unix, not(miri)))]
#[test]
fn guard_pages_fault_past_either_end() {
    use crate::support::child::{self, SIGSEGV};
    if let Some(what) = child::task() {
        let region = exact(64 << 10).guard_mode(true).build().expect("a region");
        let last = region.base().as_ptr().wrapping_add(region.capacity() - 1);
        let at = match what.as_str() {
            "inside" => last,
            "behind" => last.wrapping_add(1),
            "before" => region.base().as_ptr().wrapping_sub(1),
            other => panic!("{other} is nothing to do"),
        };
        // SAFETY: inside the region, or in a guard page, where the system ends the process.
        let byte = unsafe { at.read_volatile() };
        assert_eq!(byte, 0);
        return;
    }
    let name = child::this_test!(guard_pages_fault_past_either_end);
    assert_eq!(child::signal_of(name, "inside"), None);
    assert_eq!(child::signal_of(name, "behind"), Some(SIGSEGV));
    assert_eq!(child::signal_of(name, "before"), Some(SIGSEGV));
}
