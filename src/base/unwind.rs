//! What is done although something panics.

use core::panic::AssertUnwindSafe;
use std::panic::{catch_unwind, resume_unwind};

/// Runs its closure on its value when it is dropped, also if that is by a panic.
pub(crate) struct Then<T, F: FnMut(&mut T)>(pub(crate) T, pub(crate) F);

impl<T, F: FnMut(&mut T)> Drop for Then<T, F> {
    fn drop(&mut self) {
        (self.1)(&mut self.0);
    }
}

/// Calls `run` with every item. Calls that panic do not keep the others from running; the first panic goes on when all
/// have run. As with every destructor, one that goes on while another panic passes ends the process.
pub(crate) fn run_all<T>(items: impl Iterator<Item = T>, mut run: impl FnMut(T)) {
    let mut first = None;
    for item in items {
        match catch_unwind(AssertUnwindSafe(|| run(item))) {
            Err(panic) if first.is_none() => first = Some(panic),
            // What it carries may panic in its own destructor; what that carries is leaked.
            Err(panic) => catch_unwind(AssertUnwindSafe(|| drop(panic))).unwrap_or_else(core::mem::forget),
            Ok(()) => {}
        }
    }
    if let Some(panic) = first {
        resume_unwind(panic);
    }
}
