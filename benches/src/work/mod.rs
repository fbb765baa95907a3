//! The work that more than one row does.

pub mod fill;
pub mod interning;
pub mod mempool;
pub mod place;
pub mod replace;
pub mod text;
pub mod turnover;
