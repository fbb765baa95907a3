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

use crate::arena::{Arena, Local, Scope, Scratch};
use crate::base::error::{AllocError, AllocOrInitError};
use crate::bump::BumpRegion;
use crate::bump::blocks::Blocks;

use methods::typed_methods;

/// A source of blocks that live for `'r`: a reference to an arena.
///
/// # Safety
/// The blocks of [`Raw::blocks`] stand for all of `'r`, unless they are resized or freed there.
pub(crate) unsafe trait Raw<'r>: Copy {
    /// Who hands out the blocks.
    fn blocks(self) -> impl Blocks;
}

/// [`Raw`] by the type's inherent `blocks`, part of `typed_methods!`.
macro_rules! raw {
    ([$($generic:tt)+] $result:lifetime [$($reference:tt)+] $type:ident) => {
        // SAFETY: what the type hands out stands as long as its borrow, or as long as it says it lives.
        unsafe impl<$($generic)+> Raw<$result> for $($reference)+ {
            #[inline(always)]
            fn blocks(self) -> impl Blocks {
                $type::blocks(self)
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

#[cold]
#[inline(never)]
#[track_caller]
fn refused(error: &AllocError) -> ! {
    panic!("{error}")
}

// Every arena of the crate: results live as long as the borrow of the arena, or for the lifetime behind the arrow.
typed_methods! { impl BumpRegion }
typed_methods! { impl Arena }
typed_methods! { impl Scratch }
typed_methods! { impl<'a> Local<'a> -> 'a }
typed_methods! { impl<'s> Scope<'s, Outside> -> 's }
