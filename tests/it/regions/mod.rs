//! Regions, and what stands beside the typed layer.

mod auto_traits;
mod best_fit;
mod clients;
mod errors;
mod generic;
mod growth;
#[cfg(all(target_os = "linux", not(miri)))]
mod limits_of_the_process;
#[cfg(all(target_os = "linux", not(miri)))]
mod many_clients;
mod memory;
#[cfg(all(target_os = "linux", not(miri)))]
mod metadata;
mod pressure;
mod wiping;
