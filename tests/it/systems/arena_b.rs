//! `arena_b`: an arena with many knobs, figures, a diagnosis, a snapshot and trimming. In the original every knob but
//! the first capacity is taken and forgotten.
#![expect(unsafe_code, reason = "looks at freed bytes, frees what was freed")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::Barrier;
use std::thread;

#[cfg(all(target_os = "linux", not(miri)))]
use crate::support::{
    give, give_each, layout,
    pages::{flags, resident},
    take,
};
use sharded_arena::{AllocErrorKind, Arena, Heap, Region, RegionBuilder, RegionError};

/// A builder's method, and what shows that it acts: each leaves a trace that is not there, or another one, without it.
type Knob = (&'static str, fn());

/// Every knob that `sources` have is in the table, and acts.
fn all_act(sources: &[&str], table: &[Knob]) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |source: &&str| std::fs::read_to_string(folder.join(source)).expect("the builder's source");
    let text: String = sources.iter().map(read).collect();
    let name = |line: &str| Some(line.trim().strip_prefix("pub fn ")?.split_once("(mut self")?.0.to_owned());
    let mut knobs: Vec<String> = text.lines().filter_map(name).collect();
    let mut named: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
    knobs.sort();
    named.sort_unstable();
    assert_eq!(knobs, named, "a knob without a trace");
    let idle: Vec<&str> = table.iter().filter(|(_, act)| catch_unwind(act).is_err()).map(|(name, _)| *name).collect();
    assert_eq!(idle, [""; 0], "knobs that do not act");
}

fn region(bytes: usize) -> RegionBuilder {
    Region::builder().capacity(bytes).huge_pages(false)
}

fn built(builder: RegionBuilder) -> Region {
    builder.build().expect("a region")
}

fn is_granted(heap: &Heap, bytes: usize) -> bool {
    take(heap, layout(bytes, 1)).map(|block| give(heap, block)).is_ok()
}

// ---- the region's knobs ---------------------------------------------------------------------------------------------

fn region_capacity() {
    for bytes in [64 << 10, 1 << 20] {
        let heap = Heap::in_region(&built(region(bytes)));
        assert!(is_granted(&heap, bytes) && !is_granted(&heap, bytes + 1), "{bytes}");
    }
}

fn region_limit() {
    for bytes in [64 << 10, 1 << 20] {
        let heap = Heap::in_region(&built(region(1 << 20).limit(bytes)));
        assert!(is_granted(&heap, bytes), "{bytes}");
        let refused = take(&heap, layout(bytes + 1, 1)).expect_err("above the limit");
        assert_eq!((refused.kind, refused.limit), (AllocErrorKind::LimitReached, bytes));
    }
}

fn region_limit_covers_index() {
    for (on, some) in [(false, false), (true, true)] {
        let region = built(region(1 << 20).limit_covers_index(on));
        assert_eq!((region.memory_usage() > 0, region.stats().index_charged), (some, region.memory_usage()));
    }
}

/// The first chunk of an arena is as long as it was told, or as idle memory may be.
fn region_idle_divisor() {
    for (divisor, chunk) in [(4, 64 << 10), (64, 12 << 10), (256, 3 << 10)] {
        let region = built(region(1 << 20).idle_divisor(divisor));
        let arena =
            Arena::builder().region(&region).first_chunk_bytes(64 << 10).max_shards(1).build().expect("an arena");
        arena.alloc(1_u8);
        assert_eq!(arena.memory_usage(), chunk, "divisor {divisor}");
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
fn region_huge_pages() {
    if std::fs::exists("/sys/kernel/mm/transparent_hugepage").expect("sysfs") {
        assert!(flags(&built(region(8 << 20).huge_pages(true))).contains(" hg"));
        assert!(!flags(&built(region(8 << 20).huge_pages(false))).contains(" hg"));
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
fn region_prefault() {
    for (on, bytes) in [(false, 0), (true, 4 << 20)] {
        assert_eq!(resident(&built(region(4 << 20).prefault(on))), bytes);
    }
}

/// A process that may lock nothing is told so.
#[cfg(all(target_os = "linux", not(miri)))]
fn region_lock_memory() {
    assert!(!flags(&built(region(64 << 10).lock_memory(false))).contains(" lo"));
    match region(64 << 10).lock_memory(true).build() {
        Ok(region) => assert!(flags(&region).contains(" lo") && resident(&region) == 64 << 10),
        Err(error) => assert!(matches!(error, RegionError::System(_)), "{error}"),
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
fn region_guard_mode() {
    for (on, waits) in [(false, 0), (true, 64 << 10)] {
        let region = built(region(1 << 20).guard_mode(on));
        assert!(is_granted(&Heap::in_region(&region), 64 << 10));
        assert_eq!(region.stats().quarantined, waits);
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
use {not_here as region_guard_mode, not_here as region_huge_pages};
#[cfg(not(all(target_os = "linux", not(miri))))]
use {not_here as region_lock_memory, not_here as region_prefault};

/// What only Linux can be asked about.
#[cfg(not(all(target_os = "linux", not(miri))))]
fn not_here() {}

/// The first and the last byte of a block that was filled and freed.
fn bytes_after_a_free(region: &Region) -> (u8, u8) {
    let heap = Heap::in_region(region);
    let block = take(&heap, layout(20_000, 1)).expect("room");
    let at = block.ptr();
    give(&heap, block);
    // SAFETY: `add`: inside the region.
    let last = unsafe { at.add(19_999) };
    // SAFETY: the region's memory, which stands, was written before, and nobody writes to now.
    let first = unsafe { at.read_volatile() };
    // SAFETY: as above.
    (first, unsafe { last.read_volatile() })
}

fn region_poison_on_free() {
    assert_eq!(bytes_after_a_free(&built(region(64 << 10).poison_on_free(true))), (0xDE, 0xDE));
    assert_ne!(bytes_after_a_free(&built(region(64 << 10))), (0xDE, 0xDE));
}

fn region_zero_on_free() {
    assert_eq!(bytes_after_a_free(&built(region(64 << 10).zero_on_free(true))), (0, 0));
    // Of two blocks one at most is filled with zeros.
    let region = built(region(64 << 10));
    assert!((0..2).any(|_| bytes_after_a_free(&region) != (0, 0)));
}

/// The original's builder forgets its chunk size, its bundles and all it is told to enable.
#[test]
fn arena_b__all_knobs_of_a_region_act() {
    all_act(
        &["region/builder.rs"],
        &[
            ("capacity", region_capacity),
            ("limit", region_limit),
            ("limit_covers_index", region_limit_covers_index),
            ("idle_divisor", region_idle_divisor),
            ("huge_pages", region_huge_pages),
            ("prefault", region_prefault),
            ("lock_memory", region_lock_memory),
            ("guard_mode", region_guard_mode),
            ("poison_on_free", region_poison_on_free),
            ("zero_on_free", region_zero_on_free),
        ],
    );
}

// ---- the arena's knobs ----------------------------------------------------------------------------------------------

fn arena_region() {
    let region = built(region(1 << 20));
    let arena = Arena::builder().region(&region).build().expect("an arena");
    let value = std::ptr::from_ref(arena.alloc(1_u64));
    assert!(region.contains(value.cast()) && region.memory_usage() == arena.memory_usage());
}

fn arena_capacity() {
    for bytes in [64 << 10, 1 << 20] {
        let arena = Arena::builder().capacity(bytes).build().expect("an arena");
        arena.try_alloc_slice_fill_copy(bytes - 64, 1_u8).expect("room, and a list's node");
        assert!(arena.try_alloc_slice_fill_copy(64, 1_u8).is_err(), "{bytes}");
        assert_eq!(arena.region().map(|region| region.capacity()), Some(bytes));
    }
}

fn arena_limit() {
    for bytes in [64 << 10, 512 << 10] {
        let arena = Arena::builder().capacity(1 << 20).limit(bytes).build().expect("an arena");
        let error = arena.try_alloc_slice_fill_copy(600 << 10, 1_u8).expect_err("above the limit");
        assert_eq!((error.kind, error.limit), (AllocErrorKind::LimitReached, bytes));
        assert!(arena.try_alloc_slice_fill_copy(bytes - 64, 1_u8).is_ok());
    }
}

fn arena_first_chunk_bytes() {
    for bytes in [1 << 10, 4 << 10, 64 << 10] {
        let arena = Arena::builder().capacity(64 << 20).first_chunk_bytes(bytes).build().expect("an arena");
        arena.alloc(1_u8);
        assert_eq!(arena.memory_usage(), bytes);
    }
}

/// What the arena takes at one time while small values fill it.
fn arena_max_chunk_bytes() {
    for bytes in [8 << 10, 32 << 10, 128 << 10] {
        let arena = Arena::builder().capacity(64 << 20).max_chunk_bytes(bytes).max_shards(1).build().expect("an arena");
        let (mut longest, mut before) = (0, 0);
        for n in 0..60_000_u64 {
            arena.alloc([n; 8]);
            let usage = arena.memory_usage();
            (longest, before) = (longest.max(usage.saturating_sub(before)), usage);
        }
        assert!(longest <= bytes && longest > bytes / 2, "{longest} of {bytes}");
    }
}

fn arena_max_shards() {
    for shards in [1, 3] {
        let arena = Arena::builder().capacity(4 << 20).max_shards(shards).build().expect("an arena");
        let met = Barrier::new(4);
        let work = || {
            arena.alloc(1_u8);
            met.wait();
        };
        thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(work))));
        let stats = arena.stats();
        assert_eq!((stats.shards, stats.shards_owned), (shards, shards), "{stats}");
    }
}

#[test]
fn arena_b__all_knobs_of_an_arena_act() {
    all_act(
        &["arena/builder.rs", "region/client.rs"],
        &[
            ("region", arena_region),
            ("capacity", arena_capacity),
            ("limit", arena_limit),
            ("first_chunk_bytes", arena_first_chunk_bytes),
            ("max_chunk_bytes", arena_max_chunk_bytes),
            ("max_shards", arena_max_shards),
        ],
    );
}

// ---- the heap's knobs -----------------------------------------------------------------------------------------------

fn heap_region() {
    let region = built(region(1 << 20));
    let heap = Heap::builder().region(&region).build().expect("a heap");
    let block = take(&heap, layout(100, 1)).expect("room");
    assert!(region.contains(block.ptr().as_ptr()) && region.memory_usage() == heap.memory_usage());
    give(&heap, block);
}

fn heap_capacity() {
    for bytes in [64 << 10, 1 << 20] {
        let heap = Heap::builder().capacity(bytes).build().expect("a heap");
        assert!(is_granted(&heap, bytes) && !is_granted(&heap, bytes + 1), "{bytes}");
    }
}

fn heap_limit() {
    for bytes in [64 << 10, 512 << 10] {
        let heap = Heap::builder().capacity(1 << 20).limit(bytes).build().expect("a heap");
        let refused = take(&heap, layout(600 << 10, 1)).expect_err("above the limit");
        assert_eq!((refused.kind, refused.limit), (AllocErrorKind::LimitReached, bytes));
        assert!(is_granted(&heap, bytes));
    }
}

/// A free of what was freed is found at the call; and nothing is kept idle.
fn heap_max_shards() {
    for shards in [1, 3] {
        let heap = Heap::builder().capacity(4 << 20).max_shards(shards).build().expect("a heap");
        let met = Barrier::new(4);
        let work = || {
            assert!(is_granted(&heap, 100));
            met.wait();
        };
        thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(work))));
        let stats = heap.stats();
        assert_eq!((stats.shards, stats.shards_owned), (shards, shards), "{stats}");
        heap.verify().expect("the thread without magazines has lost nothing");
    }
}

fn heap_checked() {
    for checked in [false, true] {
        let heap = Heap::builder().capacity(1 << 20).checked(checked).quarantine(0).build().expect("a heap");
        let (first, second) = (take(&heap, layout(100, 1)).expect("room"), take(&heap, layout(100, 1)).expect("room"));
        let stale: NonNull<u8> = first.ptr();
        give(&heap, first);
        assert_eq!(heap.memory_usage() == second.size().next_multiple_of(16), checked, "{}", heap.stats());
        // SAFETY: freed already, which the index of a checked heap knows, so that nothing is changed.
        let free_again = || unsafe { heap.free(stale, layout(100, 1)) };
        if checked {
            catch_unwind(AssertUnwindSafe(free_again)).expect_err("it panics");
        }
        give(&heap, second);
    }
}

fn heap_quarantine() {
    for blocks in [0, 3, 300] {
        let heap = Heap::builder().capacity(1 << 20).checked(true).quarantine(blocks).build().expect("a heap");
        let live: Vec<_> = (0..400).map(|_| take(&heap, layout(112, 1)).expect("room")).collect();
        give_each(&heap, live);
        assert_eq!(heap.memory_usage(), blocks * 112);
    }
}

#[test]
fn arena_b__all_knobs_of_a_heap_act() {
    all_act(
        &["heap/builder.rs"],
        &[
            ("region", heap_region),
            ("capacity", heap_capacity),
            ("limit", heap_limit),
            ("checked", heap_checked),
            ("max_shards", heap_max_shards),
            ("quarantine", heap_quarantine),
        ],
    );
}
