//! Requests for a place: an end of a free extent, an alignment above the granule, of the absolute address, room to
//! grow, or exactly these granules.
//!
//! An aligned request tries a bounded number of extents that are just long enough, then the shortest that holds an
//! aligned place wherever it begins, and before a refusal all between: a refusal is exact, the placement need not be
//! the best.

use super::{BestFit, End};
use crate::base::extent::Extent;
use crate::base::layout::{align_down, align_up};

/// Extents tried before one is taken that is certain to do.
const TRIES: usize = 8;

impl BestFit {
    /// Takes `len` granules at an absolute address that is a multiple of `align` granules, a power of two, from that
    /// end of a free extent.
    pub(crate) fn take_aligned(&mut self, len: u32, align: u32, end: End) -> Option<u32> {
        self.take_at_multiple(len, align.into(), end)
    }

    /// [`BestFit::take_aligned`] for alignments of any length.
    pub(super) fn take_at_multiple(&mut self, len: u32, align: u64, end: End) -> Option<u32> {
        if align == 1 && end == End::Tail {
            return self.take(len);
        }
        if len == 0 || !align.is_power_of_two() {
            return None;
        }
        let (extent, offset) = self.find(len, align, end)?;
        Some(self.take_from(extent, Extent::new(offset, len)))
    }

    /// Takes `len` aligned granules with at least three quarters as many free ones behind them, for an extent that
    /// grows. The extent before it may grow too: it is left some room.
    pub(crate) fn take_roomy(&mut self, len: u32, align: u32) -> Option<u32> {
        let extent = self.index.least(len.checked_mul(2)?)?.extent;
        let before = if extent.offset == 0 { 0 } else { len.min((extent.len - len) / 4) };
        let offset = self.lowest(extent.from(extent.offset + before), len, align.into())?;
        Some(self.take_from(extent, Extent::new(offset, len)))
    }

    /// Takes `part` of a free extent.
    fn take_from(&mut self, whole: Extent, part: Extent) -> u32 {
        self.carve_at(whole, part);
        self.used_extents += 1;
        part.offset
    }

    /// Returns a free extent with an aligned place, and the place.
    fn find(&self, len: u32, align: u64, end: End) -> Option<(Extent, u32)> {
        // An extent of this length has an aligned place; past the greatest length none is certain to have one.
        let certain = u64::from(len).saturating_add(align - 1).min(u32::MAX.into()) as u32;
        let (mut next, mut tries) = (self.index.least(len), 0);
        while let Some(found) = next {
            let place = match end {
                End::Tail => self.highest(found.extent, len, align),
                End::Front => self.lowest(found.extent, len, align),
            };
            if let Some(offset) = place {
                return Some((found.extent, offset));
            }
            tries += 1;
            let sure = if tries == TRIES { self.index.least(certain) } else { None };
            next = sure.or_else(|| self.index.next(found));
        }
        None
    }

    /// Returns the highest offset in a free extent at which `len` granules fit and are aligned.
    fn highest(&self, extent: Extent, len: u32, align: u64) -> Option<u32> {
        let highest = self.origin + u64::from(extent.end() - len);
        let at = align_down(highest, align)?.checked_sub(self.origin)?;
        u32::try_from(at).ok().filter(|at| *at >= extent.offset)
    }

    /// Returns the lowest offset in a free extent at which `len` granules fit and are aligned.
    fn lowest(&self, extent: Extent, len: u32, align: u64) -> Option<u32> {
        let at = align_up(self.origin + u64::from(extent.offset), align)? - self.origin;
        u32::try_from(at).ok().filter(|at| *at <= extent.end() && len <= extent.end() - *at)
    }

    /// Takes exactly `extent`, if all of it is free.
    pub(crate) fn take_at(&mut self, extent: Extent) -> bool {
        let Some((free, false)) = self.around(extent.offset) else { return false };
        let fits = extent.len != 0 && extent.len <= free.end() - extent.offset;
        if fits {
            self.take_from(free, extent);
        }
        fits
    }
}
