//! What the test programs share: a seeded generator, blocks that know their contents, and scripts over a heap.
//!
//! A [`Block`] is filled at hand-out with bytes made from its identity, which is never given twice, and checked when it
//! is freed: two blocks that overlap, or a block that lost its bytes, end the test.
#![allow(dead_code, reason = "each test program uses its part")]
#![expect(unsafe_code, reason = "the raw-layout calls of a heap, behind blocks that keep their contract")]

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use sharded_arena::{AllocError, FreeError, Heap, LocalHeap, RegionReservation};

pub(crate) mod arenas;
#[cfg(all(unix, not(miri)))]
pub(crate) mod child;
pub(crate) mod pages;

/// Debug builds run a part of what release builds run.
pub(crate) fn steps(release: usize) -> usize {
    if cfg!(debug_assertions) { release / 4 } else { release }
}

/// Splitmix64.
pub(crate) struct Random(u64);

impl Random {
    /// A generator whose seed is printed.
    pub(crate) fn seeded(seed: u64) -> Self {
        eprintln!("seed {seed:#x}");
        Self::new(seed)
    }
    /// A generator where printing would allocate.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a usize")
    }
}

pub(crate) fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).expect("a valid layout")
}

/// A heap's raw-layout methods, whichever handle they are called on.
pub(crate) trait Source {
    fn alloc(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError>;
    /// # Safety
    /// As [`Heap::free`].
    unsafe fn free(&self, ptr: NonNull<u8>, layout: Layout);
    /// # Safety
    /// As [`Heap::grow`] and [`Heap::shrink`].
    unsafe fn resize(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError>;
    fn heap(&self) -> &Heap;
}

macro_rules! source {
    ($type:ty, $self:ident => $heap:expr) => {
        impl Source for $type {
            fn alloc(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
                <$type>::alloc(self, layout)
            }
            unsafe fn free(&self, ptr: NonNull<u8>, layout: Layout) {
                // SAFETY: the trait's contract is the method's.
                unsafe { <$type>::free(self, ptr, layout) }
            }
            unsafe fn resize(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
                if new.size() >= old.size() {
                    // SAFETY: the trait's contract is the method's.
                    unsafe { <$type>::grow(self, ptr, old, new) }
                } else {
                    // SAFETY: the trait's contract is the method's.
                    unsafe { <$type>::shrink(self, ptr, old, new) }
                }
            }
            fn heap(&$self) -> &Heap {
                $heap
            }
        }
    };
}
source!(Heap, self => self);
source!(LocalHeap<'_>, self => LocalHeap::heap(self));

/// A live block that knows what its bytes are.
#[derive(Debug)]
pub(crate) struct Block {
    ptr: NonNull<u8>,
    layout: Layout,
    byte: u8,
}

// SAFETY: the block is its holder's alone, whichever thread that is on.
unsafe impl Send for Block {}

fn fresh_byte() -> u8 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    u8::try_from(id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56).expect("eight bits")
}

impl Block {
    /// Checks the answer to a request and fills the block.
    fn hold(answer: NonNull<[u8]>, layout: Layout, heap: &Heap) -> Self {
        let (ptr, byte) = (answer.cast::<u8>(), fresh_byte());
        assert_eq!(answer.len(), layout.size(), "as many bytes as were asked for");
        assert_eq!(ptr.addr().get() % layout.align(), 0, "aligned by its address: {layout:?}");
        assert_eq!(heap.region().contains(ptr.as_ptr()), layout.size() != 0, "zero bytes are nowhere");
        // SAFETY: the heap says these bytes are this caller's.
        unsafe { ptr.write_bytes(byte, layout.size()) };
        Self { ptr, layout, byte }
    }

    pub(crate) fn ptr(&self) -> NonNull<u8> {
        self.ptr
    }
    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }
    pub(crate) fn size(&self) -> usize {
        self.layout.size()
    }

    /// The bytes are still those of this block.
    pub(crate) fn check(&self) {
        self.check_first(self.layout.size());
    }

    fn check_first(&self, len: usize) {
        if len == 0 {
            return;
        }
        // SAFETY: a live block of at least `len` bytes, filled when it was handed out.
        let bytes = unsafe { std::slice::from_raw_parts(self.ptr.as_ptr(), len) };
        let same = bytes[0] == self.byte && bytes[..len - 1] == bytes[1..];
        assert!(same, "the bytes of a block changed: {self:?} holds {:?}…", &bytes[..len.min(16)]);
    }
}

/// A block for `layout`, filled.
pub(crate) fn take(source: &impl Source, layout: Layout) -> Result<Block, AllocError> {
    Ok(Block::hold(source.alloc(layout)?, layout, source.heap()))
}

/// A block out of a reservation, filled.
pub(crate) fn take_reserved(heap: &Heap, from: &mut RegionReservation, layout: Layout) -> Result<Block, AllocError> {
    Ok(Block::hold(heap.alloc_reserved(from, layout)?, layout, heap))
}

/// Checks a block and frees it.
#[expect(clippy::needless_pass_by_value, reason = "a block that was freed is gone")]
pub(crate) fn give(source: &impl Source, block: Block) {
    block.check();
    let Block { ptr, layout, .. } = block;
    // SAFETY: a live block of this heap, with its layout; it is moved in here.
    unsafe { source.free(ptr, layout) };
}

/// Checks blocks and frees them one by one.
pub(crate) fn give_each(source: &impl Source, blocks: impl IntoIterator<Item = Block>) {
    for block in blocks {
        give(source, block);
    }
}

/// Joins threads, none of which may have panicked.
pub(crate) fn join_all(threads: Vec<std::thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("no panic");
    }
}

/// Checks a block and frees it straight to the index.
#[expect(clippy::needless_pass_by_value, reason = "a block that was freed is gone")]
pub(crate) fn try_give(heap: &Heap, block: Block) -> Result<(), FreeError> {
    block.check();
    let Block { ptr, layout, .. } = block;
    // SAFETY: a live block of this heap; it is moved in here.
    unsafe { heap.try_free(ptr, layout) }
}

/// Checks blocks and frees them in one call.
pub(crate) fn give_all(heap: &Heap, blocks: Vec<Block>) {
    blocks.iter().for_each(Block::check);
    // SAFETY: live blocks of this heap, with their layouts; they are moved in here.
    unsafe { heap.free_batch(blocks.into_iter().map(|block| (block.ptr, block.layout))) };
}

/// Grows or shrinks a block, checks that its bytes came along, and fills it anew; a refusal leaves it as it was.
pub(crate) fn regrow(source: &impl Source, block: &mut Block, new: Layout) -> Result<(), AllocError> {
    block.check();
    // SAFETY: a live block of this heap, with its layout.
    let answer = match unsafe { source.resize(block.ptr, block.layout, new) } {
        Ok(answer) => answer,
        Err(error) => {
            block.check();
            return Err(error);
        }
    };
    let moved = Block { ptr: answer.cast(), layout: new, byte: block.byte };
    moved.check_first(block.size().min(new.size()));
    *block = Block::hold(answer, new, source.heap());
    Ok(())
}

/// A heap with a region of its own.
pub(crate) fn heap(capacity: usize, checked: bool) -> Heap {
    Heap::builder().capacity(capacity).checked(checked).build().expect("a valid capacity")
}

/// Allocates, resizes and frees at random; at every step the usage is within the limit. Gives what is left alive.
pub(crate) fn churn(source: &impl Source, random: &mut Random, steps: usize, most: usize) -> Vec<Block> {
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

/// Nothing is live: after a flush every figure is zero and the region is one free range.
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
