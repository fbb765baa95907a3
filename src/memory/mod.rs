//! Address space: memory from the system or the caller, and typed tables in reserved memory of their own.

pub(crate) mod mapping;
pub(crate) mod span;
mod system;
pub(crate) mod table;
