//! Pure values that every layer uses: errors, extents, layout arithmetic, size classes, figures; and the macros of
//! several.
//!
//! Nothing here is shared between threads, or touches memory, except what a use of `allocator!` fills with zeros, and
//! the figures of a refusal beside its thread.

pub(crate) mod allocator;
pub(crate) mod debug;
pub(crate) mod error;
pub(crate) mod extent;
pub(crate) mod layout;
pub(crate) mod refusal;
pub(crate) mod size_class;
pub mod snapshot;
pub mod stats;
pub(crate) mod steps;
pub(crate) mod system;
pub mod testing;
pub(crate) mod unwind;
