//! Requests with an alignment above the granule, of the absolute address.
//!
//! First a bounded number of extents that are just long enough, then the shortest that holds an aligned place wherever it
//! begins, and before a refusal all between: a refusal is exact, the placement need not be the best.

use super::BestFit;
use crate::base::extent::Extent;
use crate::base::layout::align_down;

/// Extents tried before one is taken that is certain to do.
const TRIES: u32 = 8;

impl BestFit {
    /// Takes `len` granules at an absolute address that is a multiple of `align` granules, a power of two.
    pub(crate) fn take_aligned(&mut self, len: u32, align: u32) -> Option<u32> {
        self.take_at_multiple(len, align.into())
    }

    /// [`BestFit::take_aligned`] for alignments of any length.
    pub(super) fn take_at_multiple(&mut self, len: u32, align: u64) -> Option<u32> {
        if align == 1 {
            return self.take(len);
        }
        if len == 0 || !align.is_power_of_two() {
            return None;
        }
        // An extent of this length has an aligned place; past the greatest length none is certain to have one.
        let certain = u64::from(len).saturating_add(align - 1).min(u32::MAX.into()) as u32;
        let mut found = None;
        let mut tries = 0;
        self.index.ascend(len, certain - 1, |extent| {
            found = self.place(extent, len, align).map(|at| (extent, at));
            tries += 1;
            found.is_none() && tries < TRIES
        });
        if found.is_none() {
            self.index.ascend(certain, u32::MAX, |extent| {
                found = self.place(extent, len, align).map(|at| (extent, at));
                false
            });
        }
        if found.is_none() && tries == TRIES {
            self.index.ascend(len, certain - 1, |extent| {
                found = self.place(extent, len, align).map(|at| (extent, at));
                found.is_none()
            });
        }
        let (extent, at) = found?;
        self.carve_at(extent, at, len);
        Some(at)
    }

    /// The highest offset in a free extent at which `len` granules fit and are aligned.
    fn place(&self, extent: Extent, len: u32, align: u64) -> Option<u32> {
        let highest = self.origin + u64::from(extent.end() - len);
        let at = align_down(highest, align)?.checked_sub(self.origin)?;
        u32::try_from(at).ok().filter(|at| *at >= extent.offset)
    }

    /// Takes exactly `extent`, if all of it is free.
    pub(crate) fn take_at(&mut self, extent: Extent) -> bool {
        let Some((free, false)) = self.around(extent.offset) else { return false };
        let fits = extent.len != 0 && extent.len <= free.end() - extent.offset;
        if fits {
            self.carve_at(free, extent.offset, extent.len);
        }
        fits
    }

    /// Takes `[at, at + len)` out of a free extent; what is left in front and behind stays free.
    fn carve_at(&mut self, extent: Extent, at: u32, len: u32) {
        let end = at + len;
        let front = Extent::new(extent.offset, at - extent.offset);
        let back = Extent::new(end, extent.end() - end);
        self.lines.clear_free(extent.offset);
        self.lines.clear_free(extent.end() - 1);
        self.index.remove(extent);
        self.lines.set_start(at);
        if at != 0 {
            self.lowest = self.lowest.min(at);
        }
        if back.len != 0 {
            self.lines.set_start(end);
            self.lowest = self.lowest.min(end);
        }
        for part in [front, back] {
            if part.len != 0 {
                self.lines.set_free(part.offset);
                self.lines.set_free(part.end() - 1);
                self.index.insert(part);
                self.free_extents += 1;
            }
        }
        self.free_extents -= 1;
        self.used += len;
        self.used_extents += 1;
    }
}
