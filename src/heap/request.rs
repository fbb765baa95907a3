//! One request, from the fast path to the refusal.
//!
//! - INV-Q1: a request is refused only if, in the section that refuses, its search failed, and either no emptied cache
//!   could help (usage + n − leased > limit), or all depots of that limit were seen empty, the caller holds no magazine
//!   under it, and no ended thread's shard is left.
//!
//! A refusal gives back one magazine a section, popped and given back inside it, and searches again: memory is never
//! outside both depot and index while the lock is free, and the lock is never held for more than 60 blocks. It ends:
//! pressure begins before the first magazine is given back, so nothing new is pushed. A request above 1/16 of the limit
//! causes no pressure; it may go on as long as others push, each round giving back what they pushed.

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::error::AllocError;
use crate::region::{Blocker, RegionReservation, Section};
use crate::size_class::{Class, GRANULE_BYTES};
use crate::sync::mutant;

use super::inner::{Body, Core};
use super::shard::Shard;

/// What the region is asked for, in granules.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) len: u32,
    pub(super) align: u32,
}

/// How one critical section of a request ended.
enum Step {
    Took(u32),
    /// Something was given back: search again.
    Again,
    /// Some extents are at the operating system: search again when they are back.
    Trimming,
    Refused(AllocError),
}

impl Core {
    /// Bytes usable in a block for `layout`: its class's, or the size rounded up to the granule.
    #[inline]
    pub(super) fn usable(&self, layout: Layout) -> usize {
        match Class::of(layout, self.longest) {
            Some(class) => class.bytes(),
            None => layout.size().next_multiple_of(GRANULE_BYTES),
        }
    }

    /// What a block for `layout` takes from the region; none if no region has that much.
    pub(super) fn wanted(&self, layout: Layout) -> Option<Wanted> {
        if layout.size() > self.region.capacity() {
            return None;
        }
        let len = u32::try_from(self.usable(layout) / GRANULE_BYTES).ok()?;
        let align = u32::try_from(layout.align().div_ceil(GRANULE_BYTES)).ok()?;
        Some(Wanted { len, align })
    }

    // ---- alloc ----------------------------------------------------------------------------------------------------

    /// A block for `layout`, whose size is not zero.
    #[inline(always)]
    pub(crate) fn alloc_in(&self, shard: &Shard, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if let Some(class) = Class::of(layout, self.longest)
            && let Some(granule) = shard.pop(class)
        {
            // A shard that something was popped from is a real one.
            if cfg!(feature = "stats") {
                shard.count_alloc(layout.size());
            }
            return Ok(self.address(granule));
        }
        self.alloc_cold(shard, layout)
    }

    #[cold]
    #[inline(never)]
    fn alloc_cold(&self, shard: &Shard, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let body = self.body();
        let shard = if shard.is_none() { self.try_adopt() } else { shard };
        let own = body.filter(|_| !shard.is_none()).map(|body| (body, shard));
        let cached = match (Class::of(layout, self.longest), own) {
            (Some(class), Some((body, shard))) => shard.pop(class).or_else(|| self.refill(body, shard, class)),
            _ => None,
        };
        let granule = match cached {
            Some(granule) => granule,
            None => self.take_or_refuse(own, layout)?,
        };
        self.count_alloc(shard, layout.size());
        Ok(self.address(granule))
    }

    /// One extent for `layout`, straight from the region.
    pub(crate) fn take_or_refuse(&self, own: Option<(&Body, &Shard)>, layout: Layout) -> Result<u32, AllocError> {
        let refused = |section: &Section<'_>| {
            let blocker = section.blocker(&self.budget, layout.size(), 0);
            section.error(&self.budget, blocker, layout.size(), layout.align())
        };
        let Some(wanted) = self.wanted(layout) else {
            return Err(self.region.section(|section| refused(section)));
        };
        loop {
            // An early pop, outside the section that gives back, is what the rule forbids: two refused requests would
            // miss what is in each other's hands.
            let popped = if mutant!("rule.refusal.drain-outside") {
                own.and_then(|(body, _)| body.depot.pop_any())
            } else {
                None
            };
            let step = self.region.section(|section| {
                if let (Some(node), Some((body, _))) = (popped, own) {
                    let lease = self.empty_node(body, section, node);
                    self.end_node(body, node, lease);
                }
                match section.take(&self.budget, wanted.len, wanted.align) {
                    Some(granule) => Step::Took(granule),
                    None if popped.is_some() => Step::Again,
                    None => self.refuse(section, own, wanted, 0, layout),
                }
            });
            match step {
                Step::Took(granule) => return Ok(granule),
                Step::Again => {}
                Step::Trimming => self.region.wait_for_trim(),
                Step::Refused(error) => return Err(error),
            }
        }
    }

    /// The search failed in this section, though `drawn` of its bytes were charged before: gives something back, or
    /// refuses.
    fn refuse(
        &self,
        section: &mut Section<'_>,
        own: Option<(&Body, &Shard)>,
        wanted: Wanted,
        drawn: usize,
        layout: Layout,
    ) -> Step {
        if section.is_trimming() && !mutant!("rule.trim.refused-beside") {
            return Step::Trimming;
        }
        let bytes = wanted.len as usize * GRANULE_BYTES;
        let blocker = section.blocker(&self.budget, bytes, drawn);
        // Pressure begins before the first magazine is given back.
        let pressed = if blocker == Blocker::Own { &self.budget } else { self.region.budget() };
        pressed.refused(bytes);
        if !section.is_hopeless(&self.budget, bytes, drawn)
            && self.give_back_idle(section, own, blocker != Blocker::Own)
        {
            return Step::Again;
        }
        Step::Refused(section.error(&self.budget, blocker, layout.size(), layout.align()))
    }

    /// Gives back one block that waits in a quarantine, or one magazine that is idle where the lock's holder may take it: in a depot or the caller's shard, of
    /// other heaps too if `others`, or in the shard of an ended thread. `false` if there is none.
    fn give_back_idle(&self, section: &mut Section<'_>, own: Option<(&Body, &Shard)>, others: bool) -> bool {
        let others = others && !mutant!("rule.refusal.own-depot-only");
        if section.drain_quarantine(self, others) {
            return true;
        }
        if !mutant!("rule.refusal.drain-outside") && section.drain_one(self, others) {
            return true;
        }
        if let Some((body, shard)) = own {
            if let Some(node) = shard.take_any(&body.depot.nodes) {
                let lease = self.empty_node(body, section, node);
                self.end_node(body, node, lease);
                return true;
            }
            if others && body.owner_of(shard).is_some_and(|owner| section.drain_owned(owner.bits())) {
                return true;
            }
        }
        !mutant!("rule.refusal.dead-shards-skipped") && section.sweep_one()
    }

    /// `bytes` more could not be had beside a block that cannot move: gives back one idle block or magazine that may be
    /// its neighbour. `false` if there is none, or none would do.
    pub(super) fn make_room_beside(&self, shard: &Shard, bytes: usize) -> bool {
        let own = self.made().filter(|_| !shard.is_none()).map(|body| (body, shard));
        self.region.section(|section| {
            let others = section.blocker(&self.budget, bytes, 0) != Blocker::Own;
            !section.is_hopeless(&self.budget, bytes, 0) && self.give_back_idle(section, own, others)
        })
    }

    /// One extent for `layout` out of a reservation.
    pub(super) fn take_reserved(
        &self,
        reservation: &mut RegionReservation,
        layout: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        let body = self.body();
        let shard = self.shard();
        let own = body.filter(|_| !shard.is_none()).map(|body| (body, shard));
        let Some(wanted) = self.wanted(layout) else {
            return self.take_or_refuse(own, layout).map(|at| self.address(at));
        };
        let bytes = wanted.len as usize * GRANULE_BYTES;
        let drawn = reservation.remaining().min(bytes);
        loop {
            let step = self.region.section(|section| {
                match section.take_drawn(&self.budget, wanted.len, wanted.align, drawn) {
                    Some(granule) => Step::Took(granule),
                    None => self.refuse(section, own, wanted, drawn, layout),
                }
            });
            match step {
                Step::Took(granule) => {
                    reservation.drew(drawn);
                    self.count_alloc(Shard::none(), layout.size());
                    return Ok(self.address(granule));
                }
                Step::Again => {}
                Step::Trimming => self.region.wait_for_trim(),
                Step::Refused(error) => return Err(error),
            }
        }
    }
}
