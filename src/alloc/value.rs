//! One value, or a copy of bytes that exist: layouts that cannot be wrong, so nothing is checked but the room.
#![expect(unsafe_code, reason = "writes values into blocks of bytes")]

use core::alloc::Layout;
use core::ffi::CStr;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::Raw;
use super::block::{Block, InArena};
use crate::base::error::AllocError;
use crate::base::refusal::AllocValueError;

/// A block of `T`'s layout, which goes back if it is dropped. Values of no size take no memory, which is decided when
/// this is compiled.
pub(crate) struct TypedBlock<'r, R: Raw<'r>, T> {
    block: Block<InArena<'r, R>>,
    _for: PhantomData<T>,
}

impl<'r, R: Raw<'r>, T> TypedBlock<'r, R, T> {
    #[inline(always)]
    pub(crate) fn take(raw: R) -> Result<Self, AllocError> {
        Ok(Self { block: Block::take(InArena::new(raw), const { Layout::new::<T>() })?, _for: PhantomData })
    }

    /// As [`TypedBlock::take`], or a panic with the text of the refusal.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn granted(raw: R) -> Self {
        Self { block: Block::granted(raw, const { Layout::new::<T>() }), _for: PhantomData }
    }

    /// The place, which stays for `'r`.
    #[inline(always)]
    pub(crate) fn keep(self) -> &'r mut MaybeUninit<T> {
        // SAFETY: a block of `T`'s layout, the caller's alone for `'r` (`Raw`), or no bytes; it need not be
        // initialised.
        unsafe { self.block.keep().0.cast::<MaybeUninit<T>>().as_mut() }
    }

    /// A value made by a closure. Its place goes back if that panics.
    #[inline(always)]
    pub(crate) fn with(self, make: impl FnOnce() -> T) -> &'r mut T {
        let value = make();
        self.keep().write(value)
    }

    /// As [`TypedBlock::with`]; the place also goes back if making the value fails.
    #[inline(always)]
    pub(crate) fn try_with<E>(self, make: impl FnOnce() -> Result<T, E>) -> Result<&'r mut T, E> {
        let value = make()?;
        Ok(self.keep().write(value))
    }
}

/// A value that moves in, or comes back.
#[inline(always)]
pub(crate) fn moved<'r, R: Raw<'r>, T>(raw: R, value: T) -> Result<&'r mut T, AllocValueError<T>> {
    match TypedBlock::take(raw) {
        Ok(place) => Ok(place.keep().write(value)),
        Err(error) => Err(AllocValueError { error, value }),
    }
}

/// A copy of values that are only bytes.
#[inline(always)]
pub(crate) fn copy<'r, R: Raw<'r>, T: Copy>(raw: R, source: &[T]) -> Result<&'r mut [T], AllocError> {
    let block = Block::take(InArena::new(raw), Layout::for_value(source))?;
    // SAFETY: a block of `source`'s layout.
    Ok(unsafe { copy_into(block, source) })
}

#[inline(always)]
#[track_caller]
pub(crate) fn granted_copy<'r, R: Raw<'r>, T: Copy>(raw: R, source: &[T]) -> &'r mut [T] {
    let block = Block::granted(raw, Layout::for_value(source));
    // SAFETY: a block of `source`'s layout.
    unsafe { copy_into(block, source) }
}

/// Copies `source`.
///
/// # Safety
/// The block has `source`'s layout.
#[inline(always)]
unsafe fn copy_into<'r, R: Raw<'r>, T: Copy>(block: Block<InArena<'r, R>>, source: &[T]) -> &'r mut [T] {
    let copy = block.keep().0.cast::<T>();
    // SAFETY: a fresh block of `source`'s layout, so they do not overlap.
    unsafe { copy.copy_from_nonoverlapping(NonNull::from(source).cast(), source.len()) };
    let mut copy = NonNull::slice_from_raw_parts(copy, source.len());
    // SAFETY: as many values were copied, and the block is the caller's alone for `'r` (`Raw`).
    unsafe { copy.as_mut() }
}

#[inline(always)]
pub(crate) fn str<'r, R: Raw<'r>>(raw: R, source: &str) -> Result<&'r mut str, AllocError> {
    let bytes = copy(raw, source.as_bytes())?;
    // SAFETY: a copy of bytes that are UTF-8.
    Ok(unsafe { core::str::from_utf8_unchecked_mut(bytes) })
}

#[inline(always)]
#[track_caller]
pub(crate) fn granted_str<'r, R: Raw<'r>>(raw: R, source: &str) -> &'r mut str {
    let bytes = granted_copy(raw, source.as_bytes());
    // SAFETY: a copy of bytes that are UTF-8.
    unsafe { core::str::from_utf8_unchecked_mut(bytes) }
}

#[inline]
pub(crate) fn cstr<'r, R: Raw<'r>>(raw: R, source: &CStr) -> Result<&'r CStr, AllocError> {
    let bytes = copy(raw, source.to_bytes_with_nul())?;
    // SAFETY: a copy of bytes with one zero, at the end.
    Ok(unsafe { CStr::from_bytes_with_nul_unchecked(bytes) })
}
