//! The typed methods of every arena, written once.
//!
//! [`Raw`] is what an arena has to offer: blocks of bytes that stay for a lifetime. `value.rs` and `slice.rs` make values
//! in such blocks, each way of making them once, for all arenas; `build.rs` has the guards that undo what a panic or a
//! refusal leaves half made; `methods.rs` gives every arena the same inherent methods over these functions.
//!
//! What the results have in common: they are `&mut` of memory that nobody else has, and their values are never dropped,
//! for the arena forgets them. Only a value that was made in vain is dropped: a closure, an iterator or a `Clone` that
//! panics or fails at step `k` leaves `k` values behind, which are dropped once each, and the block goes back if it is the
//! last.
//!
//! Closures, iterators and formatting may allocate from the same arena: no reference into the block exists before it is
//! complete, and a block that is no longer the last is still its holder's.
//!
//! Not here: who may enter which arena, and where blocks come from.
#![expect(unsafe_code, reason = "implements an unsafe trait over blocks of bytes")]

mod build;
mod methods;
pub(crate) mod slice;
mod slice_methods;
pub(crate) mod value;

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::bump::BumpRegion;
use crate::error::{AllocError, AllocErrorKind, AllocOrInitError};

use methods::typed_methods;

/// A source of blocks that live for `'r`: a reference to an arena.
///
/// # Safety
/// A block that a request gave is as long and as aligned as its layout says, readable and writable, and nobody else's, for
/// all of `'r` or until it is resized or freed here.
pub(crate) unsafe trait Raw<'r>: Copy {
    /// A block for `layout`; for a size of zero a dangling pointer, aligned.
    fn alloc_raw(self, layout: Layout) -> Result<NonNull<u8>, AllocError>;

    /// A block for `layout`, or a panic with the text of the refusal.
    ///
    /// An arena with a path of a few instructions has its own, in which that path ends without a `Result`: an `AllocError`
    /// is as large as six words, and the address would go through memory beside it.
    #[inline(always)]
    #[track_caller]
    fn granted_raw(self, layout: Layout) -> NonNull<u8> {
        granted(self.alloc_raw(layout))
    }

    /// Lengthens a block. On `Ok` only the new one may be used, on `Err` the old one stands.
    ///
    /// # Safety
    /// `ptr` is a live block of `old` from here, the caller's alone; `new.size() >= old.size() > 0` and the alignments are
    /// equal.
    unsafe fn grow_raw(self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError>;

    /// Shortens a block, which may move; never fails.
    ///
    /// # Safety
    /// As for `grow_raw`, with `0 < new.size() <= old.size()`.
    unsafe fn shrink_raw(self, ptr: NonNull<u8>, old: Layout, new: Layout) -> NonNull<u8>;

    /// Gives a block back if it is the last; otherwise it stays in use until the reset.
    ///
    /// # Safety
    /// `ptr` is a live block of `layout` from here, of more than zero bytes, the caller's alone and not used afterwards.
    unsafe fn free_raw(self, ptr: NonNull<u8>, layout: Layout);

    /// The figures of a refusal of `requested` bytes.
    fn refusal(self, requested: usize, align: usize, kind: AllocErrorKind) -> AllocError;
}

/// [`Raw`] by the type's inherent methods of the same names, part of `typed_methods!`.
macro_rules! raw {
    ([$generic:lifetime] $result:lifetime [$($reference:tt)+] $type:ident $(, $fast:ident)?) => {
        // SAFETY: the type's own methods keep the contract: they are written for it, and say so where they are.
        unsafe impl<$generic> Raw<$result> for $($reference)+ {
            #[inline(always)]
            fn alloc_raw(self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
                $type::alloc_raw(self, layout)
            }
            $(
                #[inline(always)]
                #[track_caller]
                fn granted_raw(self, layout: Layout) -> NonNull<u8> {
                    match $type::$fast(self, layout) {
                        Some(block) => block,
                        None => granted_slowly(self, layout),
                    }
                }
            )?
            #[inline]
            unsafe fn grow_raw(self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
                // SAFETY: the caller keeps the trait's contract, which is the method's.
                unsafe { $type::grow_raw(self, ptr, old, new) }
            }
            #[inline]
            unsafe fn shrink_raw(self, ptr: NonNull<u8>, old: Layout, new: Layout) -> NonNull<u8> {
                // SAFETY: the caller keeps the trait's contract, which is the method's.
                unsafe { $type::shrink_raw(self, ptr, old, new) }
            }
            #[inline]
            unsafe fn free_raw(self, ptr: NonNull<u8>, layout: Layout) {
                // SAFETY: the caller keeps the trait's contract, which is the method's.
                unsafe { $type::free_raw(self, ptr, layout) }
            }
            fn refusal(self, requested: usize, align: usize, kind: AllocErrorKind) -> AllocError {
                $type::refusal(self, requested, align, kind)
            }
        }
    };
}

/// Where the infallible methods end: the value, or a panic with the error's text.
#[inline(always)]
#[track_caller]
pub(crate) fn granted<T>(answer: Result<T, AllocError>) -> T {
    match answer {
        Ok(value) => value,
        Err(error) => refused(&error),
    }
}

/// As [`granted`], for what can also fail by itself: that failure is handed on.
#[inline(always)]
#[track_caller]
pub(crate) fn granted_or_init<T, E>(answer: Result<T, AllocOrInitError<E>>) -> Result<T, E> {
    match answer {
        Ok(value) => Ok(value),
        Err(AllocOrInitError::Init(error)) => Err(error),
        Err(AllocOrInitError::Alloc(error)) => refused(&error),
    }
}

/// What follows the path of a few instructions.
#[cold]
#[inline(never)]
#[track_caller]
fn granted_slowly<'r, R: Raw<'r>>(raw: R, layout: Layout) -> NonNull<u8> {
    granted(raw.alloc_raw(layout))
}

#[cold]
#[inline(never)]
#[track_caller]
fn refused(error: &AllocError) -> ! {
    panic!("{error}")
}

// Every arena of the crate: results live as long as the borrow of the arena, or for the lifetime behind the arrow.
typed_methods! { impl BumpRegion, fast_raw }
