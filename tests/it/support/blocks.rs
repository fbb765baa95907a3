//! Blocks that know their contents, from any source of raw blocks.
//!
//! A [`Block`] is filled at hand-out with bytes made from its identity, which is never given twice, and checked when it
//! is freed: two blocks that overlap, or a block that lost its bytes, end the test.
#![expect(unsafe_code, reason = "the raw-layout calls of heaps and arenas, behind blocks that keep their contract")]

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use sharded_arena::allocator_api2::{self, alloc::Allocator};
use sharded_arena::{AllocError, Arena, BumpRegion, Heap, Local, LocalHeap, RegionReservation, Scope, Scratch};

pub(crate) fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).expect("a valid layout")
}

/// Serves requests for raw blocks.
pub(crate) trait Source {
    fn request(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError>;
}

/// A source that frees single blocks.
pub(crate) trait Frees: Source {
    type Refusal: std::fmt::Debug;
    /// # Safety
    /// As [`Heap::free`].
    unsafe fn free(&self, ptr: NonNull<u8>, layout: Layout);
    /// # Safety
    /// As [`Heap::grow`] and [`Heap::shrink`].
    unsafe fn resize(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, Self::Refusal>;
}

macro_rules! bumps {
    ($($type:ty)*) => { $(
        impl Source for $type {
            fn request(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
                let answer = self.try_alloc_layout(layout);
                answer.map(|ptr| NonNull::slice_from_raw_parts(ptr, layout.size()))
            }
        }
    )* };
}
bumps! { Arena Local<'_> Scratch Scope<'_> BumpRegion }

/// Checks where a heap's block lies.
fn of_heap(heap: &Heap, answer: NonNull<[u8]>) -> NonNull<[u8]> {
    assert_eq!(heap.region().contains(answer.cast().as_ptr()), !answer.is_empty(), "zero bytes are nowhere");
    answer
}

macro_rules! heaps {
    ($type:ty, $self:ident => $heap:expr) => {
        impl Source for $type {
            fn request(&$self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
                <$type>::alloc($self, layout).map(|answer| of_heap($heap, answer))
            }
        }
        impl Frees for $type {
            type Refusal = AllocError;
            unsafe fn free(&self, ptr: NonNull<u8>, layout: Layout) {
                // SAFETY: the trait's contract is the method's.
                unsafe { <$type>::free(self, ptr, layout) }
            }
            unsafe fn resize(&$self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
                let answer = if new.size() >= old.size() {
                    // SAFETY: the trait's contract is the method's.
                    unsafe { <$type>::grow($self, ptr, old, new) }
                } else {
                    // SAFETY: the trait's contract is the method's.
                    unsafe { <$type>::shrink($self, ptr, old, new) }
                };
                answer.map(|answer| of_heap($heap, answer))
            }
        }
    };
}
heaps!(Heap, self => self);
heaps!(LocalHeap<'_>, self => LocalHeap::heap(self));

impl Frees for Arena {
    type Refusal = allocator_api2::alloc::AllocError;
    unsafe fn free(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: the trait's contract is the allocator's.
        unsafe { (&self).deallocate(ptr, layout) };
    }
    unsafe fn resize(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, Self::Refusal> {
        if new.size() >= old.size() {
            // SAFETY: the trait's contract is the allocator's.
            unsafe { (&self).grow(ptr, old, new) }
        } else {
            // SAFETY: the trait's contract is the allocator's.
            unsafe { (&self).shrink(ptr, old, new) }
        }
    }
}

/// What blocks are filled with, from an offset of their own on: no two offsets of a short block hold the same byte, so
/// bytes that moved too far, or not far enough, are seen.
#[expect(clippy::cast_possible_truncation, reason = "the low eight bits are meant")]
static PATTERN: [u8; 512] = {
    let (mut pattern, mut at) = ([0; 512], 0);
    while at < 512 {
        pattern[at] = at as u8;
        at += 1;
    }
    pattern
};

/// The bytes of a block that begins with `byte`, part by part.
fn part(byte: u8, len: usize) -> &'static [u8] {
    &PATTERN[byte as usize..][..len]
}

fn fresh_byte() -> u8 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    u8::try_from(id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56).expect("eight bits")
}

/// A live block, filled with bytes of its own.
#[derive(Debug)]
pub(crate) struct Block {
    ptr: NonNull<u8>,
    layout: Layout,
    byte: u8,
}

// SAFETY: the block is its holder's alone, whichever thread that is on.
unsafe impl Send for Block {}

impl Block {
    /// Checks the answer to a request and fills the block.
    fn hold(answer: NonNull<[u8]>, layout: Layout) -> Self {
        let (ptr, byte) = (answer.cast::<u8>(), fresh_byte());
        assert_eq!(answer.len(), layout.size(), "as many bytes as were asked for");
        assert_eq!(ptr.addr().get() % layout.align(), 0, "aligned by its address: {layout:?}");
        if layout.size() > 0 {
            // SAFETY: the source says these bytes are this caller's.
            unsafe { ptr.write_bytes(0, layout.size()) };
            // SAFETY: as many bytes were just written, and are this caller's.
            let bytes = unsafe { std::slice::from_raw_parts_mut(ptr.as_ptr(), layout.size()) };
            bytes.chunks_mut(256).for_each(|bytes| bytes.copy_from_slice(part(byte, bytes.len())));
        }
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

    /// Asserts that the bytes are still those of this block.
    pub(crate) fn check(&self) {
        self.check_first(self.size());
    }

    fn check_first(&self, len: usize) {
        if len == 0 {
            return;
        }
        // SAFETY: a live block of at least `len` bytes, filled when it was handed out.
        let bytes = unsafe { std::slice::from_raw_parts(self.ptr.as_ptr(), len) };
        let same = bytes.chunks(256).all(|bytes| bytes == part(self.byte, bytes.len()));
        assert!(same, "the bytes of a block changed: {self:?} holds {:?}…", &bytes[..len.min(16)]);
    }
}

/// Takes a block for `layout` and fills it.
pub(crate) fn take(source: &impl Source, layout: Layout) -> Result<Block, AllocError> {
    source.request(layout).map(|answer| Block::hold(answer, layout))
}

/// Takes a block out of a reservation and fills it.
pub(crate) fn take_reserved(heap: &Heap, from: &mut RegionReservation, layout: Layout) -> Result<Block, AllocError> {
    heap.alloc_reserved(from, layout).map(|answer| Block::hold(of_heap(heap, answer), layout))
}

/// Takes blocks of `layout` until one is refused.
pub(crate) fn fill_up(source: &impl Source, layout: Layout) -> Vec<Block> {
    std::iter::from_fn(|| take(source, layout).ok()).collect()
}

/// Checks a block and frees it.
#[expect(clippy::needless_pass_by_value, reason = "a block that was freed is gone")]
pub(crate) fn give(source: &impl Frees, block: Block) {
    block.check();
    // SAFETY: a live block of this source, with its layout; it is moved in here.
    unsafe { source.free(block.ptr, block.layout) };
}

/// Checks blocks and frees them one by one.
pub(crate) fn give_each(source: &impl Frees, blocks: impl IntoIterator<Item = Block>) {
    for block in blocks {
        give(source, block);
    }
}

/// Grows or shrinks a block, checks that its bytes came along, and fills it anew; a refusal leaves it as it was.
pub(crate) fn regrow<S: Frees>(source: &S, block: &mut Block, new: Layout) -> Result<(), S::Refusal> {
    block.check();
    let Block { ptr, layout: old, byte } = *block;
    // SAFETY: a live block of this source, with its layout.
    let answer = unsafe { source.resize(ptr, old, new) }.inspect_err(|_| block.check())?;
    Block { ptr: answer.cast(), layout: new, byte }.check_first(old.size().min(new.size()));
    *block = Block::hold(answer, new);
    Ok(())
}

/// Returns the bytes in blocks.
pub(crate) fn bytes_of(blocks: &[Block]) -> usize {
    blocks.iter().map(Block::size).sum()
}

/// Asserts that every block has its bytes, and that no two overlap.
pub(crate) fn check_disjoint(blocks: &[Block]) {
    blocks.iter().for_each(Block::check);
    let mut ranges: Vec<_> = blocks.iter().filter(|b| b.size() > 0).map(|b| (b.ptr.addr().get(), b.size())).collect();
    ranges.sort_unstable();
    assert!(ranges.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0), "two blocks overlap");
}
