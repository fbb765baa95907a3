//! Arenas, scratch stacks, and what else bumps.

mod blocks;
pub(crate) mod bump_region;
mod checkpoints;
mod edges;
mod figures;
mod given_back;
mod limits;
mod scope_errors;
mod scratch;
mod thread_exit;
mod threads;
mod typed;
mod typed_panics;
