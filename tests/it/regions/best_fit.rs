//! `BestFitArena` through its public face: the scenario of Bitcoin Core's arena test, alignment, hostile sizes.

#![expect(unsafe_code, reason = "a base that is made up, and blocks that are written")]

use std::mem::MaybeUninit;

use sharded_arena::{BestFitArena, FreeError, RegionError};

fn made_up(base: usize, len: usize, align: usize) -> Result<BestFitArena<'static>, RegionError> {
    // SAFETY: nothing is ever read or written through the results.
    unsafe { BestFitArena::new(std::ptr::without_provenance_mut(base), len, align) }
}

#[test]
fn bitcoin_core_scenario_passes() {
    const BASE: usize = 0x0800_0000;
    const LEN: usize = 1024 * 1024;
    let mut arena = made_up(BASE, LEN, 16).expect("a valid range");
    let chunk = arena.alloc(1000).expect("empty");
    assert_eq!((arena.stats().used, arena.stats().free), (1008, LEN - 1008));
    assert_eq!(arena.free(chunk.as_ptr()), Ok(()));
    assert_eq!(arena.stats().used, 0);
    assert_eq!(arena.free(chunk.as_ptr()), Err(FreeError::NotLive));
    assert_eq!(arena.free(std::ptr::null_mut()), Ok(()));

    assert_eq!(arena.alloc(0), None);
    let mut blocks: Vec<_> = (0..1024).map(|_| arena.alloc(1024).expect("exactly full")).collect();
    assert_eq!(arena.alloc(1), None);
    let full = arena.stats();
    assert_eq!((full.used, full.free, full.total), (LEN, 0, LEN));
    assert_eq!((full.chunks_used, full.chunks_free, full.largest_free), (1024, 0, 0));
    blocks.sort();
    assert!(blocks.iter().enumerate().all(|(i, block)| block.as_ptr().addr() == BASE + 1024 * i));
    for block in blocks {
        assert_eq!(arena.free(block.as_ptr()), Ok(()));
    }
    assert_eq!(arena.stats().used, 0);
    let figures = arena.stats();
    assert_eq!((figures.chunks_free, figures.largest_free, figures.used), (1, LEN, 0));
    assert_eq!(arena.walk().count(), 1);
}

#[test]
fn odd_bases_and_lengths_are_exact() {
    for align in [1_usize, 2, 8, 16, 64] {
        for off in 0..64 {
            for len in [1_usize, 63, 64, 65, 1000, 4096, 4097] {
                let base = 0x1_0000_usize + off;
                let first: usize = base.next_multiple_of(align);
                let total = (base + len).saturating_sub(first) / align * align;
                let arena = made_up(base, len, align);
                if total == 0 {
                    assert!(matches!(arena, Err(RegionError::ZeroCapacity | RegionError::BelowLeast { .. })));
                    continue;
                }
                let mut arena = arena.expect("at least a granule");
                assert_eq!((arena.stats().total, arena.base().addr()), (total, base));
                let block = arena.alloc(1).expect("empty");
                assert_eq!(block.as_ptr().addr() % align, 0);
                assert!(arena.contains(block.as_ptr()) && block.as_ptr().addr() >= first);
                let size = (total - align).max(1);
                if let Some(rest) = arena.alloc(size) {
                    assert_eq!(rest.as_ptr().addr(), first);
                    assert_eq!(arena.stats().free, 0);
                    if size > 1 && align > 1 {
                        assert_eq!(arena.free(rest.as_ptr().wrapping_add(1)), Err(FreeError::Interior));
                    }
                    assert_eq!(arena.free(rest.as_ptr()), Ok(()));
                }
                assert_eq!(arena.free(block.as_ptr()), Ok(()));
                let walked: Vec<_> = arena.walk().collect();
                assert_eq!((walked.len(), walked[0].offset, walked[0].len), (1, first - base, total));
                for (address, inside) in [(base - 1, false), (base, true), (base + len - 1, true), (base + len, false)]
                {
                    assert_eq!(arena.contains(std::ptr::without_provenance(address)), inside);
                    let error = if inside { FreeError::NotLive } else { FreeError::OutOfRegion };
                    assert_eq!(arena.free(std::ptr::without_provenance_mut(address)), Err(error));
                }
                if let Some(block) = arena.alloc_aligned(1, 256) {
                    assert_eq!(block.as_ptr().addr() % 256, 0);
                    assert_eq!(arena.free(block.as_ptr()), Ok(()));
                } else {
                    assert!(first.next_multiple_of(256) + align > first + total);
                }
            }
        }
    }
}

#[test]
fn extreme_sizes_and_alignments_are_refused() {
    for granule in [1, 16, 4096] {
        let mut arena = made_up(0x10_0000, 1 << 20, granule).expect("a valid range");
        for size in [usize::MAX, usize::MAX - 1, usize::MAX - granule, isize::MAX as usize, 1 << 33, (1 << 20) + 1, 0] {
            assert_eq!(arena.alloc(size), None, "{size:#x}");
            for shift in [0, 4, 12, 31, 32, 40, 63] {
                assert_eq!(arena.alloc_aligned(size, 1 << shift), None);
            }
        }
        for align in [0, 3, usize::MAX] {
            assert_eq!(arena.alloc_aligned(1, align), None);
        }
        assert_eq!(arena.alloc_aligned(16, 1 << 63), None);
        assert_eq!(arena.stats().used, 0);
        let whole = arena.alloc_aligned(1 << 20, 1 << 20).expect("the base is aligned");
        assert_eq!(whole.as_ptr().addr(), 0x10_0000);
    }
    // An alignment beyond 2^32 granules has one place.
    let mut arena = made_up((1 << 40) - 4096, 8192, 1).expect("a valid range");
    assert_eq!(arena.alloc_aligned(1, 1 << 40).map(|block| block.as_ptr().addr()), Some(1 << 40));
    assert_eq!(arena.alloc_aligned(1, 1 << 40), None);
}

#[test]
fn invalid_ranges_are_typed_errors() {
    assert!(matches!(made_up(0, 4096, 16), Err(RegionError::NullBase)));
    assert!(matches!(made_up(4096, 0, 16), Err(RegionError::ZeroCapacity)));
    assert!(matches!(made_up(4097, 15, 16), Err(RegionError::ZeroCapacity)));
    assert!(matches!(made_up(4096, 4096, 0), Err(RegionError::BadAlignment)));
    assert!(matches!(made_up(4096, 4096, 24), Err(RegionError::BadAlignment)));
    assert!(matches!(made_up(usize::MAX - 10, 11, 1), Err(RegionError::Overflow)));
    assert!(matches!(made_up(4096, usize::MAX, 16), Err(RegionError::Overflow)));
    assert!(matches!(BestFitArena::over(&mut [], 16), Err(RegionError::ZeroCapacity)));
    // The last byte of the address space belongs to no range: `base + len` does not wrap.
    let mut top = made_up(usize::MAX - 4096, 4096, 1).expect("below the end");
    assert_eq!(top.alloc(4096).map(|block| block.as_ptr().addr()), Some(usize::MAX - 4096));
}

#[cfg(all(target_pointer_width = "64", not(miri)))]
#[test]
fn greatest_length_is_accepted() {
    const MAX: usize = (64 << 30) - 4096;
    assert!(matches!(made_up(1 << 40, MAX + 16, 16), Err(RegionError::AboveGreatest { .. })));
    assert!(matches!(made_up(1 << 40, 1 << 60, 16), Err(RegionError::AboveGreatest { .. })));
    for len in [MAX + 15, MAX, MAX - 16] {
        let mut arena = made_up(1 << 40, len, 16).expect("address space for the metadata");
        let total = len / 16 * 16;
        assert_eq!((arena.stats().total, arena.stats().largest_free), (total, total));
        assert_eq!(arena.alloc(total + 1), None);
        let block = arena.alloc(total).expect("all of it");
        assert_eq!(arena.free(block.as_ptr()), Ok(()));
    }
}

#[test]
fn blocks_of_real_memory_are_disjoint() {
    let mut memory = vec![MaybeUninit::<u8>::uninit(); 10_001];
    let mut arena = BestFitArena::over(&mut memory, 8).expect("memory");
    let mut blocks = Vec::new();
    for size in (1..120u8).cycle() {
        let Some(block) = arena.alloc(usize::from(size)) else { break };
        // SAFETY: a live block of `size` bytes of the vector's memory.
        unsafe { block.write_bytes(size, usize::from(size)) };
        blocks.push((block, size));
    }
    for (block, size) in blocks {
        // SAFETY: written above, and the block is still live.
        let bytes = unsafe { std::slice::from_raw_parts(block.as_ptr(), usize::from(size)) };
        assert!(bytes.iter().all(|byte| *byte == size));
        assert_eq!(arena.free(block.as_ptr()), Ok(()));
    }
    let text = format!("{} {arena:?}", arena.stats());
    assert!(text.contains("0 of ") && text.contains("BestFitArena"), "{text}");
}

/// Says by which of two constants applies whether a type is `Sync`: the inherent one wins where it exists.
struct Probe<T>(std::marker::PhantomData<T>);
impl<T: Sync> Probe<T> {
    const IS_SYNC: bool = true;
}
trait NotSync {
    const IS_SYNC: bool = false;
}
impl<T> NotSync for Probe<T> {}

#[test]
fn best_fit_is_send_not_sync() {
    fn assert_send<T: Send>() {}
    assert_send::<BestFitArena<'static>>();
    const { assert!(!Probe::<BestFitArena<'static>>::IS_SYNC) };
    const { assert!(Probe::<u8>::IS_SYNC) };
}
