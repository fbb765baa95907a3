//! `Scope`: the handle inside a scope or a stage of a scratch stack.
//!
//! `'s` is a lifetime of the closure's own (`for<'s>`), and invariant: a result of type `&'s mut T` fits nothing
//! outside, and two scopes cannot be exchanged. The place to go back to is kept on the caller's side, in a guard that
//! the closure never sees and cannot leak.

use core::cell::Cell;
use core::marker::PhantomData;

use crate::base::debug::debug_figures;
use crate::base::unwind::Then;
use crate::bump::blocks::Blocks;

use super::stack::Mark;
use super::stack::Stack;

/// Allocates inside [`Scratch::scope`](super::Scratch::scope) or [`Scratch::stage`](super::Scratch::stage); what it
/// hands out lives until the scope ends. `&Scope` is an [`Allocator`](allocator_api2::alloc::Allocator); while a
/// collection in it stands, no inner scope can begin.
///
/// `Outside` is a reference that lives as long as whatever the scope may refer to: it is found by the compiler, and
/// lets a closure that must work for every `'s` put references to what is outside into the scope. A function that takes
/// a scope and does not name it, `fn f(scope: &mut Scope<'_>)`, accepts scopes that refer to nothing shorter than
/// `'static`; `fn f<'e>(scope: &mut Scope<'_, &'e ()>)` accepts all.
pub struct Scope<'s, Outside: 's = &'static ()> {
    stack: &'s Stack,
    /// Invariant in `'s`, which what is outside outlives.
    brand: PhantomData<(Cell<&'s ()>, Cell<&'s Outside>)>,
}

debug_figures! { [<Outside>] Scope<'_, Outside>: memory_usage }

impl<'s, Outside> Scope<'s, Outside> {
    fn on(stack: &'s Stack) -> Self {
        Self { stack, brand: PhantomData }
    }

    /// Runs `f` with a scope inside this one and frees all that was allocated in it, if it panics too. What this one
    /// has handed out stays; it cannot be used meanwhile.
    pub fn scope<'e, R>(&mut self, f: impl for<'t> FnOnce(&mut Scope<'t, &'e ()>) -> R) -> R {
        scope(self.stack, f)
    }

    /// Runs `f` with a scope inside this one; keeps what was allocated in it, as long as this one, if it gives `Ok`,
    /// frees it if it gives `Err` or panics.
    ///
    /// # Errors
    /// Those of `f`.
    pub fn stage<'e: 's, T: ?Sized, E>(
        &mut self,
        f: impl for<'t> FnOnce(&mut Scope<'t, &'e ()>) -> Result<&'t mut T, E>,
    ) -> Result<&'s mut T, E> {
        stage(self.stack, f)
    }

    /// Bytes the stack has taken from its region, those of the scopes around this one included. One load.
    #[must_use]
    pub fn memory_usage(&self) -> usize {
        self.stack.held()
    }

    /// Bytes in blocks, as they were asked for, those of the scopes around this one included. A few loads.
    #[cfg(feature = "stats")]
    #[must_use]
    pub fn live_bytes(&self) -> usize {
        usize::try_from(self.stack.live()).unwrap_or(usize::MAX)
    }

    /// What the typed methods stand on.
    #[inline(always)]
    pub(crate) fn blocks(&self) -> impl Blocks {
        self.stack
    }
}

/// Goes back to where `stack` is now when it is dropped, also if that is by a panic.
fn undo(stack: &Stack) -> Then<Mark, impl FnMut(&mut Mark)> {
    Then(stack.mark(false), |mark| stack.rewind(*mark))
}

/// Runs `f` with a scope on `stack`, which the caller has exclusively.
pub(super) fn scope<'e, R>(stack: &Stack, f: impl for<'s> FnOnce(&mut Scope<'s, &'e ()>) -> R) -> R {
    let _undo = undo(stack);
    f(&mut Scope::on(stack))
}

/// Runs `f` with a scope on `stack`, which the caller has exclusively, and keeps what it gives as `Ok`.
pub(super) fn stage<'x, 'e: 'x, T: ?Sized, E>(
    stack: &'x Stack,
    f: impl for<'s> FnOnce(&mut Scope<'s, &'e ()>) -> Result<&'s mut T, E>,
) -> Result<&'x mut T, E> {
    let undo = undo(stack);
    let kept = f(&mut Scope::on(stack))?;
    core::mem::forget(undo);
    Ok(kept)
}
