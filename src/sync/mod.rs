//! The only door to the primitives of concurrency: atomics, orderings, the mutex, thread-locals, processor count.
//!
//! Two bodies. The ordinary one is the standard library's atomics and `parking_lot`'s mutex. The other is compiled only
//! for the model checker (`cfg(all(test, loom))`), so a downstream crate that sets `--cfg loom` for its own tests gets
//! the ordinary one. No file outside `sync/` names `std::sync`, `core::sync`, `parking_lot`, `loom` or an `Ordering`; a
//! test greps for it.
//!
//! - An ordering stronger than `Relaxed` stands behind a comment `ORDERING(Acquire): …`, which names its partner and
//!   the test that fails without it. `.ci/mutants` weakens each in a copy of the sources, and leaves out one rule of a
//!   protocol at a time there, so that a model is seen to fail.
//! - [`Owned32`], [`Owned64`], [`OwnedUsize`], [`OwnedPtr`] are words that one thread at a time writes, with a plain
//!   load and store, and that any thread may read as a hint. Loom does not see them: it checks the [`Ghost`] beside
//!   them.
//! - [`Counter`] is such a word whose readers decide by it; loom sees it.
//! - [`Ghost`] is a zero-sized nothing in ordinary builds and a checked cell under loom. A thread that has the
//!   exclusive use of some state enters the state's ghost; a missing happens-before edge is then loom's error.
//! - A fork takes each [`ListedMutex`], and waits for each section of a [`Mutex`] and each [`shielded`] part: work that
//!   others wait for, from one section of a listed lock to another (`fork.rs`).
//!
//! `compare_exchange_weak` may fail spuriously. x86-64 and loom never do that; under loom the wrapper here makes the
//! first weak exchange of every word fail while [`forced_weak_failure`] is on.

#[cfg(all(test, loom))]
#[path = "model.rs"]
mod body;
#[cfg(not(all(test, loom)))]
#[path = "real.rs"]
mod body;
#[cfg(not(all(test, loom)))]
mod fork;
mod words;

pub(crate) use body::*;
pub(crate) use crossbeam::utils::CachePadded;
pub(crate) use words::*;
