//! What the models share: the explorer, and the states that their roles act on.
//!
//! - [`harness`]: explores a model; regions without memory; a loom cell per block.
//! - [`heaps`]: a heap and two threads whose identities are carried by hand.
//! - [`threads`]: a heap and threads with thread-locals, which end.
//! - [`arenas`], [`pools`]: an arena, a pool and threads of that kind.

pub(super) mod arenas;
pub(super) mod harness;
pub(super) mod heaps;
pub(super) mod pools;
pub(super) mod threads;
