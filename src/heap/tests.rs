//! The heap's own tests: figures, both modes, threads.
#![expect(unsafe_code, reason = "frees blocks, and reads what it filled")]

use core::alloc::Layout;
use core::ptr::NonNull;

use super::Heap;
use crate::sync::Arc;

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).expect("a valid layout")
}

/// A small deterministic generator (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a usize")
    }
    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

struct Block(NonNull<u8>, Layout, u8);

// SAFETY: a block is its holder's alone.
unsafe impl Send for Block {}

fn fill(ptr: NonNull<u8>, layout: Layout, seed: u8) -> Block {
    // SAFETY: a fresh block of that length.
    unsafe { ptr.write_bytes(seed, layout.size()) };
    Block(ptr, layout, seed)
}

fn check(block: &Block) {
    // SAFETY: a live block of that length, filled by `fill`.
    let bytes = unsafe { core::slice::from_raw_parts(block.0.as_ptr(), block.1.size()) };
    assert!(bytes.iter().all(|byte| *byte == block.2), "a block was handed out twice");
}

fn churn(heap: &Heap, seed: u64, steps: usize, most: usize) {
    let mut random = Random(seed);
    let mut blocks: Vec<Block> = Vec::new();
    for _ in 0..steps {
        if blocks.len() < most && random.below(5) < 3 {
            let most = if random.below(20) == 0 { 20_000 } else { 1_500 };
            let size = 1 + random.below(most);
            let layout = layout(size, 1 << random.below(9));
            match heap.alloc(layout) {
                Ok(block) => {
                    assert_eq!(block.len(), size);
                    assert_eq!(block.cast::<u8>().addr().get() % layout.align(), 0);
                    blocks.push(fill(block.cast(), layout, random.byte()));
                }
                Err(error) => assert!(error.usage <= error.limit, "{error}"),
            }
        } else if !blocks.is_empty() {
            let block = blocks.swap_remove(random.below(blocks.len()));
            check(&block);
            // SAFETY: live, with its layout.
            unsafe { heap.free(block.0, block.1) };
        }
        assert!(heap.memory_usage() <= heap.limit());
    }
    for block in blocks {
        check(&block);
        // SAFETY: live, with its layout.
        unsafe { heap.free(block.0, block.1) };
    }
}

#[test]
fn one_thread_both_modes_leaves_nothing() {
    for checked in [false, true] {
        let heap = Heap::builder().capacity(1 << 20).checked(checked).build().unwrap();
        for seed in 0..4 {
            churn(&heap, seed, 20_000, 300);
            heap.region().verify().unwrap();
        }
        assert_eq!(heap.live_bytes(), 0);
        heap.flush();
        assert_eq!((heap.memory_usage(), heap.stats().leased, heap.stats().invalid_frees), (0, 0, 0));
        assert_eq!(heap.region().stats().extents_free, 1);
    }
}

#[test]
fn many_threads_pressed_at_the_limit_leave_nothing() {
    for capacity in [256 << 10, 4 << 20] {
        let heap = Heap::with_capacity(capacity).unwrap();
        let threads: Vec<_> = (0..8)
            .map(|seed| {
                let heap = heap.clone();
                std::thread::spawn(move || churn(&heap, 100 + seed, 30_000, 1_000))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        heap.region().verify().unwrap();
        heap.flush();
        let stats = heap.stats();
        assert_eq!(
            (heap.memory_usage(), heap.live_bytes(), stats.leased, stats.invalid_frees),
            (0, 0, 0, 0),
            "{stats}"
        );
        assert_eq!(heap.region().stats().extents_free, 1);
    }
}

#[test]
fn blocks_freed_by_another_thread_come_back() {
    let heap = Heap::with_capacity(2 << 20).unwrap();
    let (sender, receiver) = std::sync::mpsc::sync_channel::<Vec<Block>>(4);
    let freeing = {
        let heap = heap.clone();
        std::thread::spawn(move || {
            for batch in receiver {
                for block in batch {
                    check(&block);
                    // SAFETY: live, with its layout, sent by its allocator.
                    unsafe { heap.free(block.0, block.1) };
                }
            }
        })
    };
    let mut random = Random(9);
    for _ in 0..400 {
        let batch = (0..256)
            .filter_map(|_| {
                let layout = layout(1 + random.below(700), 8);
                let block = heap.alloc(layout).ok()?;
                Some(fill(block.cast(), layout, random.byte()))
            })
            .collect();
        sender.send(batch).unwrap();
    }
    drop(sender);
    freeing.join().unwrap();
    heap.flush();
    assert_eq!((heap.memory_usage(), heap.live_bytes()), (0, 0));
    heap.region().verify().unwrap();
}

#[test]
fn handles_share_one_heap_and_its_limit() {
    let heap = Arc::new(Heap::builder().capacity(1 << 20).limit(64 << 10).build().unwrap());
    assert_eq!(heap.limit(), 64 << 10);
    let error = heap.alloc(layout(65 << 10, 1)).unwrap_err();
    assert_eq!((error.limit, error.usage, error.requested), (64 << 10, 0, 65 << 10));
    heap.set_limit(128 << 10);
    assert!(heap.alloc(layout(65 << 10, 1)).is_ok());
}

#[test]
fn a_batch_whose_iterator_panics_returns_what_it_was_given() {
    for checked in [false, true] {
        let heap = Heap::builder().capacity(1 << 20).checked(checked).build().unwrap();
        let large = layout(20_000, 8);
        let blocks: Vec<_> = (0..5).map(|_| heap.alloc(large).unwrap().cast::<u8>()).collect();
        let caught = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| {
            let mut given = 0;
            let until_fourth = blocks.iter().map(|block| {
                given += 1;
                assert!(given < 4, "the iterator's own panic");
                (*block, large)
            });
            // SAFETY: live, with their layout.
            unsafe { heap.free_batch(until_fourth) };
        }));
        assert!(caught.is_err());
        assert_eq!(heap.live_bytes(), 2 * 20_000);
        for block in &blocks[3..] {
            // SAFETY: live, with its layout: the batch never got it.
            unsafe { heap.free(*block, large) };
        }
        heap.flush();
        assert_eq!(heap.memory_usage(), 0);
        heap.region().verify().unwrap();
    }
}

#[test]
fn a_checked_heap_reports_a_grow_of_a_freed_block_at_the_call() {
    let heap = Heap::builder().capacity(1 << 20).checked(true).build().unwrap();
    let old = layout(100, 8);
    let block = heap.alloc(old).unwrap().cast::<u8>();
    // SAFETY: live, with its layout.
    unsafe { heap.free(block, old) };
    // SAFETY: not live, which a checked heap finds before it touches anything.
    let grown =
        std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| unsafe { heap.grow(block, old, layout(200, 8)) }));
    assert!(grown.is_err());
    assert_eq!(heap.stats().invalid_frees, 0);
    heap.flush();
    assert_eq!(heap.memory_usage(), 0);
}
