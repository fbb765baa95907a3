//! `arena_allocator`: an address range that is reserved at once and becomes memory as it is used, and whose stale
//! references fault. In the original that is one thread's cursor over `mmap` and `mprotect`.
#![expect(unsafe_code, reason = "touches bytes of blocks, reads what was freed")]

use std::alloc::Layout;
use std::collections::BTreeSet;
use std::ptr::NonNull;

use crate::support::{
    Block, Random,
    child::{self, SIGSEGV},
    give, give_each, layout,
    pages::{PAGE, present, resident},
    regrow, steps, take,
};
use sharded_arena::{Arena, BlockArena, Heap, Region, RegionBuilder, Scratch};

/// A region without huge pages, which are 512 pages at a time.
fn exact(capacity: usize) -> RegionBuilder {
    Region::builder().capacity(capacity).huge_pages(false)
}

fn built(builder: RegionBuilder) -> Region {
    builder.build().expect("a region")
}

fn at<T: ?Sized>(value: &T) -> usize {
    std::ptr::from_ref(value).addr()
}

// ---- match exactly --------------------------------------------------------------------------------------------------

/// The original reserves its range once; what it hands out later lies in it, and nothing is moved.
#[test]
fn arena_allocator__base_never_moves() {
    let region = built(exact(256 << 20));
    let base = region.base();
    let (mut arena, heap) = (Arena::in_region(&region), Heap::in_region(&region));
    let first = heap.alloc(layout(100, 8)).expect("room").cast::<u8>();
    for round in 0..4_u64 {
        let values: Vec<&mut [u64]> = (0..2000).map(|n| arena.alloc_slice_fill_copy(500, round + n)).collect();
        let places: Vec<usize> = values.iter().map(|value| at(&**value)).collect();
        let block = take(&heap, layout(100 << 20, 64)).expect("room");
        region.set_limit((200 << 20) + 16 * usize::try_from(round).expect("a small number"));
        let again = region.clone();
        assert_eq!((again.base(), region.base(), region.capacity()), (base, base, 256 << 20));
        assert!(values.iter().zip(&places).all(|(value, place)| at(&**value) == *place && value[499] == value[0]));
        assert!((0..).zip(&values).all(|(n, value)| value[0] == round + n));
        assert_eq!(region.offset_of(block.ptr().as_ptr()), Some(block.ptr().addr().get() - base.addr().get()));
        give(&heap, block);
        arena.reset();
        region.trim(0);
        assert!(region.contains(first.as_ptr()), "what is live is where it was");
    }
    // SAFETY: live, with its layout.
    unsafe { heap.free(first, layout(100, 8)) };
}

/// The original commits as its cursor rises, twice what is needed.
#[test]
fn arena_allocator__only_touched_pages_are_resident() {
    let region = built(exact(64 << 20));
    assert_eq!(resident(&region), 0, "reserved is not touched");
    let heap = Heap::in_region(&region);
    let block = heap.alloc(layout(32 << 20, PAGE)).expect("room").cast::<u8>();
    assert_eq!(resident(&region), 0, "nor is handed out");
    let (mut random, mut touched) = (Random::seeded(0xAA1), BTreeSet::new());
    let first = region.offset_of(block.as_ptr()).expect("inside") / PAGE;
    for _ in 0..500 {
        let byte = random.below(32 << 20);
        // SAFETY: `add`: inside the block.
        let byte_at = unsafe { block.add(byte) };
        // SAFETY: a live block's byte.
        unsafe { byte_at.write(1) };
        touched.insert(first + byte / PAGE);
    }
    let found: BTreeSet<usize> =
        (0..).zip(present(&region)).filter(|(_, there)| *there).map(|(page, _)| page).collect();
    assert!(found == touched, "{} pages resident, {} touched", found.len(), touched.len());
    // SAFETY: live, with its layout.
    unsafe { heap.free(block, layout(32 << 20, PAGE)) };
}

/// The original protects what it decommits and keeps the memory.
#[test]
fn arena_allocator__after_a_trim_pages_are_gone() {
    let region = built(exact(64 << 20));
    let (mut arena, heap) = (Arena::in_region(&region), Heap::in_region(&region));
    for _ in 0..3 {
        let kept = take(&heap, layout(PAGE, PAGE)).expect("room");
        let freed = take(&heap, layout(16 << 20, PAGE)).expect("room");
        arena.alloc_slice_fill_copy(8 << 20, 7_u8);
        let at = freed.ptr();
        give(&heap, freed);
        arena.reset();
        assert!(resident(&region) >= 24 << 20, "freed is not gone");
        arena.trim(0);
        heap.flush();
        region.trim(0);
        assert!(resident(&region) <= PAGE + (64 << 10), "{} bytes resident", resident(&region));
        kept.check();
        // SAFETY: the region's memory, free: readable, and fresh from the system.
        assert_eq!(unsafe { at.read_volatile() }, 0);
        give(&heap, kept);
    }
}

/// The original's array grows by more pages behind it, at its place.
#[test]
fn arena_allocator__growth_in_place() {
    let region = built(exact(64 << 20));
    let heap = Heap::in_region(&region);
    // The upper of two blocks is freed, and the lower one grows into it.
    let mut lower = take(&heap, layout(16 << 20, PAGE)).expect("room");
    let upper = take(&heap, layout(32 << 20, PAGE)).expect("room");
    give(&heap, upper);
    let (place, peak) = (lower.ptr(), heap.peak_memory_usage());
    let before = resident(&region);
    for megabytes in [17, 20, 40, 48] {
        regrow(&heap, &mut lower, layout(megabytes << 20, PAGE)).expect("what is behind it is free");
        assert_eq!((lower.ptr(), heap.memory_usage()), (place, megabytes << 20), "charged with the difference");
    }
    assert_eq!((heap.peak_memory_usage(), resident(&region)), (peak, before), "no second block, no copy");
    give(&heap, lower);
    // The arena itself grows, from a page to all of the range, while what it has handed out stays.
    region.trim(0);
    let arena = Arena::in_region(&region);
    let first = arena.alloc(7_u64);
    let (place, mut resident_before) = (at(first), resident(&region));
    for _ in 0..6 {
        arena.alloc_slice_fill_copy(8 << 20, 1_u8);
        let now = resident(&region);
        assert!(now >= resident_before + (8 << 20) && at(first) == place && *first == 7, "{now}");
        resident_before = now;
    }
}

/// A block of 64 KiB of a heap, freed; a value of an arena before its reset; a value of a scope that has ended.
fn stale(region: &Region, whose: &str) -> *const u8 {
    match whose {
        "heap" => {
            let heap = Heap::in_region(region);
            let block = take(&heap, layout(64 << 10, 1)).expect("room");
            let at = block.ptr().as_ptr();
            give(&heap, block);
            std::mem::forget(heap);
            at
        }
        "arena" => {
            let mut arena = Arena::in_region(region);
            let at = std::ptr::from_ref(arena.alloc(7_u64)).cast();
            arena.reset();
            std::mem::forget(arena);
            at
        }
        "scope" => {
            let mut scratch = Scratch::in_region(region);
            let at = scratch.scope(|scope| std::ptr::from_ref(&scope.alloc_slice_fill_copy(64 << 10, 7_u8)[0]));
            std::mem::forget(scratch);
            at
        }
        other => panic!("{other} is nothing to do"),
    }
}

/// The original protects what was rewound, in debug builds; in release builds it does not compile.
#[test]
fn arena_allocator__guard_mode_makes_a_stale_read_fault() {
    let name = child::this_test!(arena_allocator__guard_mode_makes_a_stale_read_fault);
    if let Some(task) = child::task() {
        let (whose, mode) = task.split_once(' ').expect("two words");
        let region = built(exact(4 << 20).guard_mode(mode == "guarded"));
        let at = stale(&region, whose);
        assert!(region.contains(at));
        // SAFETY: the region's memory, which stands: readable, or the system ends the process here.
        let _byte = unsafe { at.read_volatile() };
        return;
    }
    for whose in ["heap", "arena", "scope"] {
        assert_eq!(child::signal_of(name, &format!("{whose} guarded")), Some(SIGSEGV), "{whose}");
        assert_eq!(child::signal_of(name, &format!("{whose} open")), None, "{whose}: the read itself is what faults");
    }
}

/// What makes it fault does not depend on the build: the original's protection is behind the debug build's flag.
#[test]
fn arena_allocator__guard_mode_in_release_too() {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in ["region/quarantine.rs", "region/builder.rs", "region/mod.rs", "region/request.rs", "memory/mapping.rs"]
    {
        let text = std::fs::read_to_string(source.join(file)).expect("a source");
        let hides = text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains("debug_assertions"));
        assert!(!hides, "{file} asks which build it is");
    }
}

// ---- better than the original ---------------------------------------------------------------------------------------

/// The original commits by the request, rounded up, on top of what it committed before.
#[test]
fn arena_allocator__residency_exact_to_the_page_without_huge_pages() {
    let region = built(exact(64 << 20));
    let heap = Heap::in_region(&region);
    let mut blocks: Vec<Block> = Vec::new();
    for pages in [1, 2, 3, 100, 1000, 7] {
        let before = resident(&region);
        blocks.push(take(&heap, layout(pages * PAGE, PAGE)).expect("room"));
        assert_eq!(resident(&region), before + pages * PAGE, "{pages} pages were filled");
    }
    // A byte more is a page more; no more where that page is there already.
    let before = resident(&region);
    blocks.push(take(&heap, layout(9 * PAGE + 1, PAGE)).expect("room"));
    assert_eq!(resident(&region), before + 10 * PAGE);
    blocks.push(take(&heap, layout(PAGE - 16, 16)).expect("room"));
    let more = resident(&region) - before - 10 * PAGE;
    assert!(more <= 2 * PAGE, "{more} for less than a page");
    give_each(&heap, blocks);
}

/// In the original the place of the second value is computed from the base as soon as the memory is there: every value
/// after the first in a page is handed the same address.
#[test]
fn arena_allocator__no_address_is_handed_out_twice() {
    for guarded in [false, true] {
        let region = built(exact(64 << 20).guard_mode(guarded));
        let (arena, heap, scratch) = (Arena::in_region(&region), Heap::in_region(&region), Scratch::in_region(&region));
        let (local, mut blocks) = (arena.local(), BlockArena::in_region(&region));
        let mut random = Random::seeded(0xAA2);
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for n in 0..steps(8_000) {
            let (size, align) = (1 + random.below(if n % 50 == 0 { 20_000 } else { 300 }), 1 << random.below(7));
            let layout = Layout::from_size_align(size, align).expect("a layout");
            let block: NonNull<u8> = match n % 5 {
                0 => arena.alloc_layout(layout),
                1 => heap.alloc(layout).expect("room").cast(),
                2 => scratch.alloc_layout(layout),
                3 => local.alloc_layout(layout),
                _ => blocks.allocate(size).expect("room"),
            };
            ranges.push((block.addr().get(), size));
        }
        ranges.sort_unstable();
        assert!(ranges.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0), "two live blocks overlap");
    }
}

/// In guard mode not even a freed address is handed out again while it waits: a stale reference does not become one to
/// somebody else's value.
#[test]
fn arena_allocator__nor_a_freed_one_while_it_is_unreadable() {
    let region = built(exact(16 << 20).guard_mode(true));
    let heap = Heap::in_region(&region);
    let mut places = BTreeSet::new();
    for n in 0..64 {
        let block = take(&heap, layout(64 << 10, 1)).expect("room");
        assert!(places.insert(block.ptr().addr().get()), "block {n} lies where an earlier one did");
        give(&heap, block);
        assert_eq!(region.stats().quarantined, (n + 1) * (64 << 10));
    }
    region.flush_quarantine();
    assert_eq!(region.memory_usage(), heap.memory_usage());
}
