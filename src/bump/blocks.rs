//! `Blocks`: whoever hands out blocks by moving a cursor down, and what can be done with a block by its holder.
//!
//! The last block handed out begins at the cursor: it changes its length in place, moving its bytes, for its end stays.
//! Every other one moves when it grows, and its room stays in use until everything is freed, unless it has an extent to
//! itself.
//!
//! The typed methods stand on this; below it are the fixed region (`bump/mod.rs`), the arenas and scratch stacks
//! (`arena/`).
#![expect(unsafe_code, reason = "moves the bytes of blocks that change their length")]

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::base::error::{AllocError, AllocErrorKind};
use crate::base::layout::dangling;

/// See the module's header.
///
/// By value, for it is one reference or two: a slow path then finds them in registers, and a fast path need not put
/// them into memory for it.
///
/// # Safety
/// A block is as long and as aligned as its layout says, readable and writable, and nobody else's, until it is resized
/// or freed here, or everything is freed at once.
pub(crate) unsafe trait Blocks: Copy {
    /// A block for `layout`, whose size is not zero, where that takes no more than moving the cursor.
    fn bump(self, layout: Layout) -> Option<NonNull<u8>>;

    /// The request for which the cursor has no room; its size is not zero.
    fn alloc_cold(self, layout: Layout) -> Result<NonNull<u8>, AllocError>;

    /// Makes a block longer or shorter without another one, moving its bytes if it is the last; none if that cannot be
    /// done. A block that shrinks may stay as it is.
    ///
    /// # Safety
    /// As for [`Blocks::resize`], with neither size zero.
    unsafe fn resize_in_place(self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>>;

    /// Gives a block back: its room too if it is the last.
    ///
    /// # Safety
    /// `ptr` is a block of `layout`, whose size is not zero, from here, the caller's alone, and not used afterwards.
    unsafe fn free_nonzero(self, ptr: NonNull<u8>, layout: Layout);

    /// The figures of a refusal.
    fn refusal(self, requested: usize, align: usize, kind: AllocErrorKind) -> AllocError;

    /// A block for `layout`.
    #[inline(always)]
    fn alloc(self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if layout.size() == 0 {
            return Ok(dangling(layout));
        }
        match self.bump(layout) {
            Some(block) => Ok(block),
            None => self.alloc_cold(layout),
        }
    }

    /// A block for `layout`, or a panic with the refusal's text.
    #[inline(always)]
    #[track_caller]
    fn alloc_or_panic(self, layout: Layout) -> NonNull<u8> {
        if layout.size() == 0 {
            return dangling(layout);
        }
        match self.bump(layout) {
            Some(block) => block,
            None => self.alloc_cold_or_panic(layout),
        }
    }

    /// As [`Blocks::alloc_cold`]: a pointer comes back in a register, an error would not.
    #[cold]
    #[inline(never)]
    #[track_caller]
    fn alloc_cold_or_panic(self, layout: Layout) -> NonNull<u8> {
        match self.alloc_cold(layout) {
            Ok(block) => block,
            Err(error) => panic!("{error}"),
        }
    }

    /// Gives a block back: its room too if it is the last.
    ///
    /// # Safety
    /// `ptr` is a block of `layout` from here, the caller's alone, and not used afterwards.
    #[inline]
    unsafe fn free(self, ptr: NonNull<u8>, layout: Layout) {
        if layout.size() != 0 {
            // SAFETY: the caller's contract.
            unsafe { self.free_nonzero(ptr, layout) }
        }
    }

    /// Makes a block longer or shorter, moving it if need be. One that shrinks stays where it is if `new` lets it.
    ///
    /// # Safety
    /// `ptr` is a block of `old` from here, the caller's alone. On success only the new block may be used.
    #[inline]
    unsafe fn resize(self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        if old.size() == 0 || new.size() == 0 {
            // SAFETY: the caller's contract.
            unsafe { self.free(ptr, old) };
            return self.alloc(new);
        }
        // SAFETY: the caller's contract; neither size is zero.
        if let Some(block) = unsafe { self.resize_in_place(ptr, old, new) } {
            return Ok(block);
        }
        let moved = self.alloc(new)?;
        // SAFETY: the old block is live and as long as `old`, the new one is fresh and as long as `new`.
        unsafe { core::ptr::copy_nonoverlapping(ptr.as_ptr(), moved.as_ptr(), old.size().min(new.size())) };
        // SAFETY: the caller's contract; its bytes have moved.
        unsafe { self.free(ptr, old) };
        Ok(moved)
    }
}

/// Moves the bytes of a block that began at `ptr` to where it begins now, in the same or overlapping memory.
///
/// # Safety
/// `len` bytes from either address on are the caller's alone.
#[inline]
pub(crate) unsafe fn move_bytes(ptr: NonNull<u8>, to: NonNull<u8>, len: usize) -> NonNull<u8> {
    // SAFETY: the caller's contract.
    unsafe { core::ptr::copy(ptr.as_ptr(), to.as_ptr(), len) };
    to
}

/// A cursor that other threads may move meanwhile, by offsets from a base.
pub(crate) trait SharedCursor {
    /// Where the last block begins, as a hint.
    fn top(&self) -> usize;
    /// Moves the cursor from `from` to `to` if it stands there and the memory goes so far down.
    fn shift(&self, from: usize, to: usize) -> bool;
}

/// [`Blocks::resize_in_place`] where the cursor is shared: `ptr` is at offset `from` from address `base`, and `at`
/// gives the byte at an offset.
///
/// # Safety
/// As for [`Blocks::resize_in_place`].
pub(crate) unsafe fn resize_shared(
    cursor: &impl SharedCursor,
    base: usize,
    at: impl Fn(usize) -> NonNull<u8>,
    ptr: NonNull<u8>,
    old: Layout,
    new: Layout,
) -> Option<NonNull<u8>> {
    let from = ptr.addr().get() - base;
    let to = (base + from + old.size()).checked_sub(new.size())? & !(new.align() - 1);
    let to = to.checked_sub(base).filter(|_| cursor.top() == from);
    match to {
        // The old block and the bytes below it are the caller's once the cursor stands there.
        Some(to) if to < from => {
            // SAFETY: as just said.
            cursor.shift(from, to).then(|| unsafe { move_bytes(ptr, at(to), old.size().min(new.size())) })
        }
        Some(to) => {
            // The bytes move before the room is given back: what is given back may be another's at once.
            // SAFETY: both ranges lie in the old block, which is the caller's alone.
            let moved = unsafe { move_bytes(ptr, at(to), new.size()) };
            // If another was faster it is no longer the last, and what was cut stays in use.
            cursor.shift(from, to);
            Some(moved)
        }
        None => (new.size() <= old.size() && ptr.addr().get().is_multiple_of(new.align())).then_some(ptr),
    }
}
