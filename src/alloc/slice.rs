//! Several values: a number that is known first, or as many as an iterator or a formatter gives.
#![expect(unsafe_code, reason = "writes values into blocks of bytes")]

use core::convert::Infallible;
use core::fmt::{self, Write};
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::build::{Building, array};
use super::{Raw, value};
use crate::base::error::{AllocError, AllocOrInitError};
use crate::bump::blocks::Blocks;

/// Room for `len` values.
#[inline]
pub(crate) fn uninit<'r, R: Raw<'r>, T>(raw: R, len: usize) -> Result<&'r mut [MaybeUninit<T>], AllocError> {
    let block = raw.blocks().alloc(array::<R, T>(raw, len)?)?;
    let mut places = NonNull::slice_from_raw_parts(block.cast::<MaybeUninit<T>>(), len);
    // SAFETY: a block of `len` values' layout, the caller's alone for `'r` (`Raw`); it need not be initialised.
    Ok(unsafe { places.as_mut() })
}

/// `len` copies of a value.
#[inline]
pub(crate) fn fill_copy<'r, R: Raw<'r>, T: Copy>(raw: R, len: usize, value: T) -> Result<&'r mut [T], AllocError> {
    let places = uninit::<R, T>(raw, len)?;
    // Values of no size are there already, however many.
    if size_of::<T>() != 0 {
        places.fill(MaybeUninit::new(value));
    }
    // SAFETY: every place was written, or has no bytes, and `value` shows that its type has values. A place is laid out as
    // its value; the slice is the caller's alone for `'r`.
    Ok(unsafe { &mut *(core::ptr::from_mut(places) as *mut [T]) })
}

/// `len` values, each made in its place from its index. `make` is dropped before the values are handed on, so that a
/// panic there undoes them too.
#[inline]
pub(crate) fn try_fill<'r, R: Raw<'r>, T, E>(
    raw: R,
    len: usize,
    mut make: impl FnMut(usize) -> Result<T, E>,
) -> Result<&'r mut [T], AllocOrInitError<E>> {
    let mut building = Building::with_slots(raw, len)?;
    for index in 0..len {
        let value = make(index).map_err(AllocOrInitError::Init)?;
        // SAFETY: there are `len` slots, and `index < len` were filled.
        unsafe { building.put(value) };
    }
    drop(make);
    Ok(building.finish())
}

/// As [`try_fill`], of values that cannot fail.
#[inline]
pub(crate) fn fill<'r, R: Raw<'r>, T>(
    raw: R,
    len: usize,
    mut make: impl FnMut(usize) -> T,
) -> Result<&'r mut [T], AllocError> {
    try_fill(raw, len, move |index| Ok::<T, Infallible>(make(index))).map_err(only_alloc)
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

/// As many values as the iterator yields. Its lower bound is asked for first and believed only if it fits.
pub(crate) fn from_iter<'r, R: Raw<'r>, T>(raw: R, values: impl Iterator<Item = T>) -> Result<&'r mut [T], AllocError> {
    let hint = if size_of::<T>() == 0 { 0 } else { values.size_hint().0 };
    let mut building = match Building::with_slots(raw, hint) {
        Ok(building) => building,
        Err(_) => Building::with_slots(raw, 0)?,
    };
    for value in values {
        building.push(value)?;
    }
    building.fit();
    Ok(building.finish())
}

/// The text of `args`.
#[track_caller]
pub(crate) fn format<'r, R: Raw<'r>>(raw: R, args: fmt::Arguments<'_>) -> Result<&'r mut str, AllocError> {
    if let Some(text) = args.as_str() {
        return value::str(raw, text);
    }
    let mut text = Text { building: Building::with_slots(raw, 0)?, refused: None };
    let answer = text.write_fmt(args);
    // Looked at first: a `Display` may swallow the refusal, or fail because of it.
    if let Some(error) = text.refused {
        return Err(error);
    }
    assert!(answer.is_ok(), "a formatting trait implementation returned an error");
    text.building.fit();
    // SAFETY: whole strings were added, nothing else.
    Ok(unsafe { core::str::from_utf8_unchecked_mut(text.building.finish()) })
}

/// Text that grows in its block, and the refusal that `fmt::Error` cannot carry.
struct Text<'r, R: Raw<'r>> {
    building: Building<'r, R, u8>,
    refused: Option<AllocError>,
}

impl<'r, R: Raw<'r>> Write for Text<'r, R> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.refused.is_none() {
            self.refused = self.building.extend(text.as_bytes()).err();
        }
        if self.refused.is_some() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// The refusal, where making the values cannot fail.
#[inline(always)]
pub(crate) fn only_alloc(error: AllocOrInitError<Infallible>) -> AllocError {
    match error {
        AllocOrInitError::Alloc(error) => error,
        AllocOrInitError::Init(never) => match never {},
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn too_few(built: usize, len: usize) -> ! {
    panic!("the iterator said it had {len} values and yielded {built}")
}
