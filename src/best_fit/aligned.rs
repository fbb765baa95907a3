//! Requests for a place: an end of a free extent, an alignment above the granule, of the absolute address, room to
//! grow, or exactly these granules.
//!
//! An aligned request is a search in steps of bounded work. The first tries a few extents that are just long enough,
//! then the shortest that holds an aligned place wherever it begins, then some between. Where more may have a place,
//! the next steps look at the aligned addresses in their order, so the index may change between two of them: a place
//! that stays free is found. The placement need not be the best.

use super::{BestFit, End};
use crate::base::extent::Extent;
use crate::base::layout::{align_down, align_up};

/// Extents tried before one is taken that is certain to do.
const TRIES: usize = 8;
/// Extents looked at in one step.
const LOOK: usize = 60;

/// Outcome of a step of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Search {
    Taken(u32),
    /// No free extent has a place, of those that were free all the time.
    Exhausted,
    /// Goes on at this granule.
    More(u32),
}

impl BestFit {
    /// Takes `len` granules at an absolute address that is a multiple of `align` granules, a power of two, from that
    /// end of a free extent, if one of a few has a place.
    pub(crate) fn take_aligned(&mut self, len: u32, align: u32, end: End) -> Option<u32> {
        if len == 0 {
            return None;
        }
        let (extent, offset) = self.find(len, align.into(), end, TRIES + 1).ok()?;
        Some(self.take_from(extent, Extent::new(offset, len)))
    }

    /// As [`BestFit::take_aligned`], if there is any place, in as many steps as it takes.
    pub(super) fn take_at_multiple(&mut self, len: u32, align: u64, end: End) -> Option<u32> {
        let mut from = None;
        loop {
            match self.search(len, align, end, from) {
                Search::Taken(offset) => return Some(offset),
                Search::Exhausted => return None,
                Search::More(at) => from = Some(at),
            }
        }
    }

    /// One step of [`BestFit::take_aligned`], the first one or the one that goes on at granule `from`.
    pub(crate) fn search(&mut self, len: u32, align: u64, end: End, from: Option<u32>) -> Search {
        if align == 1 && end == End::Tail {
            return self.take(len).map_or(Search::Exhausted, Search::Taken);
        }
        if len == 0 || !align.is_power_of_two() {
            return Search::Exhausted;
        }
        let found = match from {
            None => self.find(len, align, end, LOOK),
            Some(from) => self.find_from(from, len, align, end),
        };
        match found {
            Ok((extent, offset)) => Search::Taken(self.take_from(extent, Extent::new(offset, len))),
            Err(search) => search,
        }
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

    /// Returns a free extent with an aligned place, and the place: one of the `look` shortest, or one that is certain
    /// to have a place.
    fn find(&self, len: u32, align: u64, end: End, look: usize) -> Result<(Extent, u32), Search> {
        // An extent of this length has an aligned place; past the greatest length none is certain to have one.
        let certain = u64::from(len).saturating_add(align - 1).min(u32::MAX.into()) as u32;
        let mut next = self.index.least(len);
        for tries in 1..=look {
            let Some(found) = next else { return Err(Search::Exhausted) };
            if let Some(offset) = self.place(found.extent, len, align, end) {
                return Ok((found.extent, offset));
            }
            let sure = if tries == TRIES { self.index.least(certain) } else { None };
            next = sure.or_else(|| self.index.next(found));
        }
        Err(Search::More(0))
    }

    /// As [`BestFit::find`], the first place at granule `from` or after it.
    fn find_from(&self, from: u32, len: u32, align: u64, end: End) -> Result<(Extent, u32), Search> {
        let mut rest = Extent::new(0, self.granules).from(from);
        for _ in 0..LOOK {
            let at = self.lowest(rest, len, align).ok_or(Search::Exhausted)?;
            let (extent, used) = self.around(at).ok_or(Search::Exhausted)?;
            if !used && len <= extent.end() - at {
                return Ok((extent, self.place(extent, len, align, end).unwrap_or(at)));
            }
            rest = rest.from(extent.end());
        }
        Err(Search::More(rest.offset))
    }

    /// Returns the aligned place that is nearest to `end` of a free extent.
    fn place(&self, extent: Extent, len: u32, align: u64, end: End) -> Option<u32> {
        match end {
            End::Tail => self.highest(extent, len, align),
            End::Front => self.lowest(extent, len, align),
        }
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
