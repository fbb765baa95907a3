//! The contenders: everything that serves the same requests, behind one trait.
//!
//! The work is generic over [`Contender`], so that each contender is compiled into it as it would be into a
//! program that uses it: no contender pays for a call through a table.

use std::ptr::NonNull;

pub mod arena;
pub mod bare;
pub mod best_fit;
pub mod bitena;
pub mod blink;
pub mod btree;
pub mod bulk;
pub mod bump_scope;
pub mod bumpalo;
pub mod capped;
pub mod floor;
pub mod global;
pub mod multitude;
pub mod offset_allocator;
pub mod one_by_one;
pub mod ours;
pub mod rlsf;
pub mod slots;
pub mod timed;
pub mod words;

/// Something that serves blocks of any size.
pub trait Contender {
    /// What a caller keeps for a live block.
    type Handle: Copy;

    /// False for the floor, whose blocks overlap.
    const DISTINCT_BLOCKS: bool = true;

    /// A block of `size` bytes, or none: refused.
    fn alloc(&mut self, size: usize) -> Option<Self::Handle>;

    /// The memory of a live block.
    fn ptr(&self, block: Self::Handle) -> NonNull<u8>;

    /// Takes a block back.
    ///
    /// # Safety
    ///
    /// `block` came from this contender's `alloc(size)` (or from a clone's) and is freed only once.
    unsafe fn free(&mut self, block: Self::Handle, size: usize);
}

/// A contender that threads share: each has a clone, all clones are one heap.
pub trait Shared: Contender<Handle = NonNull<u8>> + Clone + Send + 'static {}

impl<C: Contender<Handle = NonNull<u8>> + Clone + Send + 'static> Shared for C {}

/// A live block of a shared contender, on its way between threads.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    pub ptr: NonNull<u8>,
    pub size: u32,
}

// SAFETY: a block is plain memory with one holder; every shared contender takes it back on any thread.
unsafe impl Send for Block {}

/// The write every block gets, whoever served it: its first and its last byte.
///
/// # Safety
///
/// `ptr` is a live block of `size` bytes, at least one.
#[inline]
pub unsafe fn stamp(ptr: NonNull<u8>, size: usize, value: u8) {
    // SAFETY: the block's first byte.
    unsafe { ptr.write(value) };
    // SAFETY: the block's last byte.
    unsafe { ptr.add(size - 1).write(value) };
}

/// Whether a block still holds what [`stamp`] wrote: two blocks that overlap would not.
///
/// # Safety
///
/// As [`stamp`], and the block was stamped.
pub unsafe fn has_stamp(ptr: NonNull<u8>, size: usize, value: u8) -> bool {
    // SAFETY: the block's first byte.
    let first = unsafe { ptr.read() };
    // SAFETY: the block's last byte.
    let last = unsafe { ptr.add(size - 1).read() };
    first == value && last == value
}
