//! Sets of small numbers as bits, 64 to a word, under summaries of 64 to a word: a search costs a word a level.
//!
//! [`BitSet`] has the length given at construction, [`BinSet`] 4,096 members at most and two levels, without a loop.
//!
//! - INV-best_fit.bitmap-1: bit `i` of level `n + 1` is set ⟺ word `i` of level `n` is not zero.
//! - INV-best_fit.bitmap-2: the last word of every level is zero. No member lies there; a climb may look one word too
//!   far.
//!
//! Not synchronised; not here: counting, iteration.

use crate::base::error::RegionError;
use crate::memory::span::Span;
use crate::memory::table::Table;

/// Levels enough for 2^24 lines and one.
const LEVELS: usize = 5;

/// A set of numbers below a bound given at construction.
#[derive(Debug)]
pub(super) struct BitSet {
    words: Table<u64>,
    /// First word of each level; `levels` of them count.
    starts: [usize; LEVELS],
    levels: usize,
}

impl BitSet {
    pub(super) fn new(bound: usize) -> Result<Self, RegionError> {
        let mut starts = [0; LEVELS];
        let (mut levels, mut total, mut words) = (0, 0, bound);
        loop {
            words = words.div_ceil(64);
            starts[levels] = total;
            levels += 1;
            total += words + 1;
            if words <= 1 {
                break;
            }
        }
        Ok(Self { words: Table::reserve(total)?, starts, levels })
    }

    #[inline]
    pub(super) fn insert(&mut self, member: usize) {
        let mut index = member;
        for &start in &self.starts[..self.levels] {
            let word = &mut self.words[start + index / 64];
            let before = *word;
            *word |= 1 << (index % 64);
            if before != 0 {
                break;
            }
            index /= 64;
        }
    }

    #[inline]
    pub(super) fn remove(&mut self, member: usize) {
        let mut index = member;
        for &start in &self.starts[..self.levels] {
            let word = &mut self.words[start + index / 64];
            *word &= !(1 << (index % 64));
            if *word != 0 {
                break;
            }
            index /= 64;
        }
    }

    /// Returns the least member that is not below `from`.
    #[inline]
    pub(super) fn next(&self, from: usize) -> Option<usize> {
        let bits = self.words[from / 64] & (!0 << (from % 64));
        if bits != 0 {
            return Some(from / 64 * 64 + low(bits));
        }
        let mut index = from / 64 + 1;
        for level in 1..self.levels {
            let word = index / 64;
            let bits = self.words[self.starts[level] + word] & (!0 << (index % 64));
            if bits != 0 {
                return Some(self.descend(level, word * 64 + low(bits), low));
            }
            index = word + 1;
        }
        None
    }

    /// Returns the greatest member that is not above `to`.
    #[inline]
    pub(super) fn prev(&self, to: usize) -> Option<usize> {
        let mut index = to;
        for level in 0..self.levels {
            let word = index / 64;
            let bits = self.words[self.starts[level] + word] & (!0 >> (63 - index % 64));
            if bits != 0 {
                return Some(self.descend(level, word * 64 + high(bits), high));
            }
            index = word.checked_sub(1)?;
        }
        None
    }

    /// Follows the lowest or highest bit of each word down from `index` at `level`.
    #[inline]
    fn descend(&self, level: usize, mut index: usize, pick: impl Fn(u64) -> usize) -> usize {
        for &start in self.starts[..level].iter().rev() {
            index = index * 64 + pick(self.words[start + index]);
        }
        index
    }

    /// INV-best_fit.bitmap-1 and INV-best_fit.bitmap-2.
    pub(super) fn is_consistent(&self) -> bool {
        (0..self.levels).all(|level| {
            let end = self.starts[..self.levels].get(level + 1).copied().unwrap_or(self.words.len());
            let (last, words) = self.words[self.starts[level]..end].split_last().unwrap_or((&0, &[]));
            let summary = |i: usize| self.words[self.starts[level + 1] + i / 64] >> (i % 64) & 1 != 0;
            *last == 0 && (level + 1 == self.levels || words.iter().enumerate().all(|(i, w)| (*w != 0) == summary(i)))
        })
    }

    /// Returns where the words are.
    pub(super) fn span(&self) -> Span {
        self.words.span()
    }
}

/// A set of numbers below 4,096.
#[derive(Debug)]
pub(super) struct BinSet {
    top: u64,
    words: [u64; 64],
}

impl BinSet {
    pub(super) const BOUND: u32 = 64 * 64;

    pub(super) const fn new() -> Self {
        Self { top: 0, words: [0; 64] }
    }

    #[inline(always)]
    pub(super) fn insert(&mut self, member: u32) {
        debug_assert!(member < Self::BOUND);
        self.words[(member / 64 % 64) as usize] |= 1 << (member % 64);
        self.top |= 1 << (member / 64 % 64);
    }

    /// Removes `member` if `really`, else nothing, and then `member` may be any number. No branch: whether a ring
    /// empties cannot be predicted.
    #[inline(always)]
    pub(super) fn remove_if(&mut self, really: bool, member: u32) {
        let word = &mut self.words[(member / 64 % 64) as usize];
        *word &= !(u64::from(really) << (member % 64));
        // INV-best_fit.bitmap-1 makes this right for any word.
        self.top &= !(u64::from(*word == 0) << (member / 64 % 64));
    }

    /// Returns the least member that is not below `from`, which is below the bound.
    #[inline(always)]
    pub(super) fn next(&self, from: u32) -> Option<u32> {
        let word = from / 64 % 64;
        let bits = self.words[word as usize] & (!0 << (from % 64));
        if bits != 0 {
            return Some(word * 64 + bits.trailing_zeros());
        }
        let above = self.top & (!1 << word);
        if above == 0 {
            return None;
        }
        let word = above.trailing_zeros() % 64;
        Some(word * 64 + self.words[word as usize].trailing_zeros())
    }

    /// Returns the greatest member.
    #[inline]
    pub(super) fn last(&self) -> Option<u32> {
        let word = self.top.checked_ilog2()?;
        Some(word * 64 + self.words[word as usize].checked_ilog2()?)
    }

    /// INV-best_fit.bitmap-1.
    pub(super) fn is_consistent(&self) -> bool {
        (0..64).all(|i| (self.words[i] != 0) == (self.top >> i & 1 != 0))
    }
}

#[inline(always)]
fn low(bits: u64) -> usize {
    bits.trailing_zeros() as usize
}

#[inline(always)]
fn high(bits: u64) -> usize {
    bits.ilog2() as usize
}
