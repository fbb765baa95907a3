//! `format_in!`: a text of any allocator, formatted.

use core::fmt;

use allocator_api2::alloc::Allocator;

use super::{ReserveError, String};
use crate::alloc::write_text;
use crate::base::error::granted;

/// What [`format_in!`](crate::format_in) calls.
#[track_caller]
pub fn format_in<A: Allocator>(alloc: A, args: fmt::Arguments<'_>) -> String<A> {
    granted(try_format_in(alloc, args))
}

/// What [`try_format_in!`](crate::try_format_in) calls.
///
/// # Errors
/// If the allocator refuses.
#[track_caller]
pub fn try_format_in<A: Allocator>(alloc: A, args: fmt::Arguments<'_>) -> Result<String<A>, ReserveError> {
    if let Some(text) = args.as_str() {
        return String::try_from_str_in(text, alloc);
    }
    let mut text = String::new_in(alloc);
    write_text(args, |piece| text.try_push_str(piece))?;
    Ok(text)
}

/// Formats a [`String`](crate::collections::String) in an allocator, as `format!` does: `format_in!(a, "{n} blocks")`.
///
/// A `Display` may use the same arena or heap. Panics if the allocator refuses, with the refusal's text, or if a
/// `Display` panics or fails; what was written is given back then.
///
/// ```
/// use sharded_arena::{Arena, format_in};
/// let arena = Arena::new();
/// let (name, answer) = ("answer", 42);
/// assert_eq!(format_in!(&arena, "{name}: {answer:>4}"), "answer:   42");
/// assert_eq!(format_in!(&arena, "{0}{0}", format_in!(&arena, "twice")), "twicetwice");
/// ```
#[macro_export]
macro_rules! format_in {
    ($alloc:expr, $($args:tt)+) => {
        $crate::__private::format_in($alloc, ::core::format_args!($($args)+))
    };
}

/// Formats a [`String`](crate::collections::String) in an allocator; a refusal is a
/// [`ReserveError`](crate::collections::ReserveError).
///
/// Panics if a `Display` panics or fails.
///
/// ```
/// use sharded_arena::{Heap, try_format_in};
/// let heap = Heap::with_capacity(4096)?;
/// assert!(try_format_in!(&heap, "{:1000}", 1).is_ok_and(|text| text.len() == 1000));
/// assert!(try_format_in!(&heap, "{:9000}", 1).is_err());
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
#[macro_export]
macro_rules! try_format_in {
    ($alloc:expr, $($args:tt)+) => {
        $crate::__private::try_format_in($alloc, ::core::format_args!($($args)+))
    };
}
