//! `Scope`: the handle inside a scope or a stage of a scratch stack.
//!
//! `'s` is a lifetime of the closure's own (`for<'s>`), and invariant: a result of type `&'s mut T` fits nothing outside, and
//! two scopes cannot be exchanged. The place to go back to is kept on the caller's side, in a guard that the closure never
//! sees and cannot leak.

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;

use crate::blocks::Blocks;

use super::stack::{Mark, Stack};

/// Allocates inside [`Scratch::scope`](super::Scratch::scope) or [`Scratch::stage`](super::Scratch::stage); what it hands
/// out lives until the scope ends.
pub struct Scope<'s> {
    stack: &'s Stack,
    /// Invariant in `'s`.
    brand: PhantomData<Cell<&'s ()>>,
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("memory_usage", &self.stack.held()).finish_non_exhaustive()
    }
}

impl<'s> Scope<'s> {
    fn on(stack: &'s Stack) -> Self {
        Self { stack, brand: PhantomData }
    }

    /// Runs `f` with a scope inside this one and frees all that was allocated in it, if it panics too. What this one has
    /// handed out stays; it cannot be used meanwhile.
    pub fn scope<R>(&mut self, f: impl for<'t> FnOnce(&mut Scope<'t>) -> R) -> R {
        scope(self.stack, f)
    }

    /// Runs `f` with a scope inside this one; keeps what was allocated in it, as long as this one, if it gives `Ok`, frees it
    /// if it gives `Err` or panics.
    ///
    /// # Errors
    /// Those of `f`.
    pub fn stage<T: ?Sized, E>(
        &mut self,
        f: impl for<'t> FnOnce(&mut Scope<'t>) -> Result<&'t mut T, E>,
    ) -> Result<&'s mut T, E> {
        stage(self.stack, f)
    }

    /// What the typed methods stand on.
    #[inline(always)]
    pub(crate) fn blocks(&self) -> &impl Blocks {
        self.stack
    }
}

/// Goes back to a place when it goes, a panic included.
struct Undo<'x> {
    stack: &'x Stack,
    mark: Mark,
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        self.stack.rewind(self.mark);
    }
}

/// Runs `f` with a scope on `stack`, which the caller has exclusively.
pub(super) fn scope<R>(stack: &Stack, f: impl for<'s> FnOnce(&mut Scope<'s>) -> R) -> R {
    let _undo = Undo { stack, mark: stack.mark() };
    f(&mut Scope::on(stack))
}

/// Runs `f` with a scope on `stack`, which the caller has exclusively, and keeps what it gives as `Ok`.
pub(super) fn stage<'x, T: ?Sized, E>(
    stack: &'x Stack,
    f: impl for<'s> FnOnce(&mut Scope<'s>) -> Result<&'s mut T, E>,
) -> Result<&'x mut T, E> {
    let undo = Undo { stack, mark: stack.mark() };
    let kept = f(&mut Scope::on(stack))?;
    core::mem::forget(undo);
    Ok(kept)
}
