//! Scripts over a heap, and what must hold of its figures after them.
#![expect(unsafe_code, reason = "frees blocks whose layouts are known")]

use sharded_arena::{FreeError, Heap, LocalHeap};

use super::{Block, Frees, Random, give, layout, regrow, take};

/// Creates a heap with a region of its own.
pub(crate) fn heap(capacity: usize, checked: bool) -> Heap {
    Heap::builder().capacity(capacity).checked(checked).build().expect("a valid capacity")
}

/// Checks a block and frees it straight to the index.
#[expect(clippy::needless_pass_by_value, reason = "a block that was freed is gone")]
pub(crate) fn try_give(heap: &Heap, block: Block) -> Result<(), FreeError> {
    block.check();
    // SAFETY: a live block of this heap; it is moved in here.
    unsafe { heap.try_free(block.ptr(), block.layout()) }
}

/// Checks blocks and frees them in one call.
pub(crate) fn give_all(heap: &Heap, blocks: Vec<Block>) {
    blocks.iter().for_each(Block::check);
    // SAFETY: live blocks of this heap, with their layouts; they are moved in here.
    unsafe { heap.free_batch(blocks.into_iter().map(|block| (block.ptr(), block.layout()))) };
}

/// A heap, whichever handle its methods are called on.
pub(crate) trait OfHeap: Frees {
    fn heap(&self) -> &Heap;
}
impl OfHeap for Heap {
    fn heap(&self) -> &Heap {
        self
    }
}
impl OfHeap for LocalHeap<'_> {
    fn heap(&self) -> &Heap {
        LocalHeap::heap(self)
    }
}

/// Allocates, resizes and frees at random; at every step the usage is within the limit. Returns what is left alive.
pub(crate) fn churn(source: &impl OfHeap, random: &mut Random, steps: usize, most: usize) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let any = |random: &mut Random| {
        let longest = if random.below(20) == 0 { 20_000 } else { 1_500 };
        layout(random.below(longest), 1 << random.below(9))
    };
    for _ in 0..steps {
        match random.below(10) {
            0..5 if blocks.len() < most => blocks.extend(take(source, any(random))),
            5 if !blocks.is_empty() => {
                let (at, new) = (random.below(blocks.len()), any(random));
                let _refused_is_fine = regrow(source, &mut blocks[at], new);
            }
            _ if !blocks.is_empty() => give(source, blocks.swap_remove(random.below(blocks.len()))),
            _ => {}
        }
        assert!(source.heap().memory_usage() <= source.heap().limit());
    }
    blocks
}

/// Asserts that nothing is live: after a flush every figure is zero and the region is one free range.
pub(crate) fn assert_empty(heap: &Heap) {
    heap.region().verify().expect("every byte is in one place");
    heap.flush();
    heap.region().verify().expect("every byte is in one place");
    let (stats, region) = (heap.stats(), heap.region().stats());
    assert_eq!((stats.usage, stats.leased, stats.invalid_frees), (0, 0, 0), "{stats}");
    #[cfg(feature = "stats")]
    assert_eq!(stats.live_bytes, 0, "{stats}");
    assert_eq!((region.usage, region.leased, region.reserved, region.extents_free), (0, 0, 0, 1), "{region}");
    assert_eq!(region.free, region.capacity, "{region}");
}
