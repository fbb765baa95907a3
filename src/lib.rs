//! One bounded region of memory, shared by all threads.

pub(crate) mod sync;

mod error;
mod extent;
pub mod snapshot;

mod mapping;
mod table;

pub use error::{AllocError, AllocErrorKind, FreeError, RegionError, VerifyError};
