//! One bounded region of memory, shared by all threads.

pub(crate) mod sync;

mod error;
mod extent;
mod layout;
mod size_class;
pub mod snapshot;
pub mod stats;

mod mapping;
mod table;

mod best_fit;
mod budget;

mod depot;
mod magazine;
mod region;

mod heap;
mod thread;

pub use allocator_api2;
pub use best_fit::BestFitArena;
pub use error::{AllocError, AllocErrorKind, FreeError, RegionError, VerifyError};
pub use heap::{Heap, HeapBuilder, LocalHeap};
pub use region::{Region, RegionBuilder, RegionReservation};
pub use stats::{BestFitStats, HeapStats, RegionStats};

#[cfg(all(test, loom))]
#[path = "../loom_tests/mod.rs"]
mod loom_tests;

#[cfg(all(test, not(loom)))]
mod cfg_tests {
    /// `cargo loom` sets the variable and the cfg; with `RUSTFLAGS` in the environment the cfg is lost, and no model
    /// would run, all green.
    #[test]
    fn the_model_checker_was_not_asked_for() {
        assert!(
            std::env::var_os("SHARDED_ARENA_LOOM").is_none(),
            "cargo loom without cfg(loom): unset RUSTFLAGS, it hides the flags of .cargo/config.toml"
        );
    }
}
