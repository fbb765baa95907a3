//! The tests that need an allocator of their own: one that counts, refuses and checks, see `allocator.rs`.

#[allow(dead_code, unused_imports, unused_macros, reason = "the other program uses the rest")]
#[path = "../it/support/mod.rs"]
mod support;

mod allocator;
mod blocks;
mod checkpoints;
mod failing;
mod interner;
#[cfg(all(unix, not(miri)))]
mod layout;
mod systems;
