//! One bounded region of memory, shared by all threads.

pub(crate) mod sync;

mod error;
mod extent;
mod layout;
pub mod snapshot;
pub mod stats;

mod mapping;
mod table;

mod best_fit;

pub use best_fit::BestFitArena;
pub use error::{AllocError, AllocErrorKind, FreeError, RegionError, VerifyError};
pub use stats::BestFitStats;
