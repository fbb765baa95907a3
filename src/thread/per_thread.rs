//! `PerThread`: a value for each thread that has a token, found by the token's slot.
//!
//! A value is made at the first use of its slot and kept until the table goes. The slot's next thread finds the same
//! one, even while a destructor of the former thread still uses it: values rely on no thread.
//!
//! The crate `thread_local` is not used: a thread's first use of it panics where its own guard has been destroyed.

use crate::sync::OnceLock;

use super::{SLOTS, Token};

/// Group `n` has room for 2^n threads, and is made when the first of them comes.
const GROUPS: usize = SLOTS.ilog2() as usize + 1;

type Group<T> = Box<[OnceLock<Box<T>>]>;

/// See the module's header.
#[derive(Debug)]
pub(crate) struct PerThread<T> {
    groups: [OnceLock<Group<T>>; GROUPS],
}

impl<T> Default for PerThread<T> {
    fn default() -> Self {
        Self { groups: [const { OnceLock::new() }; GROUPS] }
    }
}

impl<T: Default> PerThread<T> {
    /// The value of the slot of `token`, a living one of the calling thread's.
    pub(crate) fn get_or_default(&self, token: Token) -> &T {
        // The models have one value for all threads: the worst that slots which are used again can do.
        let place = if cfg!(all(test, loom)) { 1 } else { token.slot() + 1 };
        let group = place.ilog2();
        let values = self.groups[group as usize].get_or_init(|| (0..1 << group).map(|_| OnceLock::new()).collect());
        values[place - (1 << group)].get_or_init(Box::default)
    }
}
