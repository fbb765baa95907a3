//! `Lines`: where extents begin and which of them are free, two bits a granule.
//!
//! A line is 64 bytes for 256 granules: four words of start bits, four of free bits. A summary of the lines that hold a
//! start bounds the search for a neighbour.
//!
//! - INV-L1: granule `g` begins an extent ⟺ its start bit is set; so do 0 and `granules`, the guard behind the last.
//! - INV-L2: the free bit of `g` is set ⟺ `g` is the first or the last granule of a free extent. So one bit says
//!   whether the left neighbour of an extent is free.
//! - INV-L3: line `i` is in the summary ⟺ it holds a start bit.
//!
//! Not synchronised. Deliberately absent: lengths. The distance to the next start is the length.

use super::bitmap::BitSet;
use crate::error::RegionError;
use crate::table::Table;

/// Granules of one line.
pub(super) const LINE_GRANULES: u32 = 256;

/// Four words of start bits, then four of free bits.
type Line = [u64; 8];

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
fn word_of(granule: u32) -> usize {
    (granule / 64 % 4) as usize
}

#[inline(always)]
fn bit_of(granule: u32) -> u64 {
    1 << (granule % 64)
}

/// Whether a line holds no start.
#[inline(always)]
fn is_vacant(line: &Line) -> bool {
    line[0] | line[1] | line[2] | line[3] == 0
}

impl Lines {
    /// Lines for `granules` granules and the guard behind them, with starts at 0 and at the guard.
    pub(super) fn new(granules: u32) -> Result<Self, RegionError> {
        let count = line_of(granules) + 1;
        let mut lines = Self { lines: Table::reserve(count)?, occupied: BitSet::new(count)? };
        lines.set_start(0);
        lines.set_start(granules);
        Ok(lines)
    }

    #[inline(always)]
    pub(super) fn is_start(&self, granule: u32) -> bool {
        self.lines[line_of(granule)][word_of(granule)] & bit_of(granule) != 0
    }

    /// Whether `granule` is the first or the last of a free extent.
    #[inline(always)]
    pub(super) fn is_free(&self, granule: u32) -> bool {
        self.lines[line_of(granule)][4 + word_of(granule)] & bit_of(granule) != 0
    }

    /// Whether a used extent begins at `granule`.
    #[inline(always)]
    pub(super) fn is_used_start(&self, granule: u32) -> bool {
        let line = &self.lines[line_of(granule)];
        line[word_of(granule)] & !line[4 + word_of(granule)] & bit_of(granule) != 0
    }

    /// Whether the extent that ends before `granule` is free; there is none before 0.
    #[inline(always)]
    pub(super) fn is_free_before(&self, granule: u32) -> bool {
        let last = granule.wrapping_sub(1);
        self.lines.get(line_of(last)).is_some_and(|line| line[4 + word_of(last)] & bit_of(last) != 0)
    }

    #[inline(always)]
    pub(super) fn set_start(&mut self, granule: u32) {
        let index = line_of(granule);
        let line = &mut self.lines[index];
        let first = is_vacant(line);
        line[word_of(granule)] |= bit_of(granule);
        if first {
            self.occupied.insert(index);
        }
    }

    #[inline(always)]
    pub(super) fn clear_start(&mut self, granule: u32) {
        let index = line_of(granule);
        let line = &mut self.lines[index];
        line[word_of(granule)] &= !bit_of(granule);
        if is_vacant(line) {
            self.occupied.remove(index);
        }
    }

    #[inline(always)]
    pub(super) fn set_free(&mut self, granule: u32) {
        self.lines[line_of(granule)][4 + word_of(granule)] |= bit_of(granule);
    }

    #[inline(always)]
    pub(super) fn clear_free(&mut self, granule: u32) {
        self.lines[line_of(granule)][4 + word_of(granule)] &= !bit_of(granule);
    }

    /// The first start behind `granule`, which is below the guard.
    #[inline(always)]
    pub(super) fn next_start(&self, granule: u32) -> u32 {
        let from = granule + 1;
        let index = line_of(from);
        let line = &self.lines[index];
        let word = word_of(from);
        let bits = line[word] & (!0 << (from % 64));
        if bits != 0 {
            return from / 64 * 64 + bits.trailing_zeros();
        }
        for (word, &bits) in line[..4].iter().enumerate().skip(word + 1) {
            if bits != 0 {
                return from / LINE_GRANULES * LINE_GRANULES + 64 * word as u32 + bits.trailing_zeros();
            }
        }
        self.first_start_from_line(index + 1)
    }

    /// The last start before `granule`, which is not 0.
    #[inline(always)]
    pub(super) fn prev_start(&self, granule: u32) -> u32 {
        let to = granule - 1;
        let index = line_of(to);
        let line = &self.lines[index];
        let word = word_of(to);
        let bits = line[word] & (!0 >> (63 - to % 64));
        if bits != 0 {
            return to / 64 * 64 + 63 - bits.leading_zeros();
        }
        for (word, &bits) in line[..word].iter().enumerate().rev() {
            if bits != 0 {
                return to / LINE_GRANULES * LINE_GRANULES + 64 * word as u32 + 63 - bits.leading_zeros();
            }
        }
        self.last_start_to_line(index)
    }

    /// The first start in line `index` or behind it. INV-L1: the guard bounds the search.
    #[inline(never)]
    fn first_start_from_line(&self, index: usize) -> u32 {
        let index = self.occupied.next(index).unwrap_or(self.lines.len() - 1);
        let line = &self.lines[index];
        let word = (0..3).find(|&word| line[word] != 0).unwrap_or(3);
        index as u32 * LINE_GRANULES + 64 * word as u32 + line[word].trailing_zeros()
    }

    /// The last start before line `index`. INV-L1: the start at 0 bounds the search.
    #[inline(never)]
    fn last_start_to_line(&self, index: usize) -> u32 {
        let index = self.occupied.prev(index.saturating_sub(1)).unwrap_or(0);
        let line = &self.lines[index];
        let word = (1..4).rev().find(|&word| line[word] != 0).unwrap_or(0);
        index as u32 * LINE_GRANULES + 64 * word as u32 + (63 - (line[word] | 1).leading_zeros())
    }

    /// Lines in all.
    pub(super) fn count(&self) -> usize {
        self.lines.len()
    }

    /// The free bits of `granule`'s word, for the proof.
    pub(super) fn free_word(&self, granule: u32) -> u64 {
        self.lines[line_of(granule)][4 + word_of(granule)]
    }

    /// The first line behind `line` that the summary names, for the proof.
    pub(super) fn next_occupied(&self, line: usize) -> Option<usize> {
        self.occupied.next(line)
    }

    /// INV-L3 of every line, and the summary's own invariants.
    pub(super) fn summary_is_consistent(&self) -> bool {
        self.occupied.is_consistent()
            && self.lines.iter().enumerate().all(|(index, line)| is_vacant(line) != self.occupied.contains(index))
    }

    pub(super) fn line_bytes(&self) -> usize {
        size_of_val::<[Line]>(&self.lines)
    }

    pub(super) fn summary_bytes(&self) -> usize {
        self.occupied.bytes()
    }
}
