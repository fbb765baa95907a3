//! What most requests come to: served in one section, refused in one, or refused without the lock.
//!
//! A refusal here rests on the thread's last look (`published.rs`); without one that holds, the request goes the long
//! way, which may give something back (`request.rs`).
//!
//! Synchronised by the region's lock, but for [`Region::refuse_unlocked`], which reads what is published.

use crate::base::error::AllocError;
use crate::base::layout::align_down;
use crate::base::size_class::GRANULE_BYTES;
use crate::best_fit::Search;
use crate::memory::span::prefetch;

use super::{Blocker, Region, Section, ShardSet, Shared, Wanted};

/// What the calling thread holds idle in the set that is asked.
pub(crate) trait OwnIdle {
    /// The address of what holds it, where nothing else comes as long as the thread lives; 0: nothing holds any. None
    /// if there is no such address: the thread then remembers no look.
    fn holder(&self) -> Option<usize>;
    /// Whether something is to be given back before the search.
    fn is_pending(&self) -> bool {
        false
    }
    /// Gives back what is pending.
    fn give_back_pending(&mut self, _section: &mut Section<'_>) {}
    /// Gives back one thing; `false` if there is none.
    fn give_back(&mut self, section: &mut Section<'_>) -> bool;
}

/// A holder's address, and a closure that gives back what is idle there.
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
    /// Notes a refusal under pressure, with so many bytes in use, if the last look of `holder`'s thread still holds now
    /// that there is no room.
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
    /// What most requests come to: gives back what is pending, and takes an extent in the same section, or is refused
    /// after a look that still holds. None if more must be done.
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

    /// The refusal under pressure of a request of `holder`'s thread, if no free extent is long enough and its last look
    /// holds: see `published.rs`.
    pub(super) fn refuse_unlocked(&self, set: &dyn ShardSet, wanted: Wanted, holder: usize) -> Option<AllocError> {
        let shared = &*self.shared;
        let (bytes, longest) = (wanted.bytes(), shared.published.longest());
        let figures = (shared.budget.usage(), shared.budget.limit());
        // What a limit would refuse too is left to the section that reads all figures at once.
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
