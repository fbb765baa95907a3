//! What every row uses: rounds, threads, dice, sizes, memory, and the way results are told.

pub mod clock;
pub mod crew;
pub mod latency;
pub mod memory;
pub mod relay;
pub mod report;
pub mod resident;
pub mod rng;
pub mod rounds;
pub mod sizes;
pub mod stats;
pub mod table;
pub mod targets;

/// Bytes of `mib` MiB.
pub const fn mib(mib: usize) -> usize {
    mib << 20
}
