//! `Section`: what may be done while the region's lock is held.
//!
//! Whoever has a `&mut Section` holds the lock; extents, usages, peaks, limits, pressure and shard owners change only
//! through one. Nothing here calls the system, allocates, or runs a caller's code. The list of clients is in `sets.rs`.

use crate::base::error::{AllocError, AllocErrorKind, FreeError};
use crate::base::extent::Extent;
use crate::base::size_class::GRANULE_BYTES;
use crate::best_fit::{End, Search};

use super::budget::Budget;
use super::{ShardSet, Shared, State, Wanted};

/// The region's critical section: whoever has one holds the lock.
pub(crate) struct Section<'a> {
    pub(super) shared: &'a Shared,
    pub(super) state: &'a mut State,
    /// Whether what is given back now is idle memory that a request takes before it is refused: that ends no pressure,
    /// which keeps others from caching meanwhile.
    pub(super) refusing: bool,
}

/// What stands in the way of a request that was not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blocker {
    /// The heap's or arena's own limit.
    Own,
    /// The region's limit.
    Region,
    /// No free extent is long enough.
    Fragmentation,
    /// The region has no address of that alignment, or none with room behind it.
    Alignment,
}

impl Shared {
    /// Returns the refusal of a request for `requested` bytes at `align`, with usage and limit of the blocking limit.
    pub(super) fn refusal(
        &self,
        set: Option<&dyn ShardSet>,
        blocker: Blocker,
        (usage, limit): (usize, usize),
        largest_free: usize,
        (requested, align): (usize, usize),
    ) -> AllocError {
        let limit_owner = match set {
            Some(set) if blocker == Blocker::Own => set.limit_owner(),
            _ => self.limit_owner(),
        };
        let kind = match blocker {
            Blocker::Own | Blocker::Region => AllocErrorKind::LimitReached,
            Blocker::Fragmentation => AllocErrorKind::Fragmented,
            Blocker::Alignment => AllocErrorKind::Unplaceable,
        };
        AllocError { requested, align, usage, limit, largest_free, kind, limit_owner }
    }
}

impl Section<'_> {
    /// Takes an extent of `len` granules and charges it to `own` and the region; `drawn` bytes of it were charged to a
    /// reservation before. What is longer than the blocks of every class is placed at the front of what is free, and
    /// can grow; short extents at its tail, so that they stay apart.
    ///
    /// A step of a search: the first one, or the one that goes on at granule `from`.
    pub(crate) fn take_drawn(&mut self, own: &Budget, wanted: Wanted, from: Option<u32>) -> Search {
        let Wanted { len, align, at_tail, drawn, .. } = wanted;
        let bytes = len as usize * GRANULE_BYTES;
        let drawn = drawn.min(bytes);
        if bytes > own.room() || bytes - drawn > self.shared.budget.room() {
            return Search::Exhausted;
        }
        let end = if at_tail || bytes <= self.shared.longest_short { End::Tail } else { End::Front };
        let found = if align == 1 && end == End::Tail && self.shared.guard_page.is_none() {
            self.state.index.take(len).map_or(Search::Exhausted, Search::Taken)
        } else {
            let on_page = if from.is_none() { self.find_on_page(len, align, end) } else { None };
            on_page.map_or_else(|| self.state.index.search(len, align.into(), end, from), Search::Taken)
        };
        if let Search::Taken(_) = found {
            own.charge(bytes);
            self.shared.budget.charge(bytes - drawn);
            self.state.reserved -= drawn;
        }
        found
    }

    /// In guard mode, takes an extent out of the index on pages that no extent before it lies on, if that is no more
    /// than a step.
    fn find_on_page(&mut self, len: u32, align: u32, end: End) -> Option<u32> {
        let on_page = self.page_align(len, align);
        if on_page == align { None } else { self.state.index.take_aligned(len, on_page, end) }
    }

    /// Returns the alignment of an extent of `len` granules that needs `align`, in guard mode where it can be had.
    fn page_align(&self, len: u32, align: u32) -> u32 {
        self.shared.guard_page.filter(|page| *page <= len).map_or(align, |page| align.max(page))
    }

    /// Takes an extent of `len` granules and charges it to `own` and the region. At the tail, for it never grows.
    pub(crate) fn take_fixed(&mut self, own: &Budget, len: u32) -> Option<u32> {
        if !self.has_room(own, len) {
            return None;
        }
        let offset = self.find_on_page(len, 1, End::Tail).or_else(|| self.state.index.take(len))?;
        self.charge(own, len);
        Some(offset)
    }

    /// Takes an extent of `len` granules with as much room again, for a block that grows and has none where it is.
    pub(crate) fn take_roomy(&mut self, own: &Budget, len: u32, align: u32) -> Option<u32> {
        if !self.has_room(own, len) {
            return None;
        }
        let offset = self.state.index.take_roomy(len, self.page_align(len, align))?;
        self.charge(own, len);
        Some(offset)
    }

    /// Takes up to `count` extents of `len` granules, as many as fit; gives how many.
    pub(crate) fn take_run(
        &mut self,
        own: &Budget,
        len: u32,
        align: u32,
        count: usize,
        mut sink: impl FnMut(u32),
    ) -> usize {
        let bytes = len as usize * GRANULE_BYTES;
        let count = count.min(own.room() / bytes).min(self.shared.budget.room() / bytes);
        let taken = self.state.index.take_run(len, align, count, &mut sink);
        if taken > 0 {
            own.charge(taken * bytes);
            self.shared.budget.charge(taken * bytes);
        }
        taken
    }

    /// Gives a live extent back and refunds it.
    pub(crate) fn give_back(&mut self, own: &Budget, extent: Extent) -> Result<(), FreeError> {
        self.check_handed_out(extent.offset)?;
        self.state.index.give_back(extent)?;
        self.refund(own, extent.len);
        Ok(())
    }

    /// Gives back those of `extents` that are live, neighbours as one; says how many were not. None of them is so long
    /// that guard mode makes it unreadable, so that what is quarantined has another length.
    pub(crate) fn give_back_list(&mut self, own: &Budget, extents: &mut [Extent]) -> usize {
        if self.state.trimming.is_some() {
            return extents.iter().filter(|extent| self.give_back(own, **extent).is_err()).count();
        }
        let used = self.state.index.used();
        let invalid = self.state.index.give_back_all(extents);
        self.refund(own, used - self.state.index.used());
        invalid
    }

    fn refund(&mut self, own: &Budget, granules: u32) {
        let bytes = granules as usize * GRANULE_BYTES;
        own.refund(bytes);
        self.shared.budget.refund(bytes);
        if !self.refusing {
            own.relieve();
            self.shared.budget.relieve();
        }
    }

    /// Keeps the first `keep` granules of a live extent, frees the rest.
    pub(crate) fn split(&mut self, own: &Budget, extent: Extent, keep: u32) -> Result<(), FreeError> {
        self.check_handed_out(extent.offset)?;
        self.state.index.split(extent, keep)?;
        self.refund(own, extent.len - keep);
        Ok(())
    }

    /// Frees the first `cut` granules of a live extent, which has more.
    pub(crate) fn cut_front(&mut self, own: &Budget, extent: Extent, cut: u32) -> Result<(), FreeError> {
        self.check_handed_out(extent.offset)?;
        self.state.index.cut_front(extent, cut)?;
        self.refund(own, cut);
        Ok(())
    }

    /// Longest extent that `own`, the region and the index could give now, in granules.
    pub(crate) fn most(&self, own: &Budget) -> u32 {
        let room = own.room().min(self.shared.budget.room()) / GRANULE_BYTES;
        u32::try_from(room).unwrap_or(u32::MAX).min(self.state.index.largest_free())
    }

    /// Lengthens a live extent by `more` granules without moving its start, if they are free and within the limits.
    pub(crate) fn extend(&mut self, own: &Budget, extent: Extent, more: u32) -> Result<bool, FreeError> {
        self.check_handed_out(extent.offset)?;
        let extended = self.has_room(own, more) && self.state.index.extend(extent, more)?;
        if extended {
            self.charge(own, more);
        }
        Ok(extended)
    }

    /// Lengthens a live extent by `left` granules below it and `right` granules behind it, or not at all.
    pub(crate) fn extend_both(
        &mut self,
        own: &Budget,
        extent: Extent,
        left: u32,
        right: u32,
    ) -> Result<bool, FreeError> {
        self.check_handed_out(extent.offset)?;
        if !self.has_room(own, left.saturating_add(right)) || self.state.index.free_left(extent.offset) < left {
            return Ok(false);
        }
        if right > 0 && !self.state.index.extend(extent, right)? {
            return Ok(false);
        }
        let longer = Extent::new(extent.offset, extent.len + right);
        let extended = left == 0 || self.state.index.extend_left(longer, left)?;
        debug_assert!(extended, "the left neighbour was free and long enough in this section");
        self.charge(own, left + right);
        Ok(true)
    }

    /// Returns the free granules before and behind a live extent.
    pub(crate) fn free_beside(&self, extent: Extent) -> (u32, u32) {
        (self.state.index.free_left(extent.offset), self.state.index.free_right(extent))
    }

    fn has_room(&self, own: &Budget, granules: u32) -> bool {
        granules as usize * GRANULE_BYTES <= own.room().min(self.shared.budget.room())
    }

    fn charge(&mut self, own: &Budget, granules: u32) {
        let bytes = granules as usize * GRANULE_BYTES;
        own.charge(bytes);
        self.shared.budget.charge(bytes);
    }

    /// Length of the live extent at `offset`, in granules.
    pub(crate) fn len_of(&self, offset: u32) -> Result<u32, FreeError> {
        self.check_handed_out(offset)?;
        self.state.index.len_of(offset)
    }

    /// A trimming extent, and one in guard mode's quarantine, is used in the index, but nobody's block.
    fn check_handed_out(&self, offset: u32) -> Result<(), FreeError> {
        match self.state.trimming {
            Some(turn) if (turn.offset..turn.end()).contains(&offset) => Err(FreeError::NotLive),
            _ if self.is_quarantined(offset) => Err(FreeError::NotLive),
            _ => Ok(()),
        }
    }

    /// Whether some extents are neither charged nor free for a moment: a refusal has to wait for them.
    pub(crate) fn is_trimming(&self) -> bool {
        self.state.trimming.is_some()
    }

    /// What keeps `bytes` more bytes from being granted, `drawn` of which a reservation has paid to the region.
    pub(crate) fn blocker(&self, own: &Budget, bytes: usize, drawn: usize) -> Blocker {
        if bytes > own.room() {
            Blocker::Own
        } else if bytes - drawn > self.shared.budget.room() {
            Blocker::Region
        } else {
            Blocker::Fragmentation
        }
    }

    /// The figures of a refusal by `set` or, if there is none, by the region, all of this critical section.
    pub(crate) fn error(
        &self,
        set: Option<&dyn ShardSet>,
        blocker: Blocker,
        requested: usize,
        align: usize,
    ) -> AllocError {
        let budget = match set {
            Some(set) if blocker == Blocker::Own => set.budget(),
            _ => &self.shared.budget,
        };
        let largest_free = self.state.index.largest_free() as usize * GRANULE_BYTES;
        self.shared.refusal(set, blocker, (budget.usage(), budget.limit()), largest_free, (requested, align))
    }

    /// Charges what the index may need under the limit and is not charged yet, as far as there is room: a few bytes may
    /// be missing, of a limit that is not a multiple of a granule and its node. Returns what is charged then.
    pub(super) fn charge_index(&mut self) -> usize {
        let budget = &self.shared.budget;
        let needed = self.shared.tables.worst_bytes(budget.limit(), GRANULE_BYTES);
        let more = needed.saturating_sub(self.state.index_charged).min(budget.room());
        budget.charge_beside(more);
        self.state.index_charged += more;
        self.state.index_charged
    }

    /// A block begins to wait in a quarantine.
    pub(crate) fn begin_wait(&mut self, extent: Extent) {
        self.state.waiting += extent.len;
        self.shared.published.raise_idled();
    }

    /// A block waits no more.
    pub(crate) fn end_wait(&mut self, extent: Extent) {
        self.state.waiting -= extent.len;
    }

    /// Whether neither emptied caches nor emptied quarantines could make room for `bytes`, `drawn` of which are charged
    /// to the region already.
    pub(crate) fn is_hopeless(&self, own: &Budget, bytes: usize, drawn: usize) -> bool {
        let waiting = self.state.waiting as usize * GRANULE_BYTES;
        own.is_hopeless(bytes, waiting) || self.is_hopeless_in_region(bytes - drawn)
    }

    /// Whether nothing of that could make room for `bytes` under the region's limit.
    pub(super) fn is_hopeless_in_region(&self, bytes: usize) -> bool {
        let waiting = self.state.waiting as usize * GRANULE_BYTES;
        self.shared.budget.is_hopeless(bytes, waiting + self.quarantined())
    }
}
