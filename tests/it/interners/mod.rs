//! Interners.

mod edges;
#[cfg(feature = "serde")]
mod serde;
mod symbols;
