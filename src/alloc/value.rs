//! One value, or a copy of bytes that exist: layouts that cannot be wrong, so nothing is checked but the room.
#![expect(unsafe_code, reason = "writes values into blocks of bytes")]

use core::alloc::Layout;
use core::ffi::CStr;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::Raw;
use super::build::Block;
use crate::error::{AllocError, AllocOrInitError, AllocValueError};

/// A place for one `T`. Values of no size take no memory, which is decided when this is compiled.
#[inline(always)]
pub(crate) fn slot<'r, R: Raw<'r>, T>(raw: R) -> Result<&'r mut MaybeUninit<T>, AllocError> {
    let mut place = if size_of::<T>() == 0 {
        NonNull::dangling()
    } else {
        raw.alloc_raw(const { Layout::new::<T>() })?.cast::<MaybeUninit<T>>()
    };
    // SAFETY: a block of `T`'s layout, the caller's alone for `'r` (`Raw`), or no bytes; it need not be initialised.
    Ok(unsafe { place.as_mut() })
}

/// A value that moves in, or comes back.
#[inline(always)]
pub(crate) fn moved<'r, R: Raw<'r>, T>(raw: R, value: T) -> Result<&'r mut T, AllocValueError<T>> {
    match slot(raw) {
        Ok(slot) => Ok(slot.write(value)),
        Err(error) => Err(AllocValueError { error, value }),
    }
}

/// A value made in its place. The place goes back if making it panics.
#[inline(always)]
pub(crate) fn with<'r, R: Raw<'r>, T>(raw: R, make: impl FnOnce() -> T) -> Result<&'r mut T, AllocError> {
    let block = Block::take(raw, const { Layout::new::<T>() })?;
    let value = make();
    // SAFETY: a block of `T`'s layout, aligned for it, that holds nothing.
    unsafe { block.ptr().cast::<T>().write(value) };
    // SAFETY: the value was written, and the block is the caller's alone for `'r` (`Raw`).
    Ok(unsafe { block.keep().cast::<T>().as_mut() })
}

/// As [`with`]; the place also goes back if making the value fails.
#[inline(always)]
pub(crate) fn try_with<'r, R: Raw<'r>, T, E>(
    raw: R,
    make: impl FnOnce() -> Result<T, E>,
) -> Result<&'r mut T, AllocOrInitError<E>> {
    let block = Block::take(raw, const { Layout::new::<T>() })?;
    let value = make().map_err(AllocOrInitError::Init)?;
    // SAFETY: a block of `T`'s layout, aligned for it, that holds nothing.
    unsafe { block.ptr().cast::<T>().write(value) };
    // SAFETY: the value was written, and the block is the caller's alone for `'r` (`Raw`).
    Ok(unsafe { block.keep().cast::<T>().as_mut() })
}

/// A copy of values that are only bytes.
#[inline(always)]
pub(crate) fn copy<'r, R: Raw<'r>, T: Copy>(raw: R, source: &[T]) -> Result<&'r mut [T], AllocError> {
    let copy = raw.alloc_raw(Layout::for_value(source))?.cast::<T>();
    // SAFETY: a fresh block of `source`'s layout, so they do not overlap.
    unsafe { copy.copy_from_nonoverlapping(NonNull::from(source).cast(), source.len()) };
    let mut copy = NonNull::slice_from_raw_parts(copy, source.len());
    // SAFETY: as many values were copied, and the block is the caller's alone for `'r` (`Raw`).
    Ok(unsafe { copy.as_mut() })
}

#[inline(always)]
pub(crate) fn str<'r, R: Raw<'r>>(raw: R, source: &str) -> Result<&'r mut str, AllocError> {
    let bytes = copy(raw, source.as_bytes())?;
    // SAFETY: a copy of bytes that are UTF-8.
    Ok(unsafe { core::str::from_utf8_unchecked_mut(bytes) })
}

#[inline]
pub(crate) fn cstr<'r, R: Raw<'r>>(raw: R, source: &CStr) -> Result<&'r CStr, AllocError> {
    let bytes = copy(raw, source.to_bytes_with_nul())?;
    // SAFETY: a copy of bytes with one zero, at the end.
    Ok(unsafe { CStr::from_bytes_with_nul_unchecked(bytes) })
}
