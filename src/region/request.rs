//! One extent for one request: search, give back what is idle, search again, or refuse.
//!
//! - INV-Q1: a request is refused only if, in the section that refuses, its search failed, and either no emptied cache
//!   could help (usage + n − leased − quarantined > limit), or all depots and quarantines of that limit were seen empty, the
//!   caller holds nothing idle under it, and no ended thread's shard is left. What the system cannot show again stays in
//!   guard mode's quarantine, and does not count.
//!
//! A refusal gives back one magazine, or one chunk's tail, a section, popped and given back inside it, and searches again:
//! memory is never outside both cache and index while the lock is free, and the lock is never held for more than 60
//! blocks. It ends: pressure begins before the first magazine is given back, so nothing new is cached. A request above
//! 1/16 of the limit causes no pressure; it may go on as long as others cache, each round giving back what they cached.

use core::alloc::Layout;

use crate::base::error::AllocError;
use crate::base::extent::Extent;
use crate::base::size_class::GRANULE_BYTES;
use crate::region::budget::Budget;
use crate::sync::yield_now;

use super::quarantine::Way;
use super::{Blocker, Region, Section, ShardSet};

/// What the region is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Granules.
    pub(crate) len: u32,
    /// Alignment of the address, in granules.
    pub(crate) align: u32,
    /// Bytes of it that a reservation has paid to the region.
    pub(crate) drawn: usize,
    /// As the caller asked for it: what an error names.
    pub(crate) layout: Layout,
}

impl Wanted {
    /// `bytes` bytes, at least those of `layout`, for a request of `layout`; none if no region has that much.
    pub(crate) fn new(bytes: usize, layout: Layout) -> Option<Self> {
        let len = u32::try_from(bytes.div_ceil(GRANULE_BYTES)).ok()?;
        let align = u32::try_from(layout.align().div_ceil(GRANULE_BYTES)).ok()?;
        Some(Self { len, align, drawn: 0, layout })
    }

    fn bytes(self) -> usize {
        self.len as usize * GRANULE_BYTES
    }
}

/// How one critical section of a request ended.
enum Step {
    Took(u32),
    /// Something was given back: search again.
    Again,
    /// Some extents are at the operating system: search again when they are back.
    Trimming,
    /// The oldest that guard mode's quarantine has: search again when it has left.
    Leaves(Extent),
    /// Others let such extents leave, or enter: search again.
    Moving,
    Refused(AllocError),
}

/// Gives back one idle thing of the caller's own, in sets other than the first asked too if the flag says so; `false` if
/// there is none.
pub(crate) type GiveBackOwn<'a> = &'a mut dyn FnMut(&mut Section<'_>, bool) -> bool;

impl Section<'_> {
    /// The search failed in this section: gives something back, or refuses. `stuck` extents could not leave the quarantine.
    fn refuse(&mut self, set: &dyn ShardSet, wanted: Wanted, own: GiveBackOwn<'_>, stuck: usize) -> Step {
        if self.is_trimming() {
            return Step::Trimming;
        }
        let (bytes, budget) = (wanted.bytes(), set.budget());
        let blocker = self.blocker(budget, bytes, wanted.drawn);
        let hopeless = self.is_hopeless(budget, bytes, wanted.drawn);
        if !hopeless && blocker != Blocker::Own {
            match self.make_way(stuck) {
                Way::Leaves(oldest) => return Step::Leaves(oldest),
                Way::Wait => return Step::Moving,
                Way::Nothing => {}
            }
        }
        // Pressure begins before the first magazine is given back.
        let pressed = if blocker == Blocker::Own { budget } else { &self.shared.budget };
        pressed.refused(bytes);
        if !hopeless && self.give_back_idle(set, blocker != Blocker::Own, own) {
            return Step::Again;
        }
        Step::Refused(self.error(budget, blocker, wanted.layout.size(), wanted.layout.align()))
    }

    /// Gives back one block that waits in a quarantine, or one thing that is idle where the lock's holder may take it: in
    /// a depot, of other sets too if `others`, or the caller's own, or in the shard of an ended thread. `false` if there
    /// is none.
    fn give_back_idle(&mut self, set: &dyn ShardSet, others: bool, own: GiveBackOwn<'_>) -> bool {
        if self.drain_quarantine(set, others) {
            return true;
        }
        if self.drain_one(set, others) {
            return true;
        }
        if own(self, others) {
            return true;
        }
        self.sweep_one()
    }

    /// Gives back something idle that may help a block to `bytes` more, and says whether there was any, or says what to do
    /// first.
    fn make_room(&mut self, set: &dyn ShardSet, bytes: usize, own: GiveBackOwn<'_>, stuck: usize) -> Result<bool, Way> {
        if self.is_hopeless(set.budget(), bytes, 0) {
            return Ok(false);
        }
        let others = self.blocker(set.budget(), bytes, 0) != Blocker::Own;
        match if others { self.make_way(stuck) } else { Way::Nothing } {
            Way::Nothing => Ok(self.give_back_idle(set, others, own)),
            way => Err(way),
        }
    }

    /// The refusal of a request that no region could serve.
    pub(crate) fn refuse_outright(&self, budget: &Budget, layout: Layout) -> AllocError {
        let blocker = self.blocker(budget, layout.size(), 0);
        self.error(budget, blocker, layout.size(), layout.align())
    }
}

impl Region {
    /// One extent for `wanted`, charged to `set` and the region; `took` runs in the section that took it.
    pub(crate) fn take_or_refuse(
        &self,
        set: &dyn ShardSet,
        wanted: Wanted,
        own: GiveBackOwn<'_>,
        mut took: impl FnMut(&mut Section<'_>, u32),
    ) -> Result<u32, AllocError> {
        let mut stuck = 0;
        loop {
            let step = self.section(|section| {
                match section.take_drawn(set.budget(), wanted.len, wanted.align, wanted.drawn) {
                    Some(granule) => {
                        took(section, granule);
                        Step::Took(granule)
                    }
                    None => section.refuse(set, wanted, own, stuck),
                }
            });
            match step {
                Step::Took(granule) => return Ok(granule),
                Step::Again => {}
                Step::Trimming => self.wait_for_trim(),
                Step::Leaves(oldest) => stuck += usize::from(!self.let_leave(oldest)),
                Step::Moving => yield_now(),
                Step::Refused(error) => return Err(error),
            }
        }
    }

    /// `bytes` more could not be had beside a block that cannot move: gives back one idle thing that may be its neighbour.
    /// `false` if there is none, or none would do.
    pub(crate) fn make_room_beside(&self, set: &dyn ShardSet, bytes: usize, own: GiveBackOwn<'_>) -> bool {
        let mut stuck = 0;
        loop {
            let step = self.section(|section| section.make_room(set, bytes, own, stuck));
            match step {
                Ok(given) => return given,
                Err(Way::Nothing) => return false,
                Err(Way::Wait) => yield_now(),
                Err(Way::Leaves(oldest)) if self.let_leave(oldest) => return true,
                Err(Way::Leaves(_)) => stuck += 1,
            }
        }
    }
}
