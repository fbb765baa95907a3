//! Where the models of arenas take place: a region filled but for a few granules, a heap and an arena in it, and what
//! roles do.
//!
//! As in [`super::threads`] a role is a thread with loom's thread-locals, the main thread is late from the start, and
//! what happened is noted in standard atomics. The region's memory is this model's own, for an arena keeps nodes in
//! it. When the ground goes, its arena is verified and dropped, and then only the filler may be charged, and nothing
//! leased.
#![expect(unsafe_code, reason = "free and resize take the caller's word for a block")]

use core::alloc::Layout;
use core::ptr::NonNull;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use loom::sync::atomic::{AtomicUsize, Ordering};

use super::harness::{Blocks as Cells, own_region};
use crate::arena::Arena;
use crate::bump::blocks::Blocks;
use crate::heap::{Heap, Shard};
use crate::region::Region;
use crate::region::shards::OwnedShard;
use crate::thread::{by_hand, tokens};

/// Bytes of the region, and of a granule.
const BYTES: usize = 8192;
pub(crate) const GRANULE: usize = 16;
/// A quarter of the region may be idle, so that chunks are as long as a model says.
const SLACK_DIVISOR: usize = 4;

/// A block of some role: where it begins and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) ptr: NonNull<u8>,
    pub(crate) bytes: usize,
}

impl Block {
    fn layout(self) -> Layout {
        layout(self.bytes)
    }
}

/// See the module's header.
pub(crate) struct Ground {
    /// None once it was dropped.
    arena: Option<Arena>,
    heap: Heap,
    pub(crate) region: Region,
    /// The free granules, which lie behind the filler.
    cells: Cells,
    filler: Block,
    /// Blocks that `make` has taken for the roles.
    pub(crate) first: Vec<Block>,
    /// Blocks of the heap that are held until the end; not a word of the model.
    kept: Mutex<Vec<Block>>,
    /// What roles tell each other; read by adding nothing (see `Place`).
    told: AtomicUsize,
    /// Threads that ended with idle bytes in their chunk; not a word of the model.
    left: AtomicU64,
}

// SAFETY: the pointers are addresses in the region, which is Send and Sync.
unsafe impl Send for Ground {}
// SAFETY: as for Send.
unsafe impl Sync for Ground {}

/// The layout of a block of `bytes` bytes.
pub(crate) fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, 1).expect("a small layout")
}

impl Ground {
    /// An arena of `shards` shards and chunks of `chunk` bytes, in a region with `free` granules.
    pub(crate) fn new(shards: usize, chunk: usize, free: usize) -> Self {
        Self::with_slack(shards, chunk, free, SLACK_DIVISOR)
    }

    /// As [`Ground::new`], where the region's bytes by `slack_divisor` may be idle.
    pub(crate) fn with_slack(shards: usize, chunk: usize, free: usize, slack_divisor: usize) -> Self {
        by_hand::set_late(true);
        // The statics are made here, so that no role is ordered before another by their making.
        let (_tokens, _none) = (tokens().exits_hint(), Shard::none());
        let region = own_region(BYTES, BYTES, slack_divisor);
        let (heap, arena) = (Heap::with_shards(&region, 2), Arena::with_shards(&region, shards, chunk));
        let bytes = BYTES - free * GRANULE;
        let filler = Block { ptr: heap.alloc(layout(bytes)).expect("an empty region").cast(), bytes };
        Self {
            arena: Some(arena),
            heap,
            region,
            cells: Cells::new(free),
            filler,
            first: Vec::new(),
            kept: Mutex::default(),
            told: AtomicUsize::new(0),
            left: AtomicU64::new(0),
        }
    }

    /// As [`Ground::new`], where `make` has taken blocks for the roles from the arena, on the main thread.
    pub(crate) fn with_blocks(mut self, sizes: &[usize]) -> Self {
        self.first = sizes.iter().map(|&bytes| self.alloc(bytes).expect("memory is free")).collect();
        self
    }

    /// As [`Ground::with_blocks`], from the heap.
    pub(crate) fn with_heap_blocks(mut self, sizes: &[usize]) -> Self {
        self.first = sizes.iter().map(|&bytes| self.heap_alloc(bytes).expect("memory is free")).collect();
        self
    }

    pub(crate) fn arena(&self) -> &Arena {
        self.arena.as_ref().expect("not dropped yet")
    }

    /// Bytes charged beside the filler.
    pub(crate) fn usage(&self) -> usize {
        self.region.memory_usage() - self.filler.bytes
    }

    // ---- cells ----------------------------------------------------------------------------------------------------

    /// Whole granules of a block: a role's block shares no granule with another's.
    fn granules(&self, block: Block) -> core::ops::Range<usize> {
        let offset = self.region.offset_of(block.ptr.as_ptr()).expect("a block of this region") - self.filler.bytes;
        offset / GRANULE..(offset + block.bytes).div_ceil(GRANULE)
    }

    /// The block was handed out: nobody else may hold it.
    pub(crate) fn hand_out(&self, block: Block) {
        self.granules(block).for_each(|granule| self.cells.hand_out(granule));
    }

    /// The block's holder is about to give it back.
    pub(crate) fn put_down(&self, block: Block) {
        self.granules(block).for_each(|granule| self.cells.free(granule));
    }

    // ---- what roles do --------------------------------------------------------------------------------------------

    /// A block of the arena, through `blocks`.
    pub(crate) fn alloc_from(&self, blocks: &impl Blocks, bytes: usize) -> Option<Block> {
        let block = Block { ptr: blocks.alloc(layout(bytes)).ok()?, bytes };
        self.hand_out(block);
        Some(block)
    }

    /// Gives a block of the arena back, through `blocks`.
    pub(crate) fn free_to(&self, blocks: &impl Blocks, block: Block) {
        self.put_down(block);
        // SAFETY: a block of that layout, the caller's alone by the cells above.
        unsafe { blocks.free(block.ptr, block.layout()) };
    }

    /// A block of the arena, if it is not refused; nobody has to give it back.
    pub(crate) fn alloc(&self, bytes: usize) -> Option<Block> {
        self.alloc_from(&self.arena().blocks(), bytes)
    }

    pub(crate) fn free(&self, block: Block) {
        self.free_to(&self.arena().blocks(), block);
    }

    /// Makes a block of the arena longer or shorter.
    pub(crate) fn resize(&self, block: Block, bytes: usize) -> Option<Block> {
        self.put_down(block);
        // SAFETY: a block of that layout, the caller's alone by the cells above.
        let moved = unsafe { self.arena().blocks().resize(block.ptr, block.layout(), layout(bytes)) };
        let block = Block { ptr: moved.ok()?, bytes };
        self.hand_out(block);
        Some(block)
    }

    /// A block of the heap, kept until the end.
    pub(crate) fn heap_keep(&self, bytes: usize) -> Option<Block> {
        let block = self.heap_alloc(bytes)?;
        self.kept.lock().expect("no role panics with it").push(block);
        Some(block)
    }

    /// A block of the heap.
    pub(crate) fn heap_alloc(&self, bytes: usize) -> Option<Block> {
        let block = Block { ptr: self.heap.alloc(layout(bytes)).ok()?.cast(), bytes };
        self.hand_out(block);
        Some(block)
    }

    /// Gives a block of the heap back.
    pub(crate) fn heap_free(&self, block: Block) {
        self.put_down(block);
        // SAFETY: a block of that layout, the caller's alone by the cells above.
        unsafe { self.heap.free(block.ptr, block.layout()) };
    }

    /// The thread ends, and has no shard from now on.
    pub(crate) fn end(&self) {
        self.left.fetch_add(u64::from(self.arena().held() > 0), Relaxed);
        by_hand::end();
    }

    /// Whether some thread has ended with a chunk in its shard, in the order in which loom ran this execution.
    pub(crate) fn was_left(&self) -> bool {
        self.left.load(Relaxed) > 0
    }

    /// Tells the others.
    pub(crate) fn tell(&self, what: usize) {
        self.told.fetch_add(what, Ordering::Release);
    }

    /// What this thread knows.
    pub(crate) fn told(&self) -> usize {
        self.told.fetch_add(0, Ordering::Acquire)
    }

    /// A hint to others, which orders nothing: it spares the checker the schedules in which they begin before.
    pub(crate) fn set_ready(&self) {
        self.told.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the hint was given.
    pub(crate) fn is_ready(&self) -> bool {
        self.told.fetch_add(0, Ordering::Relaxed) > 0
    }

    // ---- the end --------------------------------------------------------------------------------------------------

    /// The arena's usage is what its lists say, after a reset too, which keeps chunks; a trim then leaves nothing.
    fn check_arena(&mut self) {
        let arena = self.arena.as_mut().expect("not dropped yet");
        arena.verify().expect("the lists are whole");
        arena.reset();
        arena.verify().expect("the lists are whole after a reset");
        arena.trim(0);
        assert_eq!((arena.memory_usage(), arena.leased()), (0, 0), "bytes or leases lost, or given back twice");
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        by_hand::end_all();
        if self.arena.is_some() {
            self.check_arena();
        }
        self.arena = None;
        let kept = self.kept.lock().expect("no role panicked with it").split_off(0);
        for block in kept {
            self.heap_free(block);
        }
        assert_eq!(self.usage(), 0, "bytes left behind");
        // SAFETY: allocated in `new` with this layout, and freed once.
        unsafe { self.heap.free(self.filler.ptr, self.filler.layout()) };
        assert_eq!((self.region.memory_usage(), self.region.budget().leased()), (0, 0));
        self.region.verify().expect("every byte is free");
    }
}
