//! `FreeIndex`: the free extents by length and by offset: exact bins for the shorter, the ordered structure above.
//!
//! - INV-I1: a free extent is in the bins ⟺ its length is below [`Bins::BOUND`], else in the long ones.
//!
//! Not synchronised. It knows lengths only as its callers tell them; the start bits are the truth.

use super::bins::{Bins, NodeId};
use super::long::LongExtents;
use crate::base::error::RegionError;
use crate::base::extent::Extent;

/// See the module's header.
#[derive(Debug)]
pub(super) struct FreeIndex {
    pub(super) bins: Bins,
    pub(super) long: LongExtents,
}

/// A free extent that was found, and where the index keeps it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) extent: Extent,
    /// 0 for a long one.
    node: NodeId,
}

/// Of several lengths at once: whether one is long, for the bound is a power of two.
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
            self.long.insert(extent.offset, extent.len);
        } else {
            self.bins.insert(extent.offset, extent.len);
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

    /// Gives a free extent another length.
    #[inline(always)]
    pub(super) fn resize(&mut self, extent: Extent, len: u32) {
        if is_long(extent.len | len) {
            self.replace(extent, Extent::new(extent.offset, len));
        } else {
            self.bins.resize(extent.offset, len);
        }
    }

    /// Gives a free extent another beginning and length.
    #[inline(always)]
    pub(super) fn shift(&mut self, from: Extent, to: Extent) {
        if is_long(from.len | to.len) {
            self.replace(from, to);
        } else {
            self.bins.shift(from.offset, to.offset, to.len);
        }
    }

    #[cold]
    fn replace(&mut self, from: Extent, to: Extent) {
        self.remove(from);
        self.insert(to);
    }

    /// The newest of the shortest free extents with at least `len` granules.
    #[inline(always)]
    pub(super) fn least(&self, len: u32) -> Option<Found> {
        if !is_long(len)
            && let Some(found) = self.bins.least(len)
        {
            let node = self.bins.newest(found);
            return Some(Found { extent: Extent::new(self.bins.offset(node), found), node });
        }
        self.least_long(len)
    }

    #[cold]
    fn least_long(&self, len: u32) -> Option<Found> {
        if self.long.is_empty() {
            return None;
        }
        match self.long.least(len) {
            0 => None,
            slot => Some(Found { extent: Extent::new(self.long.offset(slot), self.long.len(slot)), node: 0 }),
        }
    }

    /// Shortens what was found to its first `rest` granules; 0 forgets it.
    #[inline(always)]
    pub(super) fn cut(&mut self, found: Found, rest: u32) {
        if found.node == 0 {
            self.cut_long(found.extent, rest);
        } else if rest == 0 {
            self.bins.remove(found.extent.offset);
        } else {
            self.bins.resize_node(found.node, rest);
        }
    }

    #[cold]
    fn cut_long(&mut self, extent: Extent, rest: u32) {
        self.long.remove(extent.offset);
        if rest != 0 {
            self.insert(Extent::new(extent.offset, rest));
        }
    }

    /// Visits the free extents with `shortest` to `longest` granules, the shortest first, until `visit` says false.
    pub(super) fn ascend(&self, shortest: u32, longest: u32, mut visit: impl FnMut(Extent) -> bool) {
        let mut from = shortest;
        while let Some(len) = if is_long(from) { None } else { self.bins.least(from) } {
            if len > longest {
                return;
            }
            let mut node = self.bins.newest(len);
            while node != 0 {
                if !visit(Extent::new(self.bins.offset(node), len)) {
                    return;
                }
                node = self.bins.older(node, len);
            }
            from = len + 1;
        }
        loop {
            let mut slot = self.long.least(from);
            if slot == 0 || self.long.len(slot) > longest {
                return;
            }
            from = self.long.len(slot) + 1;
            while slot != 0 {
                if !visit(Extent::new(self.long.offset(slot), self.long.len(slot))) {
                    return;
                }
                slot = self.long.older(slot);
            }
        }
    }

    /// The greatest length; 0 when nothing is free.
    pub(super) fn greatest(&self) -> u32 {
        match self.long.greatest() {
            0 => self.bins.greatest().unwrap_or(0),
            greatest => greatest,
        }
    }
}
