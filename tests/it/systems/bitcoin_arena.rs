//! `bitcoin_arena`: best fit with coalescing over memory that the caller supplies, free with validation, figures, walk.
#![expect(unsafe_code, reason = "a base that is made up")]

use std::mem::MaybeUninit;
use std::ptr::NonNull;

use crate::support::{Random, assert_empty, churn, give_each, steps};
use sharded_arena::{BestFitArena, FreeError, Heap};

const BASE: usize = 0x0800_0000;

fn made_up(base: usize, len: usize, align: usize) -> BestFitArena<'static> {
    // SAFETY: nothing is ever read or written through the results.
    unsafe { BestFitArena::new(std::ptr::without_provenance_mut(base), len, align) }.expect("a valid range")
}

fn offset(block: Option<NonNull<u8>>) -> usize {
    block.expect("there is room").addr().get() - BASE
}

/// Free holes of `sizes` bytes, in this order from the base on, parted by live blocks of 16 bytes.
fn holes(sizes: &[usize]) -> (BestFitArena<'static>, Vec<usize>) {
    let mut arena = made_up(BASE, sizes.iter().sum::<usize>() + 16 * sizes.len(), 16);
    let mut blocks = Vec::new();
    for size in sizes.iter().rev() {
        arena.alloc(16).expect("room for the wall");
        blocks.push(arena.alloc(*size).expect("room for the hole"));
    }
    assert_eq!(arena.stats().free, 0);
    blocks.reverse();
    for block in &blocks {
        arena.free(block.as_ptr()).expect("live");
    }
    let offsets = blocks.iter().map(|block| block.addr().get() - BASE).collect();
    (arena, offsets)
}

// ---- match exactly --------------------------------------------------------------------------------------------------

/// The original keeps free chunks in a map by size and takes the first that is long enough.
#[test]
fn bitcoin_arena__smallest_sufficient_extent() {
    let (mut arena, at) = holes(&[4096, 64, 1024, 128, 512]);
    assert_eq!(offset(arena.alloc(128)), at[3], "an exact fit");
    assert_eq!(offset(arena.alloc(129)), at[4] + 512 - 144, "512 is the least above 129");
    assert_eq!(offset(arena.alloc(48)), at[1] + 16, "64, not the rest of 512");
    assert_eq!(offset(arena.alloc(1025)), at[0] + 4096 - 1040);
    assert_eq!(arena.alloc(3073), None);
}

/// The original cuts a request from the end of the free chunk, which keeps its beginning.
#[test]
fn bitcoin_arena__carved_from_the_tail() {
    let mut arena = made_up(BASE, 4096, 16);
    for end in (16..=4096).rev().step_by(16) {
        let block = arena.alloc(16);
        assert_eq!(offset(block), end - 16);
    }
    assert_eq!(arena.alloc(1), None);
}

/// The original breaks ties by the order of its map; the same calls give the same addresses.
#[test]
fn bitcoin_arena__deterministic() {
    let script = |base: usize| -> Vec<Option<usize>> {
        let (mut arena, mut random, mut live) = (made_up(base, 1 << 16, 16), Random::seeded(0xB1), Vec::new());
        (0..steps(20_000))
            .map(|_| {
                if random.below(2) == 0 || live.is_empty() {
                    let block = arena.alloc(random.below(700));
                    live.extend(block);
                    block.map(|block| block.addr().get() - base)
                } else {
                    let block: NonNull<u8> = live.swap_remove(random.below(live.len()));
                    arena.free(block.as_ptr()).expect("live");
                    None
                }
            })
            .collect()
    };
    assert_eq!(script(BASE), script(BASE));
    assert_eq!(script(BASE), script(0x7000_0000), "offsets do not depend on the base");
}

/// The original rounds every size up to the alignment it was made with.
#[test]
fn bitcoin_arena__sizes_rounded_to_the_alignment() {
    for align in [1, 2, 16, 64, 4096] {
        let mut arena = made_up(BASE, 1 << 16, align);
        for size in [1, align - 1, align, align + 1, 3 * align].into_iter().filter(|size| *size > 0) {
            let before = arena.stats().used;
            let block = arena.alloc(size).expect("room");
            assert_eq!(arena.stats().used - before, size.next_multiple_of(align), "{size} with {align}");
            assert_eq!(block.addr().get() % align, 0);
        }
    }
}

/// The original answers a request for nothing with a null pointer; so does every caller's mistake of that kind here.
#[test]
fn bitcoin_arena__zero_size_refused() {
    let mut arena = made_up(BASE, 4096, 16);
    let before = arena.stats();
    assert_eq!((arena.alloc(0), arena.alloc_aligned(0, 64)), (None, None));
    assert_eq!(arena.stats(), before);
}

/// The original computes its figures by visiting every chunk.
#[test]
fn bitcoin_arena__used_plus_free_is_total() {
    let (mut arena, mut random, mut live) = (made_up(BASE + 7, 100_003, 8), Random::seeded(0xB2), Vec::new());
    for _ in 0..steps(40_000) {
        if random.below(5) < 3 {
            live.extend(arena.alloc(random.below(900)));
        } else if !live.is_empty() {
            let block: NonNull<u8> = live.swap_remove(random.below(live.len()));
            assert_eq!(arena.free(block.as_ptr()), Ok(()));
        }
        let stats = arena.stats();
        assert_eq!(stats.used + stats.free, stats.total);
        assert_eq!(stats.chunks_used, live.len());
        assert!(stats.largest_free <= stats.free);
    }
}

/// The original joins a freed chunk with both neighbours at once.
#[test]
fn bitcoin_arena__after_all_frees_one_free_chunk() {
    for seed in 0..8 {
        let (mut arena, mut random) = (made_up(BASE, 1 << 20, 16), Random::seeded(0xB3 + seed));
        let mut live: Vec<_> = std::iter::from_fn(|| arena.alloc(1 + random.below(3000))).collect();
        assert!(live.len() > 500 && arena.stats().chunks_free <= 1, "filled without a hole but the last");
        while !live.is_empty() {
            let block = live.swap_remove(random.below(live.len()));
            assert_eq!(arena.free(block.as_ptr()), Ok(()));
        }
        let stats = arena.stats();
        assert_eq!((stats.used, stats.chunks_used, stats.chunks_free, stats.largest_free), (0, 0, 1, 1 << 20));
        assert_eq!(arena.walk().count(), 1);
    }
}

/// The original's test of an address is `base <= address < end`.
#[test]
fn bitcoin_arena__address_test_is_half_open() {
    let mut arena = made_up(BASE, 4096, 16);
    let whole = arena.alloc(4096).expect("all of it");
    for (at, inside) in [(BASE - 1, false), (BASE, true), (BASE + 4095, true), (BASE + 4096, false), (0, false)] {
        assert_eq!(arena.contains(std::ptr::without_provenance(at)), inside, "{at:#x}");
    }
    let end = std::ptr::without_provenance_mut(BASE + 4096);
    assert_eq!(arena.free(end), Err(FreeError::OutOfRegion));
    assert_eq!(arena.free(whole.as_ptr().wrapping_add(4095)), Err(FreeError::Interior));
}

/// The original's own test runs on an address that it made up, and crashes if a byte is touched.
#[test]
fn bitcoin_arena__made_up_base_memory_never_touched() {
    let mut arena = made_up(BASE, 1 << 20, 16);
    let blocks: Vec<_> = (0..1024).map(|_| arena.alloc(1000).expect("room")).collect();
    for block in blocks.into_iter().rev() {
        assert_eq!(arena.free(block.as_ptr()), Ok(()));
    }
    let mut memory = [MaybeUninit::new(0x5A_u8); 4096];
    let mut arena = BestFitArena::over(&mut memory, 16).expect("memory");
    let blocks: Vec<_> = (0..4096).map_while(|size| arena.alloc(size % 40 + 1)).collect();
    for block in blocks {
        assert_eq!(arena.free(block.as_ptr()), Ok(()));
    }
    drop(arena);
    // SAFETY: every byte was initialised above.
    assert!(memory.iter().all(|byte| unsafe { byte.assume_init() } == 0x5A));
}

/// The original ends the program at a free of what it has not handed out, or has taken back; here the answer says why.
#[test]
fn bitcoin_arena__free_with_validation() {
    let mut arena = made_up(BASE, 1 << 16, 16);
    let blocks: Vec<_> = (1..100).map(|size| arena.alloc(size).expect("room")).collect();
    let at = |offset: usize| std::ptr::without_provenance_mut::<u8>(BASE + offset);
    let before = arena.stats();
    assert_eq!(arena.free(std::ptr::null_mut()), Ok(()), "null is nothing");
    for (wrong, error) in [
        (at(0), FreeError::NotLive),
        (blocks[50].as_ptr().wrapping_add(1), FreeError::Interior),
        (blocks[50].as_ptr().wrapping_add(16), FreeError::Interior),
        (at(1 << 16), FreeError::OutOfRegion),
        (at(0).wrapping_sub(1), FreeError::OutOfRegion),
    ] {
        assert_eq!(arena.free(wrong), Err(error), "{wrong:?}");
    }
    assert_eq!(arena.stats(), before, "nothing was changed");
    for block in &blocks {
        assert_eq!(arena.free(block.as_ptr()), Ok(()));
        assert_eq!(arena.free(block.as_ptr()), Err(FreeError::NotLive), "twice");
    }
    assert_eq!((arena.stats().used, arena.stats().chunks_free), (0, 1));
}

// ---- better than the original ---------------------------------------------------------------------------------------

/// The original aligns offsets: with a base off by one byte every result is misaligned.
#[test]
fn bitcoin_arena__absolute_alignment() {
    for off in 0..64 {
        let mut arena = made_up(BASE + off, 1 << 16, 16);
        for (size, align) in [(1, 16), (100, 64), (1, 256), (3000, 1024), (10, 4096), (1, 32768)] {
            let block = arena.alloc_aligned(size, align).expect("room");
            assert_eq!(block.addr().get() % align, 0, "{align} at a base off by {off}");
        }
        assert_eq!(arena.alloc(5).expect("room").addr().get() % 16, 0);
    }
}

/// The original's walk does not compile.
#[test]
fn bitcoin_arena__walk_works() {
    let mut arena = made_up(BASE + 3, 10_000, 8);
    let blocks: Vec<_> = (1..40).map(|size| arena.alloc(size).expect("room")).collect();
    for block in blocks.iter().step_by(3) {
        arena.free(block.as_ptr()).expect("live");
    }
    let extents: Vec<_> = arena.walk().collect();
    let stats = arena.stats();
    assert!(extents.windows(2).all(|pair| pair[0].offset + pair[0].len == pair[1].offset), "no gap");
    assert!(extents.windows(2).all(|pair| pair[0].used || pair[1].used), "no two free neighbours");
    assert_eq!(extents[0].offset, 5, "the first multiple of 8");
    let sum = |used: bool| extents.iter().filter(|extent| extent.used == used).map(|extent| extent.len).sum::<usize>();
    assert_eq!((sum(true), sum(false)), (stats.used, stats.free));
    let found: Vec<_> = extents.iter().filter(|extent| extent.used).map(|extent| BASE + 3 + extent.offset).collect();
    let mut live: Vec<_> = blocks.iter().enumerate().filter(|(i, _)| i % 3 != 0).map(|(_, b)| b.addr().get()).collect();
    live.sort_unstable();
    assert_eq!(found, live);
}

/// The original is one thread's: it holds raw pointers in sets without a lock. Here the same best fit serves all
/// threads.
#[test]
fn bitcoin_arena__shared_by_threads() {
    for checked in [false, true] {
        let heap = Heap::builder().capacity(1 << 20).checked(checked).build().expect("a region");
        let threads: Vec<_> = (0..4)
            .map(|seed| {
                let heap = heap.clone();
                std::thread::spawn(move || churn(&heap, &mut Random::seeded(0xB5 + seed), steps(20_000), 200))
            })
            .collect();
        for thread in threads {
            give_each(&heap, thread.join().expect("no panic"));
        }
        assert_empty(&heap);
    }
}

/// The original needs libevent, libclang and a nightly compiler before it builds.
#[test]
fn bitcoin_arena__builds_on_a_fresh_machine() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).expect("the manifest");
    let section = |name: &str| -> Vec<String> {
        let lines = manifest.lines().skip_while(|line| *line != name).skip(1).take_while(|line| !line.starts_with('['));
        lines.filter_map(|line| Some(line.split_once('=')?.0.trim().to_owned())).collect()
    };
    let needs: Vec<_> = ["[dependencies]", "[target.'cfg(unix)'.dependencies]", "[build-dependencies]"]
        .into_iter()
        .flat_map(section)
        .collect();
    assert!(needs.contains(&"parking_lot".to_owned()), "{needs:?}");
    for foreign in ["libevent", "bindgen", "clang", "cc", "cmake", "pkg-config"] {
        assert!(needs.iter().all(|name| !name.split(['-', '_']).any(|part| part == foreign)), "{foreign} in {needs:?}");
    }
    assert!(!root.join("build.rs").exists() && !manifest.contains("build = "), "no build script");
    assert!(!std::fs::read_to_string(root.join("src/lib.rs")).expect("the library").contains("#![feature"));
}
