//! What lies outside the limit: `metadata_bytes` is what is in memory, and `trim` returns it.
#![expect(unsafe_code, reason = "frees blocks")]

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::support::{child, pages::PAGE};
use sharded_arena::{Arena, Heap, Region};

/// Bytes of memory that this process has, without pages of files.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a figure");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
}

const BLOCK: Layout = Layout::new::<u128>();

fn free(heap: &Heap, block: NonNull<u8>) {
    // SAFETY: live, with its layout.
    unsafe { heap.free(block, BLOCK) };
}

/// Fills the region with blocks of 16 bytes.
fn fill(heap: &Heap, blocks: &mut Vec<NonNull<u8>>) {
    blocks.extend(core::iter::from_fn(|| heap.alloc(BLOCK).ok().map(NonNull::cast)));
}

#[test]
fn metadata_of_small_regions_is_resident() {
    // So many that a huge page of the global allocator's is little beside them.
    const REGIONS: usize = 1_000;
    if child::task().is_none() {
        assert_eq!(child::signal_of(child::this_test!(metadata_of_small_regions_is_resident), "all"), None);
        return;
    }
    let make = || {
        let heap = Heap::with_capacity(1 << 20).expect("a region");
        let arena = Arena::in_region(heap.region());
        free(&heap, heap.alloc(BLOCK).expect("room").cast());
        arena.alloc(5_u32);
        (heap, arena)
    };
    let mut all = Vec::with_capacity(REGIONS + 1);
    all.push(make());
    let before = resident();
    all.extend((0..REGIONS).map(|_| make()));
    let each = (resident() - before) / REGIONS;
    let stats = all[REGIONS].0.region().stats();
    // The first chunk's page; nothing was written to the block.
    let told = stats.metadata_bytes + PAGE;
    assert!(told.abs_diff(each) <= each / 5 && each <= 100 << 10, "{each} bytes, told {told}: {stats}");
}

#[test]
fn trim_returns_the_index() {
    if child::task().is_none() {
        assert_eq!(child::signal_of(child::this_test!(trim_returns_the_index), "all"), None);
        return;
    }
    let region = Region::builder().capacity(8 << 20).huge_pages(false).build().expect("a region");
    let heap = Heap::in_region(&region);
    let mut blocks = Vec::with_capacity(1 << 19);
    let before = resident();
    for round in 0..2 {
        fill(&heap, &mut blocks);
        let mut nth = 0;
        blocks.retain(|block| {
            nth += 1;
            if nth % 2 == 0 {
                free(&heap, *block);
            }
            nth % 2 != 0
        });
        heap.flush();
        let holes = region.stats();
        // Nothing is written to the blocks themselves.
        let list = blocks.capacity() * size_of::<NonNull<u8>>();
        let told = holes.metadata_bytes + list;
        assert!(holes.index_bytes >= 16 * holes.extents_free && holes.extents_free > 200_000, "{holes}");
        let grown = resident() - before;
        assert!(told.abs_diff(grown) <= 3 << 20, "round {round}: {grown} bytes, told {told}: {holes}");

        // Beside free ranges that stay, too.
        let kept = blocks.len() / 64;
        blocks.drain(kept..).for_each(|block| free(&heap, block));
        heap.flush();
        region.trim(0);
        // Before a proof that reads what is not there: the system then shows it a page of zeros.
        let some = region.stats();
        let nodes = 16 * some.extents_free;
        assert!((nodes..nodes + (192 << 10)).contains(&some.index_bytes), "{}: {some}", some.index_bytes);
        region.verify().expect("the index is whole");
        fill(&heap, &mut blocks);
        region.verify().expect("the index is whole");

        blocks.drain(..).for_each(|block| free(&heap, block));
        heap.flush();
        region.trim(0);
        let none = region.stats();
        assert_eq!((none.usage, none.extents_free), (0, 1));
        assert!(none.index_bytes < 128 << 10, "{}: {none}", none.index_bytes);
        let left = resident() - before;
        region.verify().expect("the index is whole");
        assert!(left + (3 << 20) <= grown, "round {round}: {left} of {grown} bytes are left");
    }
}

/// Blocks of 16 bytes, every second of them free: the worst that there is.
fn fill_and_perforate(region: &Region) -> (Heap, Vec<NonNull<u8>>) {
    let (heap, mut blocks) = (Heap::in_region(region), Vec::new());
    fill(&heap, &mut blocks);
    heap.flush();
    let address = |block: &NonNull<u8>| block.addr();
    blocks.sort_unstable_by_key(address);
    for block in blocks.iter().skip(1).step_by(2) {
        free(&heap, *block);
    }
    heap.flush();
    (heap, blocks.into_iter().step_by(2).collect())
}

#[test]
fn limit_covers_index_when_asked() {
    for (capacity, limit) in [(4 << 20, 4 << 20), (8 << 20, 3 << 20), (1 << 20, 2 << 20)] {
        let region = |covers| {
            let builder = Region::builder().capacity(capacity).limit(limit).huge_pages(false);
            builder.limit_covers_index(covers).build().expect("a region")
        };
        let (without, with) = (region(false), region(true));
        let (charged, bound) = (with.memory_usage(), limit.min(capacity + with.memory_usage()));
        assert_eq!((with.stats().index_charged, without.stats().index_charged), (charged, 0));
        let plain = fill_and_perforate(&without);
        assert!(without.peak_memory_usage() + without.stats().index_bytes > limit.min(capacity) * 5 / 4);
        let (heap, blocks) = fill_and_perforate(&with);
        let stats = with.stats();
        assert!(stats.extents_free > limit.min(capacity) / 100, "{stats}");
        assert!(stats.index_bytes <= charged, "{} of {charged}: {stats}", stats.index_bytes);
        assert!(stats.peak <= bound && stats.peak - charged + stats.index_bytes <= bound, "{stats}");
        with.verify().expect("every byte is in one place");

        // Raised, it covers more; lowered, as much as before.
        with.set_limit(limit + (1 << 20));
        let raised = with.stats().index_charged;
        assert!(raised >= charged && raised <= charged + (512 << 10) + 64, "{charged}, then {raised}");
        with.set_limit(limit);
        for block in blocks {
            free(&heap, block);
        }
        heap.flush();
        assert_eq!((with.memory_usage(), with.stats().index_charged), (raised, raised));
        with.verify().expect("every byte is in one place");
        drop(plain);
    }
    let small = Region::builder().capacity(64 << 20).limit(64 << 10).limit_covers_index(true).build();
    assert!(
        matches!(small, Err(sharded_arena::RegionError::BelowLeast { given: 65_536, least, .. }) if least > 1 << 20)
    );
}

/// Threads that use the index while its memory goes.
#[test]
fn trim_beside_threads_keeps_the_index() {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    let region = Region::builder().capacity(2 << 20).huge_pages(false).idle_divisor(1 << 20).build().expect("a region");
    let heap = Heap::in_region(&region);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let threads = [1, 2].map(|seed| {
            let heap = &heap;
            scope.spawn(move || {
                let mut random = crate::support::Random::seeded(0x7214 + seed);
                for _ in 0..crate::support::steps(40) {
                    let mut blocks = Vec::new();
                    while blocks.len() < 40_000
                        && let Ok(block) = heap.alloc(BLOCK)
                    {
                        blocks.push(block.cast::<u8>());
                    }
                    while !blocks.is_empty() {
                        free(heap, blocks.swap_remove(random.below(blocks.len())));
                    }
                }
            })
        });
        let trimmer = scope.spawn(|| {
            while !over.load(Relaxed) {
                region.trim(0);
                region.verify().expect("the index is whole");
            }
        });
        for thread in threads {
            thread.join().expect("no panic");
        }
        over.store(true, Relaxed);
        trimmer.join().expect("no panic");
    });
    heap.flush();
    region.trim(0);
    let stats = region.stats();
    assert_eq!((stats.usage, stats.extents_free), (0, 1));
}

/// The index does not lie in the region, so what is charged for it takes none of the region's bytes.
#[test]
fn charged_index_leaves_the_capacity() {
    let region =
        Region::builder().capacity(8 << 20).limit(16 << 20).limit_covers_index(true).build().expect("a region");
    let charged = region.stats().index_charged;
    assert!(charged > 4 << 20, "{charged}");
    drop(region.reserve(8 << 20).expect("nothing is used"));
    assert!(region.reserve((8 << 20) + 16).is_err());
}
