//! Regions, and what stands beside the typed layer.

mod auto_traits;
mod best_fit;
mod errors;
mod growth;
mod memory;
mod pressure;
mod wiping;
