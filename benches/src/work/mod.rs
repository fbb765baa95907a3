//! The work that more than one row does.

pub mod fill;
pub mod replace;
