//! The work that more than one row does.

pub mod fill;
pub mod place;
pub mod replace;
