//! Address space: memory from the system or the caller, and typed tables in reserved memory of their own.

pub(crate) mod mapping;
mod system;
pub(crate) mod table;
