//! Where the models of threads take place: a region, filled but for a few granules, a heap in it, and what
//! its roles do.
//!
//! A role is a thread with real (loom's) thread-locals; only its end is by hand (`thread::by_hand`), so that it lies
//! before the join. The main thread is late from the start: it never has a shard. What happened is noted in standard
//! atomics, which loom does not see: they add neither an order nor an execution.
#![expect(clippy::print_stdout, reason = "a model tells how often its case occurred")]

use core::alloc::Layout;
use core::ptr::NonNull;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use loom::sync::atomic::{AtomicUsize, Ordering};

use super::harness::{Blocks, region};
use crate::heap::{Heap, LocalHeap, Shard};
use crate::region::Region;
use crate::region::shards::OwnedShard;
use crate::thread::{by_hand, tokens};

/// Bytes of the region, and of a granule.
const BYTES: usize = 4096;
const GRANULE: usize = 16;

/// What every role asks for: one granule.
pub(crate) const BLOCK: Layout = Layout::new::<u128>();

/// Counts a case over all executions of a model.
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }
    pub(crate) fn hit(&self) {
        self.0.fetch_add(1, Relaxed);
    }
    pub(crate) fn hit_if(&self, hit: bool) {
        self.0.fetch_add(u64::from(hit), Relaxed);
    }
    /// The model has shown the case that it is about.
    pub(crate) fn happened(&self, what: &str) {
        let count = self.0.load(Relaxed);
        println!("    {what}: {count}");
        assert!(count > 0, "never in this model: {what}");
    }
}

/// A region of which all but a few granules are taken, and the heap that took them.
pub(crate) struct Place {
    pub(crate) region: Region,
    pub(crate) heap: Heap,
    /// The free granules, which lie behind the filler.
    pub(crate) blocks: Blocks,
    filler: NonNull<u8>,
    filler_layout: Layout,
    /// What roles tell each other, with an order and without one. Read by adding nothing, for loom may miss that a
    /// plain load could come later (tokio-rs/loom #166).
    told: AtomicUsize,
    ready: AtomicUsize,
    /// Threads that ended with a block in their shard; not a word of the model.
    left: AtomicU64,
    /// Blocks that roles still hold at the end; not a word of the model.
    kept: Mutex<Vec<NonNull<u8>>>,
    /// Longer ones.
    long: Mutex<Vec<(NonNull<u8>, Layout)>>,
}

// SAFETY: the pointer is an address in the region, which is Send and Sync.
#[expect(unsafe_code, reason = "a state holds the address of its filler")]
unsafe impl Send for Place {}
// SAFETY: as for Send.
#[expect(unsafe_code, reason = "a state holds the address of its filler")]
unsafe impl Sync for Place {}

impl Place {
    /// A heap of `shards` shards in a region with `free` granules.
    pub(crate) fn new(shards: usize, free: usize) -> Self {
        // The statics are made here, so that no role is ordered before another by their making.
        by_hand::set_late(true);
        let (_tokens, _none) = (tokens().exits_hint(), Shard::none());
        let region = region(BYTES);
        let heap = Heap::with_shards(&region, shards);
        let filler_layout = Layout::from_size_align(BYTES - free * GRANULE, GRANULE).expect("a small layout");
        let filler = heap.alloc(filler_layout).expect("an empty region").cast();
        let (told, ready, left) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicU64::new(0));
        Self {
            region,
            heap,
            blocks: Blocks::new(free),
            filler,
            filler_layout,
            told,
            ready,
            left,
            kept: Mutex::default(),
            long: Mutex::default(),
        }
    }

    fn index(&self, block: NonNull<u8>) -> usize {
        let offset = self.region.offset_of(block.as_ptr()).expect("a block of this region");
        (offset - self.filler_layout.size()) / GRANULE
    }

    // ---- what roles do --------------------------------------------------------------------------------------------

    /// A block from `heap`, if it is not refused.
    pub(crate) fn alloc_from(&self, heap: &Heap) -> Option<NonNull<u8>> {
        let block = heap.alloc(BLOCK).ok()?.cast();
        self.blocks.hand_out(self.index(block));
        Some(block)
    }

    /// Gives a block back to `heap`.
    #[expect(unsafe_code, reason = "free takes the caller's word for a block")]
    pub(crate) fn free_to(&self, heap: &Heap, block: NonNull<u8>) {
        self.blocks.free(self.index(block));
        // SAFETY: allocated with this layout, and nobody else's by the cell above.
        unsafe { heap.free(block, BLOCK) };
    }

    pub(crate) fn alloc(&self) -> Option<NonNull<u8>> {
        self.alloc_from(&self.heap)
    }

    pub(crate) fn free(&self, block: NonNull<u8>) {
        self.free_to(&self.heap, block);
    }

    /// Allocates a block and frees it; says whether it was not refused.
    pub(crate) fn use_once(&self) -> bool {
        let block = self.alloc();
        if let Some(block) = block {
            self.free(block);
        }
        block.is_some()
    }

    /// [`Place::use_once`] through a local handle.
    #[expect(unsafe_code, reason = "free takes the caller's word for a block")]
    pub(crate) fn use_local(&self, local: &LocalHeap<'_>) -> bool {
        let Ok(block) = local.alloc(BLOCK) else { return false };
        let block = block.cast();
        self.blocks.hand_out(self.index(block));
        self.blocks.free(self.index(block));
        // SAFETY: allocated with this layout, and nobody else's by the cell above.
        unsafe { local.free(block, BLOCK) };
        true
    }

    /// The thread ends, and has no shard from now on.
    pub(crate) fn end(&self) {
        self.leave();
        by_hand::end();
    }

    /// Uses the heap, is ready, and ends.
    pub(crate) fn use_and_end(&self) {
        self.use_once();
        self.set_ready();
        self.end();
    }

    /// Uses the heap and lives on; counts if it was given what an ended thread had left.
    pub(crate) fn use_and_live(&self, taken: &Count) {
        let served = self.use_once();
        taken.hit_if(served && self.was_left());
    }

    /// Allocates a block from a shard of its own, if it finds one, keeps it, and lives on; counts as
    /// [`Place::use_and_live`] does.
    pub(crate) fn keep_and_live(&self, taken: &Count) {
        if self.heap.has_shard()
            && let Some(block) = self.alloc()
        {
            taken.hit_if(self.was_left());
            self.keep(block);
        }
    }

    /// Keeps a block until the end.
    pub(crate) fn keep(&self, block: NonNull<u8>) {
        self.kept.lock().expect("no role panics with it").push(block);
    }

    /// As [`Place::keep`], a longer block.
    pub(crate) fn keep_long(&self, block: NonNull<u8>, layout: Layout) {
        self.long.lock().expect("no role panics with it").push((block, layout));
    }

    /// Notes whether the calling thread's shard holds a block.
    pub(crate) fn leave(&self) {
        if self.heap.held() > 0 {
            self.left.fetch_add(1, Relaxed);
        }
    }

    /// Whether some thread has ended with a block in its shard, in the order in which loom ran this execution.
    pub(crate) fn was_left(&self) -> bool {
        self.left.load(Relaxed) > 0
    }

    /// The calling thread has done all but end. Relaxed: it orders nothing, it spares the checker the schedules in
    /// which others begin before, where the model is not about them.
    pub(crate) fn set_ready(&self) {
        self.ready.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a thread has done all but end.
    pub(crate) fn is_ready(&self) -> bool {
        self.are_ready(1)
    }

    /// Whether `count` threads have done all but end.
    pub(crate) fn are_ready(&self, count: usize) -> bool {
        self.ready.fetch_add(0, Ordering::Relaxed) >= count
    }

    /// Tells the others.
    pub(crate) fn tell(&self, what: usize) {
        self.told.fetch_add(what, Ordering::Release);
    }

    /// What this thread knows.
    pub(crate) fn told(&self) -> usize {
        self.told.fetch_add(0, Ordering::Acquire)
    }

    /// A late thread's request; counts it in `claims` if it was given what an ended thread had left.
    pub(crate) fn request_late(&self, claims: &Count) -> bool {
        by_hand::set_late(true);
        let served = self.use_once();
        claims.hit_if(served && self.was_left());
        served
    }

    // ---- the end --------------------------------------------------------------------------------------------------

    /// After all threads have ended and a flush every block is back, and every lease.
    pub(crate) fn check(&self) {
        self.kept.lock().expect("no role panics with it").drain(..).for_each(|block| self.free(block));
        self.free_long();
        by_hand::end_all();
        self.heap.flush();
        assert_eq!(self.region.memory_usage(), self.filler_layout.size(), "the filler is all that is left");
        assert_eq!(self.heap.memory_usage(), self.filler_layout.size());
        assert_eq!(self.heap.stats().shards_owned, 0);
        self.check_empty();
    }

    #[expect(unsafe_code, reason = "free takes the caller's word for a block")]
    fn free_long(&self) {
        for (block, layout) in self.long.lock().expect("no role panics with it").drain(..) {
            // SAFETY: allocated with this layout, and freed once.
            unsafe { self.heap.free(block, layout) };
        }
    }

    /// As [`Place::check`], beside one shard that a leaked local pins: its block comes back with the heap.
    pub(crate) fn check_leaked(&self) {
        by_hand::end_all();
        self.heap.flush();
        assert_eq!(self.heap.stats().shards_owned, 1);
        assert_eq!(
            self.heap.memory_usage(),
            self.filler_layout.size() + GRANULE,
            "all but the pinned shard's block is back"
        );
    }

    /// Frees the filler: the region is empty.
    #[expect(unsafe_code, reason = "free takes the caller's word for a block")]
    pub(crate) fn check_empty(&self) {
        // SAFETY: allocated in `new` with this layout, and freed once.
        unsafe { self.heap.free(self.filler, self.filler_layout) };
        let stats = self.region.stats();
        assert_eq!((stats.usage, stats.leased, self.heap.stats().leased), (0, 0, 0));
        assert_eq!((stats.extents_used, self.heap.stats().invalid_frees), (0, 0));
        self.region.verify().expect("every byte is in one place");
    }
}
