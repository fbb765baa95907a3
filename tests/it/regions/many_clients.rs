//! What thousands of small clients of one region cost the process: a few KB each, which the region's figures name, and
//! no mapping.
#![expect(unsafe_code, reason = "writes to blocks and frees them")]

use core::alloc::Layout;

use crate::support::{child, pages::PAGE};
use sharded_arena::{Arena, BlockArena, Heap, Interner, Pool, Region, Scratch};

/// Bytes of addresses and of memory that this process has, and its mappings.
fn figures() -> [usize; 3] {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("procfs");
    let mut pages = pages.split(' ').map(|pages| pages.parse::<usize>().expect("a figure") * PAGE);
    let maps = std::fs::read_to_string("/proc/self/maps").expect("procfs").lines().count();
    [pages.next().expect("addresses"), pages.next().expect("memory"), maps]
}

/// What `clients` of one region cost, after a first one has made what all share: at most `most` bytes of memory each.
fn assert_cheap<T>(kind: &str, clients: usize, most: usize, make: impl Fn(&Region) -> T) {
    let region = Region::builder().capacity(1 << 30).huge_pages(false).build().expect("a region");
    let mut all = Vec::with_capacity(clients + 1);
    all.push(make(&region));
    let told = || region.stats().metadata_bytes + region.memory_usage();
    let (before, told_before) = (figures(), told());
    all.extend((0..clients).map(|_| make(&region)));
    let (after, told) = (figures(), told() - told_before);
    let [addresses, memory, maps] = [0, 1, 2].map(|nth| after[nth].saturating_sub(before[nth]));
    let each = memory / clients;
    assert!(each <= most, "{kind}: {each} bytes each");
    assert!(told / clients >= each * 3 / 4 && told <= memory + memory / 4, "{kind}: {told} of {memory} are counted");
    // The program break, or a heap of the global allocator, grows with them.
    assert!(addresses <= memory + (64 << 20) && maps < 32, "{kind}: {addresses} bytes of addresses, {maps} mappings");
    eprintln!("{kind}: {each} bytes each, {} of them counted", told / clients);
    // What they free would be used again by the next kind, and not be seen there.
    std::mem::forget(all);
}

#[test]
fn small_clients_cost_few_kilobytes() {
    if child::task().is_none() {
        assert_eq!(child::signal_of(child::this_test!(small_clients_cost_few_kilobytes), "all"), None);
        return;
    }
    assert_cheap("pools", 10_000, 9_000, |region| {
        let pool = Pool::in_region(region);
        pool.insert(5_u32).expect("room");
        pool
    });
    assert_cheap("interners", 2_000, 10_000, |region| {
        let interner = Interner::in_region(region);
        interner.intern("five").expect("room");
        interner
    });
    assert_cheap("arenas", 2_000, 7_000, |region| {
        let arena = Arena::in_region(region);
        arena.alloc(5_u32);
        arena
    });
    assert_cheap("scratch stacks", 2_000, 7_000, |region| {
        let scratch = Scratch::in_region(region);
        scratch.alloc(5_u32);
        scratch
    });
    assert_cheap("block arenas", 2_000, 5_000, |region| {
        let mut blocks = BlockArena::in_region(region);
        let block = blocks.allocate(4_000).expect("room");
        // SAFETY: the block's bytes are this thread's.
        unsafe { block.write_bytes(1, 4_000) };
        blocks
    });
}

/// Each thread that uses a heap brings its own magazines; those of threads that never come cost nothing.
#[test]
fn heaps_cost_their_threads_only() {
    let region = Region::with_capacity(16 << 20).expect("a region");
    let heap = Heap::in_region(&region);
    let metadata = || region.stats().metadata_bytes - region.stats().index_bytes;
    let block = |heap: &Heap| {
        let block = heap.alloc(Layout::new::<u64>()).expect("room").cast();
        // SAFETY: live, with its layout.
        unsafe { heap.free(block, Layout::new::<u64>()) };
    };
    block(&heap);
    let one = metadata();
    std::thread::scope(|scope| _ = scope.spawn(|| block(&heap)));
    let two = metadata();
    assert!(one < 20 << 10 && two > one && two < 2 * one, "{one}, then {two} bytes");
}
