//! One block, or many, on the way back: the loaded magazine, another one, the quarantine, or straight to the index.

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::base::error::FreeError;
use crate::base::extent::Extent;
use crate::base::size_class::{Class, GRANULE_BYTES};
use crate::region::shards::OwnedShard;
use crate::region::{Returns, Section};

use super::inner::Inner;
use super::pocket;
use super::shard::Shard;

impl Inner {
    // ---- free -----------------------------------------------------------------------------------------------------

    /// Takes back the block at `ptr`, whose layout's size is not zero.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn free_on(&self, shard: &Shard, ptr: NonNull<u8>, layout: Layout) {
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
        if self.cache_slow(shard, ptr, layout, true) {
            return;
        }
        let freed = self.give_back(ptr, layout);
        match freed {
            Ok(()) => self.count_free(shard, layout.size()),
            Err(error) if self.quarantine.is_some() => self.report(error, "free", ptr, layout),
            Err(_) => self.count_invalid(),
        }
    }

    /// Keeps the block in a magazine if one may be had, or, if `in_pocket`, in the pocket; `false` if the caller has to
    /// give it back.
    pub(super) fn cache_slow(&self, shard: &Shard, ptr: NonNull<u8>, layout: Layout, in_pocket: bool) -> bool {
        let caches = self.caches();
        let shard = if shard.is_none() { self.try_adopt() } else { shard };
        let (Some(caches), Some(class)) = (caches.filter(|_| !shard.is_none()), Class::of(layout, self.longest)) else {
            return false;
        };
        let granule = self.granule(ptr);
        let kept = shard.push(class, granule) || self.keep(caches, shard, class, granule, in_pocket);
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

    /// Gives the block straight back to the index, or into the quarantine of a checked heap, or of its region in guard
    /// mode.
    pub(crate) fn give_back(&self, ptr: NonNull<u8>, layout: Layout) -> Result<(), FreeError> {
        let granule = self.checked_granule(ptr)?;
        let len = u32::try_from(self.usable(layout) / GRANULE_BYTES).map_err(|_| FreeError::WrongLayout)?;
        let block = Extent::new(granule, len);
        if self.region.wipe().is_some() {
            // Only what the index says is one live block of this length may be written to.
            self.region.section(|section| self.check_live(section, block))?;
            self.wipe_block(block);
        }
        if self.region.guards(block) {
            return self.region.give_back_whole(&self.budget, block);
        }
        self.region.section(|section| {
            let Some(quarantine) = &self.quarantine else { return section.give_back(&self.budget, block) };
            self.check_live(section, block)?;
            if let Some(oldest) = quarantine.push(section, block)
                && section.give_back(&self.budget, oldest).is_err()
            {
                // The fault is an earlier call's, not this one's.
                self.count_invalid();
            }
            Ok(())
        })
    }

    /// Panics over a wrong free, grow or shrink: with what is wrong, and what was asked for.
    #[cold]
    #[inline(never)]
    #[track_caller]
    pub(super) fn report(&self, error: FreeError, what: &str, ptr: NonNull<u8>, layout: Layout) -> ! {
        let there = self.usable_size(ptr).ok().filter(|_| error == FreeError::WrongLayout);
        let there = there.map_or_else(String::new, |bytes| format!(", where the block has {bytes} bytes"));
        panic!("{error}: {what} of {} bytes (alignment {}) at {ptr:p}{there}", layout.size(), layout.align())
    }

    /// Bytes of the live block that begins at `ptr`. Takes the lock.
    pub(super) fn usable_size(&self, ptr: NonNull<u8>) -> Result<usize, FreeError> {
        let granule = self.checked_granule(ptr)?;
        let len = self.region.section(|section| self.live_len(section, granule))?;
        Ok(len as usize * GRANULE_BYTES)
    }

    /// Whether a live block for `layout` begins at `ptr`. Takes the lock.
    pub(super) fn check_block(&self, ptr: NonNull<u8>, layout: Layout) -> Result<(), FreeError> {
        let granule = self.checked_granule(ptr)?;
        let len = u32::try_from(self.usable(layout) / GRANULE_BYTES).map_err(|_| FreeError::WrongLayout)?;
        self.region.section(|section| self.check_live(section, Extent::new(granule, len)))
    }

    /// Granules of the live block that begins at `offset`, and does not wait in the quarantine.
    fn live_len(&self, section: &Section<'_>, offset: u32) -> Result<u32, FreeError> {
        if self.quarantine.as_ref().is_some_and(|quarantine| quarantine.contains(section, offset)) {
            return Err(FreeError::NotLive);
        }
        section.len_of(offset)
    }

    /// Whether `block` is live, has that length, and does not wait in the quarantine.
    fn check_live(&self, section: &Section<'_>, block: Extent) -> Result<(), FreeError> {
        if self.live_len(section, block.offset)? == block.len { Ok(()) } else { Err(FreeError::WrongLayout) }
    }

    // ---- many blocks ----------------------------------------------------------------------------------------------

    /// Puts the block into the loaded magazine if it has room.
    #[inline]
    pub(super) fn cache_fast(&self, shard: &Shard, ptr: NonNull<u8>, layout: Layout) -> bool {
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
        Some(Extent::new(self.checked_granule(ptr).ok()?, len)).filter(|block| !self.region.guards(*block))
    }

    // ---- flush ----------------------------------------------------------------------------------------------------

    /// Gives back the calling thread's magazines, the depot, the quarantine, and what ended threads have left.
    pub(super) fn flush(&self) {
        if !self.is_used() {
            return;
        }
        if let Some(caches) = self.made() {
            let shard = self.shard();
            if !shard.is_none() {
                shard.enter();
                self.close_all(caches, shard);
            }
        }
        self.flush_shared();
    }

    /// The part of [`Inner::flush`] that needs no shard.
    pub(super) fn flush_shared(&self) {
        while self.region.section(|section| section.drain_quarantine(self, false) || section.drain_one(self, false)) {}
        self.region.section(|_locked| self.budget.nudge());
        self.region.sweep();
    }
}

/// Blocks of a batch given back under one hold of the lock.
const SECTION: usize = 32;

/// Blocks on their way back together: those that no magazine takes return to the region many at a time, the last of
/// them when the batch goes, even if the caller's iterator panicked.
pub(super) struct Batch<'a> {
    inner: &'a Inner,
    shard: &'a Shard,
    returns: Returns<'a>,
    /// What the waiting blocks have as they were asked for.
    bytes: usize,
}

impl<'a> Batch<'a> {
    pub(super) fn new(inner: &'a Inner, shard: &'a Shard) -> Self {
        Self { inner, shard, returns: inner.region.returns(&inner.budget), bytes: 0 }
    }

    /// Takes back the block at `ptr`, whose layout's size is not zero.
    pub(super) fn free(&mut self, ptr: NonNull<u8>, layout: Layout) {
        let Self { inner, shard, .. } = *self;
        if inner.cache_fast(shard, ptr, layout) || inner.cache_slow(shard, ptr, layout, false) {
            return;
        }
        let Some(block) = inner.plain_block(ptr, layout) else { return inner.free_on(shard, ptr, layout) };
        self.returns.push(block);
        self.bytes += layout.size();
        if self.returns.len() == SECTION {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        let invalid = self.returns.flush();
        (0..invalid).for_each(|_| self.inner.count_invalid());
        self.inner.count_free(self.shard, core::mem::take(&mut self.bytes));
    }
}

impl Drop for Batch<'_> {
    /// A few blocks go into the pocket, if there is one: the next request may want them.
    fn drop(&mut self) {
        if self.returns.len() <= pocket::MOST as usize / 2 {
            let Self { inner, shard, .. } = *self;
            self.returns.retain(|block| !inner.keep_under_pressure(shard, block));
        }
        self.give_back();
    }
}
