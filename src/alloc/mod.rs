//! The typed methods of every arena, written once.
//!
//! [`Raw`] is what an arena has to offer: blocks of bytes that stay for a lifetime. `value.rs` and `slice.rs` make
//! values in such blocks, each way of making them once, for all arenas; `block.rs` and `making.rs` have the guards that
//! undo what a panic or a refusal leaves half made; `methods.rs` gives every arena the same inherent methods over these
//! functions. The guards and `slice.rs` serve the boxes of any allocator too.
//!
//! What the results have in common: they are `&mut` of memory that nobody else has, and their values are never dropped,
//! for the arena forgets them. Only a value that was made in vain is dropped: a closure, an iterator or a `Clone` that
//! panics or fails at step `k` leaves `k` values behind, which are dropped once each, and the block goes back if it is
//! the last, or has memory of its own.
//!
//! Closures, iterators and formatting may allocate from the same arena: no reference into the block exists before it is
//! complete, and a block that is no longer the last is still its holder's.
//!
//! Not here: who may enter which arena, and where blocks come from.
#![expect(unsafe_code, reason = "implements an unsafe trait over blocks of bytes")]

pub(crate) mod block;
pub(crate) mod making;
pub(crate) mod methods;
pub(crate) mod slice;
pub(crate) mod slice_methods;
pub(crate) mod value;

use core::fmt;

use crate::arena::{Arena, Local, Scope, Scratch};
pub(crate) use crate::base::error::granted;
use crate::base::error::refused;
use crate::base::refusal::AllocOrInitError;
use crate::bump::BumpRegion;
use crate::bump::blocks::Blocks;

use methods::typed_methods;
use slice_methods::slice_methods;

/// A source of blocks that live for `'r`: a reference to an arena.
///
/// # Safety
/// The blocks of [`Raw::blocks`] stand for all of `'r`, unless they are resized or freed there.
pub(crate) unsafe trait Raw<'r>: Copy {
    /// Who hands out the blocks.
    fn blocks(self) -> impl Blocks;
}

// SAFETY: the blocks of the reference that is referred to.
unsafe impl<'r, R: Raw<'r>> Raw<'r> for &R {
    #[inline(always)]
    fn blocks(self) -> impl Blocks {
        (*self).blocks()
    }
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

/// Writes a text piece by piece with `push`, whose refusal `fmt::Error` cannot carry.
///
/// # Panics
/// If a `Display` panics or fails.
#[track_caller]
pub(crate) fn write_text<E>(args: fmt::Arguments<'_>, push: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
    struct RefusingText<P, E> {
        push: P,
        refused: Option<E>,
    }
    impl<P: FnMut(&str) -> Result<(), E>, E> fmt::Write for RefusingText<P, E> {
        fn write_str(&mut self, piece: &str) -> fmt::Result {
            if self.refused.is_none() {
                self.refused = (self.push)(piece).err();
            }
            if self.refused.is_some() { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let mut text = RefusingText { push, refused: None };
    let answer = fmt::write(&mut text, args);
    // Looked at first: a `Display` may swallow the refusal, or fail because of it.
    if let Some(error) = text.refused {
        return Err(error);
    }
    assert!(answer.is_ok(), "a formatting trait implementation returned an error");
    Ok(())
}

// Every arena of the crate: results live as long as the borrow of the arena, or for the lifetime behind the arrow.
typed_methods! { impl BumpRegion }
typed_methods! { impl Arena }
typed_methods! { impl Scratch }
typed_methods! { impl<'a> Local<'a> -> 'a }
typed_methods! { impl<'s> Scope<'s, Outside> -> 's }
