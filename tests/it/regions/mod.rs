//! Regions, and what stands beside the typed layer.

mod auto_traits;
mod best_fit;
mod clients;
mod errors;
mod generic;
mod memory;
mod pressure;
mod wiping;
