//! `Section`: what may be done while the region's lock is held.
//!
//! Whoever has a `&mut Section` holds the lock; extents, usages, peaks, limits, pressure and shard owners change only
//! through one. Nothing here calls the system, allocates, or runs a caller's code. The list of clients is in `sets.rs`.

use crate::base::error::{AllocError, AllocErrorKind, FreeError};
use crate::base::extent::Extent;
use crate::base::size_class::GRANULE_BYTES;

use super::budget::Budget;
use super::{Shared, State};

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

impl Section<'_> {
    /// Takes an extent of `len` granules and charges it to `own` and the region; `drawn` bytes of it were charged to a
    /// reservation before.
    pub(crate) fn take_drawn(&mut self, own: &Budget, len: u32, align: u32, drawn: usize) -> Option<u32> {
        let bytes = len as usize * GRANULE_BYTES;
        let drawn = drawn.min(bytes);
        if bytes > own.room() || bytes - drawn > self.shared.budget.room() {
            return None;
        }
        let offset = self.find(len, align)?;
        own.charge(bytes);
        self.shared.budget.charge(bytes - drawn);
        self.state.reserved -= drawn;
        Some(offset)
    }

    /// Takes an extent out of the index; in guard mode, where it can be, on pages that no extent before it lies on.
    fn find(&mut self, len: u32, align: u32) -> Option<u32> {
        let index = &mut self.state.index;
        let page = self.shared.guard_page.filter(|page| align < *page && *page <= len);
        let on_page = page.and_then(|page| index.take_aligned(len, page));
        on_page.or_else(|| if align <= 1 { index.take(len) } else { index.take_aligned(len, align) })
    }

    /// Takes an extent of `len` granules and charges it to `own` and the region.
    pub(crate) fn take(&mut self, own: &Budget, len: u32, align: u32) -> Option<u32> {
        self.take_drawn(own, len, align, 0)
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

    /// Free granules behind a live extent.
    pub(crate) fn free_right(&self, extent: Extent) -> u32 {
        self.state.index.free_right(extent)
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

    /// The refusal's figures, all of this critical section.
    pub(crate) fn error(&self, own: &Budget, blocker: Blocker, requested: usize, align: usize) -> AllocError {
        let budget = if blocker == Blocker::Own { own } else { &self.shared.budget };
        let kind = match blocker {
            Blocker::Own | Blocker::Region => AllocErrorKind::LimitReached,
            Blocker::Fragmentation => AllocErrorKind::Fragmented,
            Blocker::Alignment => AllocErrorKind::Unplaceable,
        };
        let largest_free = self.state.index.largest_free() as usize * GRANULE_BYTES;
        AllocError { requested, align, usage: budget.usage(), limit: budget.limit(), largest_free, kind }
    }

    /// Charges what the index may need under the limit and is not charged yet, as far as there is room: a few bytes may
    /// be missing, of a limit that is not a multiple of a granule and its node. Returns what is charged then.
    pub(super) fn charge_index(&mut self) -> usize {
        let budget = &self.shared.budget;
        let needed = self.shared.tables.worst_bytes(budget.limit(), GRANULE_BYTES);
        let more = needed.saturating_sub(self.state.index_charged).min(budget.room());
        budget.charge(more);
        self.state.index_charged += more;
        self.state.index_charged
    }

    /// A block begins to wait in a quarantine.
    pub(crate) fn begin_wait(&mut self, extent: Extent) {
        self.state.waiting += extent.len;
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
