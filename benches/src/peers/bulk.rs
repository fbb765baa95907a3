//! What the rows of the bump side are generic over: memory that is filled and then freed all at once.
//!
//! As with [`Contender`](super::Contender), the loops are compiled for each contender. What lies here over its crate is
//! always inlined, so that whether its fast path is in the loop is its crate's affair.

use std::ptr::NonNull;

/// What those rows place: 24 bytes, aligned to 8.
pub type Object = [u64; 3];

/// An arena, by whatever name. It is told at its birth how much it must hold, if it can be told.
pub trait Bulk: 'static {
    /// What one thread places through; taken before any clock, as a thread would when it starts.
    type Handle<'a>;

    fn handle(&self) -> Self::Handle<'_>;

    /// Frees everything, and keeps the memory for the next round as far as the contender does so.
    fn reset(&mut self);
}

/// A handle that objects are placed through.
pub trait Place {
    /// The object's place, which is valid until the reset, or until `finish`.
    fn place(&mut self, object: Object) -> NonNull<Object>;

    /// Called when the last object is placed, on the clock: frees one by one what no reset would.
    fn finish(&mut self) {}
}

/// A handle that bytes are copied through.
pub trait CopyIn {
    /// The copy's place, which is valid until the reset.
    fn copy_in(&mut self, bytes: &[u8]) -> NonNull<u8>;
}
