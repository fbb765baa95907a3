//! `Lines`: where extents begin and which of them are free, two bits a granule.
//!
//! A word of start bits and a word of free bits lie side by side for 64 granules; four such pairs are a line, 64 bytes
//! for 256 granules. A summary of the lines that hold a start bounds the search for a neighbour.
//!
//! - INV-best_fit.lines-1: granule `g` begins an extent ⟺ its start bit is set; so do 0 and `granules`, the guard after
//!   the last.
//! - INV-best_fit.lines-2: the free bit of `g` is set ⟺ `g` is the first or the last granule of a free extent. So one
//!   bit says whether the left neighbour of an extent is free.
//! - INV-best_fit.lines-3: line `i` is in the summary ⟺ it holds a start bit.
//! - INV-best_fit.lines-4: the last line lies wholly after the guard and is vacant: a search may look one pair too far.
//!
//! Not synchronised. Deliberately absent: lengths. The distance to the next start is the length.

use super::bitmap::BitSet;
use crate::base::error::RegionError;
use crate::memory::span::Span;
use crate::memory::table::Table;

/// Granules of one line.
pub(super) const LINE_GRANULES: u32 = 256;

/// Start bits, free bits.
type Pair = [u64; 2];
const START: usize = 0;
const FREE: usize = 1;

/// Pairs of one line.
const PAIRS: usize = 4;
type Line = [Pair; PAIRS];
/// Bytes of one line.
pub(super) const LINE_BYTES: usize = size_of::<Line>();

/// See the module's header.
#[derive(Debug)]
pub(super) struct Lines {
    lines: Table<Line>,
    occupied: BitSet,
}

#[inline(always)]
fn line_of(granule: u32) -> usize {
    (granule / LINE_GRANULES) as usize
}

#[inline(always)]
fn pair_of(granule: u32) -> usize {
    (granule / 64) as usize
}

#[inline(always)]
fn bit_of(granule: u32) -> u64 {
    1 << (granule % 64)
}

/// Returns the granule of bit `bit` of pair `pair`.
#[inline(always)]
fn granule_at(pair: usize, bit: u32) -> u32 {
    pair as u32 * 64 + bit
}

/// Returns whether a line holds no start.
#[inline(always)]
fn is_vacant(line: &Line) -> bool {
    line[0][START] | line[1][START] | line[2][START] | line[3][START] == 0
}

impl Lines {
    /// Creates lines for `granules` granules and the guard after them, with starts at 0 and at the guard.
    pub(super) fn new(granules: u32) -> Result<Self, RegionError> {
        let count = line_of(granules) + 2;
        let mut lines = Self { lines: Table::reserve(count)?, occupied: BitSet::new(count)? };
        lines.set_start(0);
        lines.set_start(granules);
        Ok(lines)
    }

    #[inline(always)]
    fn pairs(&self) -> &[Pair] {
        self.lines.as_flattened()
    }

    #[inline(always)]
    fn pair_mut(&mut self, granule: u32) -> &mut Pair {
        &mut self.lines.as_flattened_mut()[pair_of(granule)]
    }

    /// Returns whether `granule` is the first or the last of a free extent.
    #[inline(always)]
    pub(super) fn is_free(&self, granule: u32) -> bool {
        self.pairs()[pair_of(granule)][FREE] & bit_of(granule) != 0
    }

    /// Returns the end of the used extent that begins at `granule`, if one does.
    #[inline(always)]
    pub(super) fn used_end(&self, granule: u32) -> Option<u32> {
        let [starts, free] = self.pairs()[pair_of(granule)];
        if starts & !free & bit_of(granule) == 0 {
            return None;
        }
        Some(self.next_start(granule))
    }

    /// Returns whether the extent that ends before `granule` is free; there is none before 0.
    #[inline(always)]
    pub(super) fn is_free_before(&self, granule: u32) -> bool {
        let last = granule.wrapping_sub(1);
        self.pairs().get(pair_of(last)).is_some_and(|pair| pair[FREE] & bit_of(last) != 0)
    }

    #[inline(always)]
    pub(super) fn set_start(&mut self, granule: u32) {
        let index = line_of(granule);
        let line = &mut self.lines[index];
        let first = is_vacant(line);
        line[pair_of(granule) % PAIRS][START] |= bit_of(granule);
        if first {
            self.occupied.insert(index);
        }
    }

    #[inline(always)]
    pub(super) fn clear_start(&mut self, granule: u32) {
        let pair = self.pair_mut(granule);
        pair[START] &= !bit_of(granule);
        // Most often the word still holds a start, and the rest of the line need not be looked at.
        if pair[START] == 0 && is_vacant(&self.lines[line_of(granule)]) {
            self.occupied.remove(line_of(granule));
        }
    }

    #[inline(always)]
    pub(super) fn set_free(&mut self, granule: u32) {
        self.pair_mut(granule)[FREE] |= bit_of(granule);
    }

    #[inline(always)]
    pub(super) fn clear_free(&mut self, granule: u32) {
        self.pair_mut(granule)[FREE] &= !bit_of(granule);
    }

    /// Returns the first start after `granule`, which is below the guard.
    #[inline(always)]
    pub(super) fn next_start(&self, granule: u32) -> u32 {
        let index = pair_of(granule);
        let bit = bit_of(granule);
        // Two words at once: which of them holds the start cannot be predicted. INV-best_fit.lines-4: there is a
        // second.
        let (here, behind) = (self.pairs()[index][START] & !(bit | (bit - 1)), self.pairs()[index + 1][START]);
        if here | behind == 0 {
            return self.next_start_from(index + 2);
        }
        let near = if here == 0 { behind } else { here };
        granule_at(index + usize::from(here == 0), near.trailing_zeros())
    }

    /// Returns the last start before `granule`, which is not 0.
    #[inline(always)]
    pub(super) fn prev_start(&self, granule: u32) -> u32 {
        let index = pair_of(granule);
        let here = self.pairs()[index][START] & (bit_of(granule) - 1);
        let before = self.pairs().get(index.wrapping_sub(1)).map_or(0, |pair| pair[START]);
        if here | before == 0 {
            return self.prev_start_below(index.saturating_sub(1));
        }
        let near = if here == 0 { before } else { here };
        granule_at(index - usize::from(here == 0), near.ilog2())
    }

    /// Returns the first start in pair `index` or after it. INV-best_fit.lines-1: the guard bounds the search.
    #[inline(never)]
    fn next_start_from(&self, index: usize) -> u32 {
        let pairs = self.pairs();
        let within = index..index.next_multiple_of(PAIRS).min(pairs.len());
        let found = within.clone().find(|&i| pairs[i][START] != 0).unwrap_or_else(|| {
            let line = self.occupied.next(within.end / PAIRS).unwrap_or(0);
            (line * PAIRS..line * PAIRS + 3).find(|&i| pairs[i][START] != 0).unwrap_or(line * PAIRS + 3)
        });
        granule_at(found, pairs[found][START].trailing_zeros() % 64)
    }

    /// Returns the last start in a pair before `index`. INV-best_fit.lines-1: the start at 0 bounds the search.
    #[inline(never)]
    fn prev_start_below(&self, index: usize) -> u32 {
        let pairs = self.pairs();
        let within = index / PAIRS * PAIRS..index;
        let found = within.clone().rev().find(|&i| pairs[i][START] != 0).unwrap_or_else(|| {
            let line = (within.start / PAIRS).checked_sub(1).and_then(|line| self.occupied.prev(line)).unwrap_or(0);
            (line * PAIRS + 1..line * PAIRS + 4).rev().find(|&i| pairs[i][START] != 0).unwrap_or(line * PAIRS)
        });
        granule_at(found, (pairs[found][START] | 1).ilog2())
    }

    /// For the proof: returns the lines that the summary names.
    pub(super) fn occupied(&self) -> impl Iterator<Item = usize> {
        core::iter::successors(self.occupied.next(0), |line| self.occupied.next(line + 1))
    }

    /// For the proof: returns the number of free bits.
    pub(super) fn free_bits(&self) -> u32 {
        self.pairs().iter().map(|pair| pair[FREE].count_ones()).sum()
    }

    /// For the proof: INV-best_fit.lines-3 of every line, and the summary's own invariants.
    pub(super) fn summary_is_consistent(&self) -> bool {
        let is_named = |line| self.occupied.next(line) == Some(line);
        self.occupied.is_consistent()
            && self.lines.iter().enumerate().all(|(index, line)| is_vacant(line) != is_named(index))
    }

    /// Returns where the lines and their summary are.
    pub(super) fn spans(&self) -> (Span, Span) {
        (self.lines.span(), self.occupied.span())
    }
}
