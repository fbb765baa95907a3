//! One request, from the fast path to the refusal.
//!
//! - INV-Q1: a request is refused only if, in the section that refuses, its search failed, and either no emptied cache
//!   could help (usage + n − leased > limit), or all depots of that limit were seen empty, the caller holds no magazine,
//!   and no ended thread's shard is left.
//!
//! A refusal gives back one magazine a section, popped and given back inside it, and searches again: memory is never
//! outside both depot and index while the lock is free, and the lock is never held for more than 60 blocks. It ends:
//! pressure begins before the first magazine is given back, so nothing new is pushed.

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::error::{AllocError, FreeError};
use crate::extent::Extent;
use crate::region::{Blocker, RegionReservation, Section};
use crate::size_class::{Class, GRANULE_BYTES};
use crate::sync::mutant;

use super::inner::{Body, Core, extent};
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
        if section.drain_quarantine(self, blocker != Blocker::Own) {
            return Step::Again;
        }
        // Pressure begins before the first magazine is given back.
        let pressed = if blocker == Blocker::Own { &self.budget } else { self.region.budget() };
        pressed.refused(bytes);
        let hopeless = self.budget.is_hopeless(bytes) || self.region.budget().is_hopeless(bytes - drawn);
        if !hopeless && self.give_back_idle(section, own, blocker != Blocker::Own) {
            return Step::Again;
        }
        Step::Refused(section.error(&self.budget, blocker, layout.size(), layout.align()))
    }

    /// Gives back one magazine that is idle where the lock's holder may take it: in a depot, of other heaps too if
    /// `others`, in the caller's shard, in that of an ended thread. `false` if there is none.
    fn give_back_idle(&self, section: &mut Section<'_>, own: Option<(&Body, &Shard)>, others: bool) -> bool {
        let others = others && !mutant!("rule.refusal.own-depot-only");
        if !mutant!("rule.refusal.drain-outside") && section.drain_one(self, others) {
            return true;
        }
        if let Some((body, shard)) = own
            && let Some(node) = shard.take_any(&body.depot.nodes)
        {
            let lease = self.empty_node(body, section, node);
            self.end_node(body, node, lease);
            return true;
        }
        !mutant!("rule.refusal.dead-shards-skipped") && section.sweep_one()
    }

    /// `bytes` more could not be had beside a block that cannot move: gives back one idle block or magazine that may be
    /// its neighbour. `false` if there is none, or none would do.
    pub(super) fn make_room_beside(&self, shard: &Shard, bytes: usize) -> bool {
        let own = self.made().filter(|_| !shard.is_none()).map(|body| (body, shard));
        self.region.section(|section| {
            let others = section.blocker(&self.budget, bytes, 0) != Blocker::Own;
            let hopeless = self.budget.is_hopeless(bytes) || self.region.budget().is_hopeless(bytes);
            section.drain_quarantine(self, others) || (!hopeless && self.give_back_idle(section, own, others))
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
        let Some(wanted) = self.wanted(layout) else { return Err(AllocError::invalid(layout.size(), layout.align())) };
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

    // ---- free -----------------------------------------------------------------------------------------------------

    /// Takes back the block at `ptr`, whose layout's size is not zero.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn free_in(&self, shard: &Shard, ptr: NonNull<u8>, layout: Layout) {
        if let Some(class) = Class::of(layout, self.longest)
            && shard.push(class, self.granule(ptr))
        {
            if cfg!(feature = "stats") {
                shard.count_free(layout.size());
            }
            return;
        }
        self.free_cold(shard, ptr, layout);
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn free_cold(&self, shard: &Shard, ptr: NonNull<u8>, layout: Layout) {
        if self.keep_cold(shard, ptr, layout) {
            return;
        }
        let freed = self.give_back(ptr, layout);
        match freed {
            Ok(()) => self.count_free(shard, layout.size()),
            Err(error) if self.quarantine.is_some() => {
                panic!("{error}: free of {} bytes (alignment {}) at {ptr:p}", layout.size(), layout.align())
            }
            Err(_) => self.count_invalid(),
        }
    }

    /// Keeps the block in a magazine if one may be had; `false` if the caller has to give it back.
    pub(super) fn keep_cold(&self, shard: &Shard, ptr: NonNull<u8>, layout: Layout) -> bool {
        let body = self.body();
        let shard = if shard.is_none() { self.try_adopt() } else { shard };
        let (Some(body), Some(class)) = (body.filter(|_| !shard.is_none()), Class::of(layout, self.longest)) else {
            return false;
        };
        let granule = self.granule(ptr);
        let kept = shard.push(class, granule) || self.keep(body, shard, class, granule);
        if kept {
            self.count_free(shard, layout.size());
        }
        kept
    }

    /// Checks that `ptr` is an address of this region and gives its granule.
    fn checked_granule(&self, ptr: NonNull<u8>) -> Result<u32, FreeError> {
        let offset = self.region.offset_of(ptr.as_ptr()).ok_or(FreeError::OutOfRegion)?;
        if offset % GRANULE_BYTES != 0 {
            return Err(FreeError::Interior);
        }
        Ok(self.granule(ptr))
    }

    /// Gives the block straight back to the index, or into the quarantine of a checked heap.
    pub(crate) fn give_back(&self, ptr: NonNull<u8>, layout: Layout) -> Result<(), FreeError> {
        let granule = self.checked_granule(ptr)?;
        let len = u32::try_from(self.usable(layout) / GRANULE_BYTES).map_err(|_| FreeError::WrongLayout)?;
        let block = extent(granule, len);
        if let Some(byte) = self.region.wipe() {
            // Only what the index says is one live block of this length may be written to.
            self.region.section(|section| self.check_live(section, block))?;
            self.fill_block(ptr, len as usize * GRANULE_BYTES, byte);
        }
        self.region.section(|section| {
            let Some(quarantine) = &self.quarantine else { return section.give_back(&self.budget, block) };
            self.check_live(section, block)?;
            match quarantine.push(section, block) {
                None => Ok(()),
                Some(oldest) => section.give_back(&self.budget, oldest),
            }
        })
    }

    /// Whether `block` is live, has that length, and does not wait in the quarantine.
    fn check_live(&self, section: &Section<'_>, block: Extent) -> Result<(), FreeError> {
        if self.quarantine.as_ref().is_some_and(|quarantine| quarantine.contains(section, block.offset)) {
            return Err(FreeError::NotLive);
        }
        if section.len_of(block.offset)? == block.len { Ok(()) } else { Err(FreeError::WrongLayout) }
    }

    // ---- many blocks ----------------------------------------------------------------------------------------------

    /// Puts the block into the loaded magazine if it has room.
    #[inline]
    pub(super) fn push_in(&self, shard: &Shard, ptr: NonNull<u8>, layout: Layout) -> bool {
        let pushed = Class::of(layout, self.longest).is_some_and(|class| shard.push(class, self.granule(ptr)));
        if pushed {
            self.count_free(shard, layout.size());
        }
        pushed
    }

    /// The block's extent, if it may go back to the index together with others, unchecked and unfilled.
    pub(super) fn plain_block(&self, ptr: NonNull<u8>, layout: Layout) -> Option<Extent> {
        if self.quarantine.is_some() || self.region.wipe().is_some() {
            return None;
        }
        let len = u32::try_from(self.usable(layout) / GRANULE_BYTES).ok()?;
        Some(extent(self.checked_granule(ptr).ok()?, len))
    }

    /// Gives `blocks`, `bytes` in all as they were asked for, back to the index in one section.
    pub(super) fn give_back_list(&self, shard: &Shard, blocks: &mut [Extent], bytes: usize) {
        if blocks.is_empty() {
            return;
        }
        let invalid = self.region.section(|section| section.give_back_list(&self.budget, blocks));
        (0..invalid).for_each(|_| self.count_invalid());
        self.count_free(shard, bytes);
    }

    // ---- flush ----------------------------------------------------------------------------------------------------

    /// Gives back the calling thread's magazines, the depot, the quarantine, and what ended threads have left.
    pub(super) fn flush(&self) {
        if !self.is_used() {
            return;
        }
        if let Some(body) = self.made() {
            let shard = self.shard();
            if !shard.is_none() {
                shard.enter();
                self.close_all(body, shard);
            }
        }
        self.flush_shared();
    }

    /// The part of [`Core::flush`] that needs no shard.
    pub(super) fn flush_shared(&self) {
        while self.region.section(|section| section.drain_quarantine(self, false) || section.drain_one(self, false)) {}
        self.region.section(|_locked| self.budget.nudge());
        self.region.sweep();
    }
}
