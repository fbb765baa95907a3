//! `FreeIndex`: the free extents by length and by offset: exact bins for the shorter, a trie for the longer.
//!
//! - INV-best_fit.index-1: a free extent is in the bins ⟺ its length is below [`Bins::BOUND`], else in the trie.
//!
//! Not synchronised. It knows lengths only as its callers tell them; the start bits are the truth.

use super::bins::{Bins, Found};
use super::long::LongExtents;
use crate::base::error::RegionError;
use crate::base::extent::Extent;

/// See the module's header.
#[derive(Debug)]
pub(super) struct FreeIndex {
    pub(super) bins: Bins,
    pub(super) long: LongExtents,
}

/// Returns whether any of the lengths in a bitwise or is long, because the bound is a power of two.
#[inline(always)]
fn is_long(len: u32) -> bool {
    len >= Bins::BOUND
}

impl FreeIndex {
    pub(super) fn new(granules: u32) -> Result<Self, RegionError> {
        Ok(Self { bins: Bins::new(granules)?, long: LongExtents::new(granules)? })
    }

    #[inline(always)]
    pub(super) fn insert(&mut self, extent: Extent) {
        if is_long(extent.len) {
            self.long.insert(extent);
        } else {
            self.bins.insert(extent);
        }
    }

    #[inline(always)]
    pub(super) fn remove(&mut self, extent: Extent) {
        if is_long(extent.len) {
            self.long.remove(extent.offset);
        } else {
            self.bins.remove(extent.offset);
        }
    }

    /// Replaces the free extent `from` by `to`, which is not empty and becomes the newest of its length.
    #[inline(always)]
    pub(super) fn replace(&mut self, from: Extent, to: Extent) {
        if is_long(from.len | to.len) {
            self.replace_long(from, to);
        } else {
            self.bins.replace(from.offset, to);
        }
    }

    #[cold]
    fn replace_long(&mut self, from: Extent, to: Extent) {
        self.remove(from);
        if to.len != 0 {
            self.insert(to);
        }
    }

    /// Shortens what was found to its first `rest` granules, or removes it if that is 0.
    #[inline(always)]
    pub(super) fn cut(&mut self, found: Found, rest: u32) {
        if found.node == 0 {
            self.replace_long(found.extent, Extent::new(found.extent.offset, rest));
        } else {
            self.bins.cut(found, rest);
        }
    }

    /// Returns the newest of the shortest free extents with at least `len` granules.
    #[inline(always)]
    pub(super) fn least(&self, len: u32) -> Option<Found> {
        if !is_long(len)
            && let Some(found) = self.bins.least(len)
        {
            return Some(found);
        }
        if self.long.is_empty() { None } else { self.least_long(len) }
    }

    #[cold]
    fn least_long(&self, len: u32) -> Option<Found> {
        self.long.least(len).map(Found::long)
    }

    /// Returns what follows in the order of length, the newest of equals first.
    #[inline(always)]
    pub(super) fn next(&self, found: Found) -> Option<Found> {
        let older =
            if found.node == 0 { self.long.older(found.extent).map(Found::long) } else { self.bins.older(found) };
        older.or_else(|| self.least(found.extent.len + 1))
    }

    /// Returns the greatest length, 0 when nothing is free.
    pub(super) fn greatest(&self) -> u32 {
        match self.long.greatest() {
            0 => self.bins.greatest(),
            greatest => greatest,
        }
    }
}
