//! What the tests share, each of it once: a seeded generator, blocks that know their contents, values that know where
//! they were dropped, scripts over heaps and arenas, and the macros that run a test over every kind.

#[macro_use]
pub(crate) mod boxes;
#[macro_use]
pub(crate) mod typed;
pub(crate) mod arenas;
mod blocks;
#[cfg(all(unix, not(miri)))]
pub(crate) mod child;
mod drops;
mod heaps;
#[cfg(all(target_os = "linux", not(miri)))]
pub(crate) mod pages;
mod panics;
pub(crate) mod pools;
mod random;
mod threads;

pub(crate) use blocks::*;
pub(crate) use drops::*;
pub(crate) use heaps::*;
pub(crate) use panics::*;
pub(crate) use random::Random;
pub(crate) use threads::{join_all, on_a_thread};

/// Runs a quarter of the steps where the optimiser is off.
pub(crate) fn steps(optimised: usize) -> usize {
    if cfg!(debug_assertions) { optimised / 4 } else { optimised }
}

/// Creates a region of its own memory.
pub(crate) fn region(bytes: usize) -> sharded_arena::Region {
    sharded_arena::Region::with_capacity(bytes).expect("a region")
}
