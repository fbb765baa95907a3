//! One block: handed out, made longer or shorter, given back. The only moves of bytes in an arena.
//!
//! The last block of the caller's chunk, or of the shared one, changes in place; every other one moves when it grows, and
//! its room stays in use until the reset.
#![expect(unsafe_code, reason = "moves the bytes of blocks that change their length")]

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::error::{AllocError, AllocErrorKind};
use crate::layout::dangling;

use super::inner::{Body, Core};
use super::shard::Shard;

/// Who hands out blocks from the chunk of one shard.
pub(crate) trait Blocks {
    /// The caller's shard.
    fn shard(&self) -> &Shard;

    /// The request that the chunk has no room for; its size is not zero.
    fn alloc_cold(&self, layout: Layout) -> Result<NonNull<u8>, AllocError>;

    /// The figures of a refusal.
    fn refusal(&self, requested: usize, align: usize, kind: AllocErrorKind) -> AllocError;

    /// Makes a block that is not the last of the chunk longer or shorter where it is, if that can be done.
    ///
    /// # Safety
    /// As for [`Blocks::resize`].
    unsafe fn resize_elsewhere(&self, _ptr: NonNull<u8>, _old: Layout, _new: Layout) -> Option<NonNull<u8>> {
        None
    }

    /// A block for `layout`, whose size is not zero, if the chunk has room.
    #[inline(always)]
    fn bump(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.shard().bump(layout)
    }

    /// A block for `layout`.
    #[inline(always)]
    fn alloc(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if layout.size() == 0 {
            return Ok(dangling(layout));
        }
        match self.bump(layout) {
            Some(block) => Ok(block),
            None => self.alloc_cold(layout),
        }
    }

    /// Gives a block back: its room too if it is the last.
    ///
    /// # Safety
    /// `ptr` is a block of `layout` from here, the caller's alone, and not used afterwards.
    #[inline]
    unsafe fn free(&self, ptr: NonNull<u8>, layout: Layout) {
        if layout.size() != 0 {
            self.shard().free(ptr, layout);
        }
    }

    /// Counts a block that was resized where it is.
    fn count_resized(&self, old: usize, new: usize) {
        self.shard().count_resized(old, new);
    }

    /// Makes a block longer or shorter, moving it if need be. One that shrinks stays where it is if `new` lets it.
    ///
    /// # Safety
    /// `ptr` is a block of `old` from here, the caller's alone. On success only the new block may be used.
    #[inline]
    unsafe fn resize(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        if old.size() == 0 || new.size() == 0 {
            // SAFETY: the caller's contract.
            unsafe { self.free(ptr, old) };
            return self.alloc(new);
        }
        let kept = old.size().min(new.size());
        if let Some(moved) = self.shard().resize_last(ptr, old, new) {
            // SAFETY: both ranges lie in what was the old block and the free bytes below it, all of it this shard's.
            unsafe { core::ptr::copy(ptr.as_ptr(), moved.as_ptr(), kept) };
            return Ok(moved);
        }
        // SAFETY: the caller's contract.
        unsafe { self.resize_cold(ptr, old, new) }
    }

    /// # Safety
    /// As for [`Blocks::resize`], with neither size zero.
    #[cold]
    #[inline(never)]
    unsafe fn resize_cold(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's contract.
        let in_place = unsafe { self.resize_elsewhere(ptr, old, new) };
        let stays = new.size() <= old.size() && ptr.addr().get().is_multiple_of(new.align());
        if let Some(block) = in_place.or(stays.then_some(ptr)) {
            self.count_resized(old.size(), new.size());
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

/// An arena and the shard through which one thread uses it.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) core: &'a Core,
    pub(super) shard: &'a Shard,
}

impl Blocks for At<'_> {
    #[inline(always)]
    fn shard(&self) -> &Shard {
        self.shard
    }

    #[cold]
    #[inline(never)]
    fn alloc_cold(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.core.alloc_cold(self.shard, layout)
    }

    fn refusal(&self, requested: usize, align: usize, kind: AllocErrorKind) -> AllocError {
        self.core.refusal(requested, align, kind)
    }

    #[inline]
    unsafe fn free(&self, ptr: NonNull<u8>, layout: Layout) {
        if layout.size() == 0 {
            return;
        }
        if !self.shard.is_none() {
            self.shard.free(ptr, layout);
        } else if let Some(body) = self.core.made() {
            let offset = body.offset(ptr);
            body.shared.shift(offset, offset + layout.size());
            body.count_outside(0, layout.size());
        }
    }

    unsafe fn resize_elsewhere(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>> {
        // SAFETY: the caller's contract.
        self.core.made().and_then(|body| unsafe { body.resize_shared(ptr, old, new) })
    }

    fn count_resized(&self, old: usize, new: usize) {
        if !self.shard.is_none() {
            self.shard.count_resized(old, new);
        } else if let Some(body) = self.core.made() {
            body.count_outside(new, old);
        }
    }
}

impl Body {
    /// Offset of `ptr` from the region's base.
    fn offset(&self, ptr: NonNull<u8>) -> usize {
        ptr.addr().get().wrapping_sub(self.memory.base().addr().get())
    }

    /// Counts bytes handed out and taken back by a thread without a shard.
    pub(super) fn count_outside(&self, allocated: usize, freed: usize) {
        if cfg!(feature = "stats") {
            self.outside.allocated.add(allocated as u64);
            self.outside.freed.add(freed as u64);
        }
    }

    /// Makes the last block of the shared chunk longer or shorter in place; none if it is not the last.
    ///
    /// # Safety
    /// As for [`Blocks::resize`], with neither size zero.
    unsafe fn resize_shared(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>> {
        let from = self.offset(ptr);
        let base = self.memory.base().addr().get();
        let to = (base + from + old.size()).checked_sub(new.size())? & !(new.align() - 1);
        let to = to.checked_sub(base).filter(|_| self.shared.top() == from)?;
        if to < from {
            if !self.shared.shift(from, to) {
                return None;
            }
            let moved = self.memory.byte(to);
            // SAFETY: the old block and the bytes below it are the caller's now; they may overlap.
            unsafe { core::ptr::copy(ptr.as_ptr(), moved.as_ptr(), old.size().min(new.size())) };
            return Some(moved);
        }
        let moved = self.memory.byte(to);
        // The bytes move before the room is given back: what is given back may be another's at once.
        // SAFETY: both ranges lie in the old block, which is the caller's alone; they may overlap.
        unsafe { core::ptr::copy(ptr.as_ptr(), moved.as_ptr(), new.size()) };
        // If another was faster it is no longer the last, and what was cut stays in use until the reset.
        self.shared.shift(from, to);
        Some(moved)
    }
}
