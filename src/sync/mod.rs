//! The only door to the primitives of concurrency: atomics, orderings, the mutex, thread-locals, processor count.
//!
//! Two bodies. The ordinary one is the standard library's atomics and `parking_lot`'s mutex. The other is compiled only
//! for the model checker (`cfg(all(test, loom))`), so a downstream crate that sets `--cfg loom` for its own tests gets
//! the ordinary one. No file outside `sync/` names `std::sync`, `core::sync`, `parking_lot`, `thread_local`, `loom` or an
//! `Ordering`; a test greps for it.
//!
//! - An ordering stronger than `Relaxed` stands behind a comment `ORDERING(Acquire): …`, which names its partner and the
//!   model that fails without it; `.ci/mutants` weakens each on a copy of the sources.
//! - [`mutant!`] is `false` in ordinary builds; under the model checker `SHARDED_ARENA_WEAKEN=name` makes it `true`. It
//!   leaves out one rule of a protocol, so that a model can be seen to fail without it.
//! - [`Owned32`], [`Owned64`], [`OwnedUsize`], [`OwnedPtr`] are words which one thread at a time writes, with a plain load and store, and which any
//!   thread may read as a hint. Loom does not see them: a [`Ghost`] beside them is what it checks.
//! - [`Counter`] is such a word whose readers decide by it; loom sees it.
//! - [`Ghost`] is a zero-sized nothing in ordinary builds and a checked cell under loom: whoever has the exclusive use
//!   of some state enters its ghost, and a missing happens-before edge is loom's error.
//!
//! `compare_exchange_weak` may fail for no reason. x86-64 and loom never do that; under loom the wrapper here makes the
//! first weak exchange of every word fail while [`forced_weak_failure`] is on.

/// `true` only under the model checker and only for the rule that its run leaves out; see the module's header.
macro_rules! mutant {
    ($name:literal) => {{
        #[cfg(not(all(test, loom)))]
        {
            false
        }
        #[cfg(all(test, loom))]
        {
            static ON: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
            *ON.get_or_init(|| $crate::sync::is_weakened($name))
        }
    }};
}
pub(crate) use mutant;

#[cfg(all(test, loom))]
#[path = "model.rs"]
mod body;
#[cfg(not(all(test, loom)))]
#[path = "real.rs"]
mod body;
mod words;

pub(crate) use body::*;
pub(crate) use crossbeam::utils::CachePadded;
pub(crate) use words::*;
