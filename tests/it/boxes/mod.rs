//! Boxes and `Arc`s over heaps and arenas.

mod arc;
mod hostile;
mod slices;
mod values;
