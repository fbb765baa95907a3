//! What is being made: [`Block`], bytes that are given back unless they are kept, and [`Building`], values in a block.
//!
//! - INV-T1: `built ≤ slots`; the block is as long as `slots` values; the first `built` slots hold values, which are the
//!   guard's own.
//!
//! For values of no size the block is dangling and `slots` is the greatest number, so the count can never wrap.
#![expect(unsafe_code, reason = "writes values into blocks of bytes")]

use core::alloc::Layout;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use super::Raw;
use crate::base::error::{AllocError, AllocErrorKind};
use crate::bump::blocks::Blocks;

/// A block that only this guard knows: given back when it is dropped.
pub(super) struct Block<'r, R: Raw<'r>> {
    raw: R,
    ptr: NonNull<u8>,
    layout: Layout,
    _life: PhantomData<&'r mut [u8]>,
}

impl<'r, R: Raw<'r>> Block<'r, R> {
    #[inline(always)]
    pub(super) fn take(raw: R, layout: Layout) -> Result<Self, AllocError> {
        let ptr = raw.blocks().alloc(layout)?;
        Ok(Self { raw, ptr, layout, _life: PhantomData })
    }

    /// As [`Block::take`], or a panic with the text of the refusal.
    #[inline(always)]
    #[track_caller]
    pub(super) fn granted(raw: R, layout: Layout) -> Self {
        let ptr = raw.blocks().alloc_or_panic(layout);
        Self { raw, ptr, layout, _life: PhantomData }
    }

    #[inline(always)]
    pub(super) fn ptr(&self) -> NonNull<u8> {
        self.ptr
    }

    /// The block, which stays for `'r`.
    #[inline(always)]
    pub(super) fn keep(self) -> NonNull<u8> {
        ManuallyDrop::new(self).ptr
    }

    /// Makes the block as long as `layout`, which is aligned alike. A refusal changes nothing; a shorter one is never refused.
    fn resize(&mut self, layout: Layout) -> Result<(), AllocError> {
        if layout.size() != self.layout.size() {
            // SAFETY: the guard's own live block of `self.layout`.
            self.ptr = unsafe { self.raw.blocks().resize(self.ptr, self.layout, layout) }?;
            self.layout = layout;
        }
        Ok(())
    }
}

impl<'r, R: Raw<'r>> Drop for Block<'r, R> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the guard's own live block; nothing uses it after the guard.
        unsafe { self.raw.blocks().free(self.ptr, self.layout) };
    }
}

/// Values that are being made one behind the other: dropped with their block unless they are finished.
pub(super) struct Building<'r, R: Raw<'r>, T> {
    built: usize,
    slots: usize,
    // Dropped after the values, and even if one of them panics.
    block: Block<'r, R>,
    _owns: PhantomData<T>,
}

/// The layout of `len` values, or the refusal of a length that no layout expresses.
#[inline]
pub(super) fn array<'r, R: Raw<'r>, T>(raw: R, len: usize) -> Result<Layout, AllocError> {
    Layout::array::<T>(len).map_err(|_| too_long::<R, T>(raw, len))
}

#[cold]
#[inline(never)]
fn too_long<'r, R: Raw<'r>, T>(raw: R, len: usize) -> AllocError {
    raw.blocks().refusal(len.saturating_mul(size_of::<T>()), align_of::<T>(), AllocErrorKind::InvalidLayout)
}

impl<'r, R: Raw<'r>, T> Building<'r, R, T> {
    /// Slots of the first growth: a line's worth.
    const FIRST_SLOTS: usize = if size_of::<T>() == 0 || size_of::<T>() > 64 { 1 } else { 64 / size_of::<T>() };

    /// Room for `slots` values.
    #[inline]
    pub(super) fn with_slots(raw: R, slots: usize) -> Result<Self, AllocError> {
        let block = Block::take(raw, array::<R, T>(raw, slots)?)?;
        let slots = if size_of::<T>() == 0 { usize::MAX } else { slots };
        Ok(Self { built: 0, slots, block, _owns: PhantomData })
    }

    /// Adds a value.
    ///
    /// # Safety
    /// Fewer values were added than there are slots.
    #[inline(always)]
    pub(super) unsafe fn put(&mut self, value: T) {
        debug_assert!(self.built < self.slots, "a slot is free");
        // SAFETY: `NonNull::add`: the slot lies in the block, by the caller's contract and INV-T1.
        let slot = unsafe { self.block.ptr().cast::<T>().add(self.built) };
        // SAFETY: in the block, aligned for `T`, and empty.
        unsafe { slot.write(value) };
        self.built += 1;
    }

    /// Adds a value; the block grows where it must. A refusal drops the value.
    pub(super) fn push(&mut self, value: T) -> Result<(), AllocError> {
        self.reserve(1)?;
        // SAFETY: a slot was reserved.
        unsafe { self.put(value) };
        Ok(())
    }

    /// Makes room for `more` values beyond those that are built: twice the slots if they fit, else as many as do.
    fn reserve(&mut self, more: usize) -> Result<(), AllocError> {
        if self.slots - self.built >= more {
            return Ok(());
        }
        self.grow_for(self.built.saturating_add(more))
    }

    #[cold]
    fn grow_for(&mut self, needed: usize) -> Result<(), AllocError> {
        if size_of::<T>() == 0 {
            return Err(too_long::<R, T>(self.block.raw, usize::MAX));
        }
        let mut slots = self.slots.saturating_mul(2).max(needed).max(Self::FIRST_SLOTS);
        loop {
            match array::<R, T>(self.block.raw, slots).and_then(|layout| self.block.resize(layout)) {
                Ok(()) => {
                    self.slots = slots;
                    return Ok(());
                }
                Err(error) if slots <= needed => return Err(error),
                // Half of what was asked for beyond the needed: near the end of memory this still halves what is left, so
                // the number of moves stays logarithmic.
                Err(_) => slots = needed + (slots - needed) / 2,
            }
        }
    }

    /// Cuts the slots that hold no value.
    pub(super) fn fit(&mut self) {
        // A part of an array that exists has a layout.
        if let Ok(layout) = Layout::array::<T>(self.built)
            && self.block.resize(layout).is_ok()
        {
            self.slots = if size_of::<T>() == 0 { usize::MAX } else { self.built };
        }
    }

    /// The values, for `'r`.
    #[inline]
    pub(super) fn finish(self) -> &'r mut [T] {
        let this = ManuallyDrop::new(self);
        let values = NonNull::slice_from_raw_parts(this.block.ptr().cast::<T>(), this.built);
        let mut values = values;
        // SAFETY: INV-T1: `built` values from the block's start on; the block is the caller's for `'r` (`Raw`), for its
        // guard is forgotten.
        unsafe { values.as_mut() }
    }
}

impl<'r, R: Raw<'r>> Building<'r, R, u8> {
    /// Adds bytes; the block grows where it must.
    pub(super) fn extend(&mut self, bytes: &[u8]) -> Result<(), AllocError> {
        self.reserve(bytes.len())?;
        // SAFETY: `NonNull::add`: `built ≤ slots`, in the block or at its end.
        let end = unsafe { self.block.ptr().add(self.built) };
        // SAFETY: as many slots were reserved; `bytes` cannot overlap them, for no reference into the block exists.
        unsafe { end.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
        self.built += bytes.len();
        Ok(())
    }
}

impl<'r, R: Raw<'r>, T> Drop for Building<'r, R, T> {
    fn drop(&mut self) {
        let values = NonNull::slice_from_raw_parts(self.block.ptr().cast::<T>(), self.built);
        // SAFETY: INV-T1: the guard's own values, dropped once, for the guard is being dropped.
        unsafe { values.drop_in_place() };
    }
}
