//! `Ref`: a look at a value of a pool, which stays as long as it is looked at.
#![expect(unsafe_code, reason = "reads the value it guards, and drops it if it was removed meanwhile")]

use core::fmt;
use core::ops::Deref;

use super::hold::Held;
use super::key::Key;

/// A guard of one value of a [`Pool`](super::Pool): as long as it lives, so does the value, removed or not.
///
/// The last guard of a removed value drops it, on its own thread. A guard that is leaked keeps its value until the pool
/// is cleared or dropped.
pub struct Ref<'a, T>(pub(super) Held<'a, T>);

impl<T> Ref<'_, T> {
    /// The value's key. A function of the type, so that it hides no method of the value.
    #[must_use]
    pub fn key(this: &Self) -> Key<T> {
        this.0.key
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: this guard is counted as long as it lives.
        unsafe { self.0.slot.value() }
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Display> fmt::Display for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T> Drop for Ref<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let Held { pool, body, slot, key } = self.0;
        if slot.word.unguard() {
            // SAFETY: the last guard of a removed value holds its slot.
            unsafe { Held::drop_after_guards(pool, body, slot, key) };
        }
    }
}
