//! Counts the steps of searches whose length must not grow: in unit tests only.

#[cfg(not(all(test, not(loom))))]
mod body {
    /// A search looks at one more thing.
    #[inline(always)]
    pub(crate) fn step() {}
}

#[cfg(all(test, not(loom)))]
mod body {
    use core::cell::Cell;

    use crate::sync::per_thread;

    per_thread! {
        static STEPS: Cell<usize> = Cell::new(0);
    }

    /// A search looks at one more thing.
    pub(crate) fn step() {
        STEPS.set(STEPS.get() + 1);
    }

    /// Returns the steps that the calling thread makes in `run`.
    pub(crate) fn steps_of<R>(run: impl FnOnce() -> R) -> usize {
        let before = STEPS.get();
        run();
        STEPS.get() - before
    }
}

pub(crate) use body::*;
