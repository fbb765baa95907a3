//! The short ways of a request: served in one section, refused in one section, or refused without the lock.
//!
//! A refusal here rests on the thread's last look (`published.rs`). Without a look that holds, the request goes on in
//! `request.rs`, which may give idle memory back.
//!
//! Synchronised by the region's lock, except [`Region::refuse_unlocked`], which reads published words.

use crate::base::error::AllocError;
use crate::base::layout::align_down;
use crate::base::size_class::GRANULE_BYTES;
use crate::best_fit::Search;
use crate::memory::span::prefetch;

use super::{Blocker, Region, Section, ShardSet, Shared, Wanted};

/// The idle memory of the calling thread in the set that is asked.
pub(crate) trait OwnIdle {
    /// Returns the address of the holder of that memory, or 0 without a holder. No other holder takes this address
    /// while the thread lives. Returns `None` if there is no such address; the thread then remembers no look.
    fn holder(&self) -> Option<usize>;
    /// Returns whether the holder has blocks to give back before the search.
    fn is_pending(&self) -> bool {
        false
    }
    /// Gives these blocks back.
    fn give_back_pending(&mut self, _section: &mut Section<'_>) {}
    /// Gives back some of the rest. Returns `false` if there is none.
    fn give_back(&mut self, section: &mut Section<'_>) -> bool;
}

/// A holder's address, and a closure that gives back some of its idle memory.
pub(crate) struct Idle<F>(pub(crate) Option<usize>, pub(crate) F);

impl<F: FnMut(&mut Section<'_>) -> bool> OwnIdle for Idle<F> {
    fn holder(&self) -> Option<usize> {
        self.0
    }
    fn give_back(&mut self, section: &mut Section<'_>) -> bool {
        (self.1)(section)
    }
}

/// The address by which a look names a set.
pub(super) fn set_address(set: &dyn ShardSet) -> usize {
    core::ptr::from_ref(set).addr()
}

impl Shared {
    /// Notes a refusal under pressure, with `usage` bytes in use, if the last look of `holder`'s thread still holds.
    /// Called after the caller saw that there is no room.
    #[inline]
    fn refuse_after(
        &self,
        holder: usize,
        set: &dyn ShardSet,
        blocker: Blocker,
        bytes: usize,
        usage: usize,
    ) -> Option<()> {
        let is_own = blocker == Blocker::Own;
        let (pressed, scope) = if is_own { (set.budget(), set_address(set)) } else { (&self.budget, 0) };
        let refused = pressed.pressed() && self.published.still_holds(holder, scope);
        refused.then(|| pressed.note_refusal(bytes, usage))
    }
}

impl Section<'_> {
    /// Gives pending blocks back and takes an extent, or refuses if the thread's last look still holds. Returns `None`
    /// if neither is possible in this section.
    #[inline]
    pub(super) fn take_at_once(
        &mut self,
        set: &dyn ShardSet,
        wanted: Wanted,
        own: &mut dyn OwnIdle,
        took: &mut impl FnMut(&mut Section<'_>, u32),
    ) -> Option<Result<u32, AllocError>> {
        own.give_back_pending(self);
        let budget = set.budget();
        match self.take_drawn(budget, wanted, None) {
            Search::Taken(granule) => {
                // The caller fills it next.
                prefetch(self.shared.memory.granule(granule).as_ptr());
                took(self, granule);
                Some(Ok(granule))
            }
            Search::Exhausted if !self.is_trimming() => {
                let blocker = self.blocker(budget, wanted.bytes(), wanted.drawn);
                let usage = if blocker == Blocker::Own { budget.usage() } else { self.shared.budget.usage() };
                self.shared.refuse_after(own.holder()?, set, blocker, wanted.bytes(), usage)?;
                Some(Err(self.error(Some(set), blocker, wanted.layout.size(), wanted.layout.align())))
            }
            Search::Exhausted | Search::More(_) => None,
        }
    }
}

impl Region {
    /// Returns whether there were a place of `wanted`'s alignment if all of the region were free. What is longer than
    /// the region is left to the limit.
    pub(super) fn has_place(&self, wanted: Wanted) -> bool {
        if wanted.align <= 1 {
            return true;
        }
        let granules = (self.capacity() / GRANULE_BYTES) as u64;
        let Some(room) = granules.checked_sub(wanted.len.into()) else { return true };
        let lowest = (self.base().addr().get() / GRANULE_BYTES) as u64;
        align_down(lowest + room, wanted.align.into()).is_none_or(|highest| highest >= lowest)
    }

    /// Returns the refusal of a request under pressure if no free extent is long enough and the last look of `holder`'s
    /// thread holds: see `published.rs`.
    pub(super) fn refuse_unlocked(&self, set: &dyn ShardSet, wanted: Wanted, holder: usize) -> Option<AllocError> {
        let shared = &*self.shared;
        let (bytes, longest) = (wanted.bytes(), shared.published.longest());
        let figures = (shared.budget.usage(), shared.budget.limit());
        // A request that a limit refuses needs figures of one section.
        let by_limit = bytes > set.budget().room() || bytes - wanted.drawn > figures.1.saturating_sub(figures.0);
        if longest >= wanted.len || by_limit {
            return None;
        }
        shared.refuse_after(holder, set, Blocker::Fragmentation, bytes, figures.0)?;
        let (largest_free, asked_for) =
            (longest as usize * GRANULE_BYTES, (wanted.layout.size(), wanted.layout.align()));
        Some(shared.refusal(Some(set), Blocker::Fragmentation, figures, largest_free, asked_for))
    }
}
