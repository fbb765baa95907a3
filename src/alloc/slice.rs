//! Several values, in a block of any source: a number that is known first, or as many as an iterator yields; and for
//! the arenas what can fail or is formatted.
//!
//! A function that panics or fails at step `k`, because a closure, a clone or an iterator does, or because the source
//! refuses to go on, drops the `k` values it has made and frees the block. An iterator's word about its length is a
//! hint.
#![expect(unsafe_code, reason = "writes values into blocks of bytes")]

use core::fmt;
use core::mem::MaybeUninit;

use super::block::{Header, InArena, Plain, Source};
use super::making::{Made, Making};
use super::{Raw, value, write_text};
use crate::base::error::AllocError;
use crate::base::refusal::AllocOrInitError;

// ---- in a block of any source ---------------------------------------------------------------------------------------

/// Copies a slice.
pub(crate) fn copied<H: Header, T: Copy, S: Source>(values: &[T], source: S) -> Result<Made<T, S>, S::Error> {
    let mut making = Making::<T, S, H>::with_slots(source, values.len())?;
    // SAFETY: `Copy` values behind a reference, so outside of the new block, which has a slot for each.
    unsafe { making.take_over(values.as_ptr(), values.len()) };
    // SAFETY: resized to their number.
    Ok(unsafe { making.finish_resized() })
}

/// Takes room for `len` values.
#[inline(always)]
pub(crate) fn room<H: Header, T, S: Source>(len: usize, source: S) -> Result<Made<MaybeUninit<T>, S>, S::Error> {
    let mut making = Making::<MaybeUninit<T>, S, H>::with_slots(source, len)?;
    // SAFETY: there are as many slots, which need not be initialised.
    unsafe { making.claim(len) };
    // SAFETY: made for their number.
    Ok(unsafe { making.finish_resized() })
}

/// Makes `len` values, each in its place from its index. `make` is dropped before the values are handed on, so that a
/// panic there undoes them too.
#[inline]
pub(crate) fn filled<H: Header, T, S: Source, E: From<S::Error>>(
    len: usize,
    mut make: impl FnMut(usize) -> Result<T, E>,
    source: S,
) -> Result<Made<T, S>, E> {
    let mut making = Making::<T, S, H>::with_slots(source, len)?;
    for index in 0..len {
        let value = make(index)?;
        // SAFETY: there are `len` slots, and `index < len` were filled.
        unsafe { making.put(value) };
    }
    drop(make);
    // SAFETY: resized to their number.
    Ok(unsafe { making.finish_resized() })
}

/// Makes as many values as the iterator yields. Its lower bound is asked for first, and believed only if it fits.
pub(crate) fn collected<H: Header, T, S: Source>(
    values: impl Iterator<Item = T>,
    source: S,
) -> Result<Made<T, S>, S::Error> {
    let mut making = Making::<T, S, H>::new(source);
    if size_of::<T>() != 0 {
        let _grows_instead = making.resize(values.size_hint().0);
    }
    // The loop drops the iterator before the values are handed on.
    for value in values {
        making.push(value)?;
    }
    making.finish()
}

// ---- in an arena ----------------------------------------------------------------------------------------------------

/// Room for `len` values.
#[inline]
pub(crate) fn uninit<'r, R: Raw<'r>, T>(raw: R, len: usize) -> Result<&'r mut [MaybeUninit<T>], AllocError> {
    Ok(room::<Plain, T, _>(len, InArena::new(raw))?.lasting())
}

/// `len` copies of a value.
#[inline]
pub(crate) fn fill_copy<'r, R: Raw<'r>, T: Copy>(raw: R, len: usize, value: T) -> Result<&'r mut [T], AllocError> {
    let places = uninit::<R, T>(raw, len)?;
    // Values of no size are there already, however many.
    if size_of::<T>() != 0 {
        places.fill(MaybeUninit::new(value));
    }
    // SAFETY: every place was written, or has no bytes, and `value` shows that its type has values. A place is laid out
    // as its value; the slice is the caller's alone for `'r`.
    Ok(unsafe { &mut *(core::ptr::from_mut(places) as *mut [T]) })
}

/// `len` values that can fail.
#[inline]
pub(crate) fn try_fill<'r, R: Raw<'r>, T, E>(
    raw: R,
    len: usize,
    mut make: impl FnMut(usize) -> Result<T, E>,
) -> Result<&'r mut [T], AllocOrInitError<E>> {
    let make = move |index| make(index).map_err(AllocOrInitError::Init);
    Ok(filled::<Plain, T, _, _>(len, make, InArena::new(raw))?.lasting())
}

/// `len` values that cannot.
#[inline]
pub(crate) fn fill<'r, R: Raw<'r>, T>(
    raw: R,
    len: usize,
    mut make: impl FnMut(usize) -> T,
) -> Result<&'r mut [T], AllocError> {
    Ok(filled::<Plain, T, _, _>(len, move |index| Ok(make(index)), InArena::new(raw))?.lasting())
}

/// As many values as the iterator says it has; what it yields beyond is left in it.
#[inline]
#[track_caller]
pub(crate) fn fill_iter<'r, R: Raw<'r>, T>(
    raw: R,
    mut values: impl ExactSizeIterator<Item = T>,
) -> Result<&'r mut [T], AllocError> {
    let len = values.len();
    fill(raw, len, move |built| values.next().unwrap_or_else(|| too_few(built, len)))
}

/// As [`fill_iter`], of values that can fail.
#[inline]
#[track_caller]
pub(crate) fn try_fill_iter<'r, R: Raw<'r>, T, E>(
    raw: R,
    mut values: impl ExactSizeIterator<Item = Result<T, E>>,
) -> Result<&'r mut [T], AllocOrInitError<E>> {
    let len = values.len();
    try_fill(raw, len, move |built| values.next().unwrap_or_else(|| too_few(built, len)))
}

/// As many values as the iterator yields.
pub(crate) fn from_iter<'r, R: Raw<'r>, T>(raw: R, values: impl Iterator<Item = T>) -> Result<&'r mut [T], AllocError> {
    Ok(collected::<Plain, T, _>(values, InArena::new(raw))?.lasting())
}

/// The text of `args`.
#[track_caller]
pub(crate) fn format<'r, R: Raw<'r>>(raw: R, args: fmt::Arguments<'_>) -> Result<&'r mut str, AllocError> {
    if let Some(text) = args.as_str() {
        return value::str(raw, text);
    }
    let mut making = Making::<u8, _, Plain>::new(InArena::new(raw));
    write_text(args, |piece| {
        making.reserve(piece.len())?;
        // SAFETY: as many slots were reserved; no reference into the block exists, so `piece` cannot overlap them.
        unsafe { making.take_over(piece.as_ptr(), piece.len()) };
        Ok(())
    })?;
    // SAFETY: whole strings were added, nothing else.
    Ok(unsafe { core::str::from_utf8_unchecked_mut(making.finish()?.lasting()) })
}

#[cold]
#[inline(never)]
#[track_caller]
fn too_few(built: usize, len: usize) -> ! {
    panic!("the iterator said it had {len} values and yielded {built}")
}
