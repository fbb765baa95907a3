//! Figures of the parts, as plain numbers; what fills them lives with the part.

use core::fmt;

/// Figures of a [`BestFitArena`](crate::BestFitArena); a chunk is an extent, used or free. `used + free = total`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct BestFitStats {
    /// Bytes handed out, rounding to the granule included.
    pub used: usize,
    /// Bytes in free chunks.
    pub free: usize,
    /// Bytes managed: the whole granules between the rounded-up base and the end.
    pub total: usize,
    /// Blocks handed out.
    pub chunks_used: usize,
    /// Free chunks; no two of them are neighbours.
    pub chunks_free: usize,
    /// Length of the longest free chunk in bytes.
    pub largest_free: usize,
}

impl fmt::Display for BestFitStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { used, free, total, chunks_used, chunks_free, largest_free } = self;
        write!(
            f,
            "{used} of {total} bytes used in {chunks_used} chunks, {free} free in {chunks_free} chunks, the longest of \
             {largest_free}"
        )
    }
}
