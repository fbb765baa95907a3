//! [`Block`], a block that is freed when it is dropped, and the [`Source`] it comes from: an arena ([`InArena`]), or
//! any allocator. [`Header`] is what a block holds before its value: nothing, or the count of an `Arc`.
#![expect(unsafe_code, reason = "frees blocks of bytes")]

use core::alloc::Layout;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use super::Raw;
use crate::base::error::{AllocError, AllocErrorKind};
use crate::bump::blocks::Blocks;

/// A source of blocks. A block of no size has no memory: it dangles, aligned.
///
/// # Safety
/// A block has the size and the alignment of its layout, and is the caller's alone until it is freed or resized here.
pub(crate) unsafe trait Source {
    /// What a refusal is reported with.
    type Error;

    /// Allocates a block.
    fn alloc(&self, layout: Layout) -> Result<NonNull<u8>, Self::Error>;

    /// Makes a block longer or shorter, moving it if need be. A refusal changes nothing.
    ///
    /// # Safety
    /// `ptr` is a block of `old` from here, the caller's alone; `new` has the same alignment unless `old` has no
    /// bytes. On success only the new block may be used.
    unsafe fn resize(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, Self::Error>;

    /// Frees a block.
    ///
    /// # Safety
    /// `ptr` is a block of `layout` from here, the caller's alone, and not used afterwards.
    unsafe fn free(&self, ptr: NonNull<u8>, layout: Layout);

    /// Returns the refusal of a block that is longer than any layout.
    fn too_long(&self, requested: usize, align: usize) -> Self::Error;
}

/// An arena as a source of blocks that stay for `'r` unless they are freed before.
#[derive(Clone, Copy)]
pub(crate) struct InArena<'r, R: Raw<'r>> {
    raw: R,
    _life: PhantomData<&'r mut [u8]>,
}

impl<'r, R: Raw<'r>> InArena<'r, R> {
    #[inline(always)]
    pub(super) fn new(raw: R) -> Self {
        Self { raw, _life: PhantomData }
    }
}

// SAFETY: `Blocks`' contract, whose blocks stay for `'r` (`Raw`).
unsafe impl<'r, R: Raw<'r>> Source for InArena<'r, R> {
    type Error = AllocError;

    #[inline(always)]
    fn alloc(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.raw.blocks().alloc(layout)
    }

    #[inline]
    unsafe fn resize(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's contract.
        unsafe { self.raw.blocks().resize(ptr, old, new) }
    }

    #[inline]
    unsafe fn free(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { self.raw.blocks().free(ptr, layout) }
    }

    #[inline]
    fn too_long(&self, requested: usize, align: usize) -> AllocError {
        too_long(self.raw, requested, align)
    }
}

/// By value, so that a fast path need not put the arena into memory for it.
#[cold]
#[inline(never)]
fn too_long<'r, R: Raw<'r>>(raw: R, requested: usize, align: usize) -> AllocError {
    raw.blocks().refusal(requested, align, AllocErrorKind::InvalidLayout)
}

/// What a block holds before its value, or its slice of values.
pub(crate) trait Header {
    /// Returns the layout of a block for a value of layout `value`, and the value's offset in it, which depends on its
    /// alignment only. `None` if there is no such layout.
    fn around(value: Layout) -> Option<(Layout, usize)>;

    /// Writes the head.
    ///
    /// # Safety
    /// `place` is where a value lies in a block of the layout that [`Header::around`] returned; the block is the
    /// caller's alone.
    unsafe fn write(place: NonNull<u8>);
}

/// Nothing before the value.
pub(crate) struct Plain;

impl Header for Plain {
    #[inline(always)]
    fn around(value: Layout) -> Option<(Layout, usize)> {
        Some((value, 0))
    }

    #[inline(always)]
    unsafe fn write(_: NonNull<u8>) {}
}

/// A block that is freed when this is dropped.
pub(crate) struct Block<S: Source> {
    pub(super) source: S,
    pub(super) ptr: NonNull<u8>,
    pub(super) layout: Layout,
}

impl<S: Source> Block<S> {
    #[inline(always)]
    pub(super) fn take(source: S, layout: Layout) -> Result<Self, S::Error> {
        let ptr = source.alloc(layout)?;
        Ok(Self { source, ptr, layout })
    }

    /// Returns the block around the place of a value, which may still be there.
    ///
    /// # Safety
    /// A block of `source`, of the layout that [`Header::around`] returns for `value`. Nothing uses it when this is
    /// dropped.
    #[inline]
    pub(crate) unsafe fn around<H: Header>(source: S, place: NonNull<u8>, value: Layout) -> Self {
        // SAFETY: a block of that layout exists, by this function's contract.
        let (layout, offset) = unsafe { H::around(value).unwrap_unchecked() };
        // SAFETY: `NonNull::sub`: the block begins `offset` bytes before the value.
        let ptr = unsafe { place.sub(offset) };
        Self { source, ptr, layout }
    }

    /// Makes the block as long as `layout`, which is aligned alike unless the block has no bytes. A refusal changes
    /// nothing.
    #[inline]
    pub(super) fn resize(&mut self, layout: Layout) -> Result<(), S::Error> {
        if layout.size() != self.layout.size() {
            // SAFETY: the guard's own live block of `self.layout`, or no block if that has no bytes.
            self.ptr = unsafe { self.source.resize(self.ptr, self.layout, layout) }?;
            self.layout = layout;
        }
        Ok(())
    }

    /// Keeps the block: it is the caller's, and so is the source.
    #[inline(always)]
    pub(super) fn keep(self) -> (NonNull<u8>, S) {
        let this = ManuallyDrop::new(self);
        // SAFETY: the guard is forgotten, so its source is moved out of it, not copied.
        (this.ptr, unsafe { core::ptr::read(&raw const this.source) })
    }
}

impl<'r, R: Raw<'r>> Block<InArena<'r, R>> {
    /// As [`Block::take`], or a panic with the text of the refusal.
    #[inline(always)]
    #[track_caller]
    pub(super) fn granted(raw: R, layout: Layout) -> Self {
        Self { source: InArena::new(raw), ptr: raw.blocks().alloc_or_panic(layout), layout }
    }
}

impl<S: Source> Drop for Block<S> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the guard's own block; nothing uses it after the guard.
        unsafe { self.source.free(self.ptr, self.layout) };
    }
}
