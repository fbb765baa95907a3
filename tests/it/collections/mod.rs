//! Vectors, strings, maps and sets over heaps and arenas.

#[cfg(feature = "allocator-api2-04")]
mod later_allocator;
mod matrix;
#[cfg(feature = "rayon")]
mod parallel;
mod refusals;
#[cfg(feature = "serde")]
mod serde;
mod string;
mod vectors;
