//! Requests for a place: an alignment above the granule, of the absolute address, or exactly these granules.
//!
//! An aligned request tries a bounded number of extents that are just long enough, then the shortest that holds an
//! aligned place wherever it begins, and before a refusal all between: a refusal is exact, the placement need not be
//! the best.

use super::BestFit;
use crate::base::extent::Extent;
use crate::base::layout::align_down;

/// Extents tried before one is taken that is certain to do.
const TRIES: usize = 8;

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
        let (extent, offset) = self.find(len, align)?;
        self.carve_at(extent, Extent::new(offset, len));
        self.used_extents += 1;
        Some(offset)
    }

    /// Returns a free extent with an aligned place, and the place.
    fn find(&self, len: u32, align: u64) -> Option<(Extent, u32)> {
        // An extent of this length has an aligned place; past the greatest length none is certain to have one.
        let certain = u64::from(len).saturating_add(align - 1).min(u32::MAX.into()) as u32;
        let (mut next, mut tries) = (self.index.least(len), 0);
        while let Some(found) = next {
            if let Some(offset) = self.place(found.extent, len, align) {
                return Some((found.extent, offset));
            }
            tries += 1;
            let sure = if tries == TRIES { self.index.least(certain) } else { None };
            next = sure.or_else(|| self.index.next(found));
        }
        None
    }

    /// Returns the highest offset in a free extent at which `len` granules fit and are aligned.
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
            self.carve_at(free, extent);
            self.used_extents += 1;
        }
        fits
    }
}
