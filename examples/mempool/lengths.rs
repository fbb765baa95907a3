//! The lengths of transactions, from which the index is sized.

use super::block::Source;
use super::stripe::BYTES_PER_ENTRY;

/// A transaction longer than this share of the limit does not shape the index: most of the time there is none in the
/// pool, and the short ones that are there in its place need entries.
const LONG_SHARE: usize = 16;
/// The index has room for this share of entries more than the mean length allows …
const SPARE_SHARE: usize = 8;
/// … or, where lengths differ much, for so many standard deviations of the number that fills the memory.
const SPARE_DEVIATIONS: usize = 2;

/// Mean and standard deviation of the lengths in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lengths {
    pub(crate) mean: usize,
    pub(crate) deviation: usize,
}

impl Lengths {
    /// Those of the transactions that are not long beside `limit_bytes`, or if all are, of those that fit; `None` if
    /// none does.
    pub(crate) fn of(sources: &[Source], limit_bytes: usize) -> Option<Self> {
        Self::up_to(sources, limit_bytes / LONG_SHARE).or_else(|| Self::up_to(sources, limit_bytes))
    }

    fn up_to(sources: &[Source], most: usize) -> Option<Self> {
        let lengths = || sources.iter().map(|source| source.bytes.len()).filter(|&len| len <= most);
        let mean = lengths().sum::<usize>().checked_div(lengths().count())?;
        let squares = lengths().map(|len| (len.abs_diff(mean) as u128).pow(2)).sum::<u128>();
        let variance = squares / lengths().count() as u128;
        Some(Self { mean, deviation: usize::try_from(variance.isqrt()).unwrap_or(usize::MAX) })
    }

    /// The number of entries that an index needs for transactions that fill `bytes`, entries included.
    ///
    /// As many random lengths as fill a length vary by `deviation / mean * sqrt(count)` (the renewal theorem).
    pub(crate) fn entries(&self, bytes: usize) -> usize {
        let each = self.mean + BYTES_PER_ENTRY;
        let count = bytes / each;
        let varies = (self.deviation as u128 * count.isqrt() as u128) / each as u128;
        let varies = usize::try_from(varies).unwrap_or(usize::MAX).saturating_mul(SPARE_DEVIATIONS);
        count + varies.min(count).max(count / SPARE_SHARE)
    }
}
