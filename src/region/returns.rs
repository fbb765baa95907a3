//! `Returns`: extents on their way back to the index, many under one hold of the lock.
//!
//! - INV-region.returns-1: one section gives back at most [`MOST`] of them.
//!
//! Synchronised by the region's lock, once a batch. A batch with an extent that guard mode hides goes one by one,
//! through the quarantine.

use crate::base::extent::Extent;

use super::Region;
use super::budget::Budget;

/// Extents given back under one hold of the lock.
const MOST: usize = 60;

/// Extents of one client that collect; given back when there are many, and when this goes, be it by a panic.
pub(crate) struct Returns<'a> {
    region: &'a Region,
    own: &'a Budget,
    extents: [Extent; MOST],
    count: usize,
}

impl Returns<'_> {
    /// Adds a live extent of the client's, which nothing refers to any more. Gives all back if there are many now.
    pub(crate) fn push(&mut self, extent: Extent) {
        self.extents[self.count] = extent;
        self.count += 1;
        if self.count == MOST {
            self.flush_live();
        }
    }

    /// Returns how many have collected.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Drops those that something else has taken, and keeps what `is_kept`.
    pub(crate) fn retain(&mut self, mut is_kept: impl FnMut(Extent) -> bool) {
        let collected = core::mem::take(&mut self.count);
        for at in 0..collected {
            let extent = self.extents[at];
            if is_kept(extent) {
                self.extents[self.count] = extent;
                self.count += 1;
            }
        }
    }

    /// Gives all back; returns how many of them were not live.
    pub(crate) fn flush(&mut self) -> usize {
        let extents = &mut self.extents[..core::mem::take(&mut self.count)];
        if extents.is_empty() {
            return 0;
        }
        if extents.iter().any(|extent| self.region.guards(*extent)) {
            return extents.iter().filter(|extent| self.region.give_back_whole(self.own, **extent).is_err()).count();
        }
        self.region.section(|section| section.give_back_list(self.own, extents))
    }

    fn flush_live(&mut self) {
        let invalid = self.flush();
        debug_assert_eq!(invalid, 0, "a client's extents are live until it gives them back");
    }
}

impl Drop for Returns<'_> {
    fn drop(&mut self) {
        self.flush_live();
    }
}

impl Region {
    /// Returns an empty batch of extents that were charged to `own`.
    pub(crate) fn returns<'a>(&'a self, own: &'a Budget) -> Returns<'a> {
        Returns { region: self, own, extents: [Extent::new(0, 0); MOST], count: 0 }
    }
}
