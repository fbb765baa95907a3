//! Grow and shrink: in place where the class or the neighbours allow it.
#![expect(unsafe_code, reason = "copies the bytes of a block that had to move; wipes what is cut off")]

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::base::error::AllocError;
use crate::base::extent::Extent;
use crate::base::size_class::{Class, GRANULE_BYTES};
use crate::region::{Asked, Section};

use super::inner::Inner;
use super::shard::Shard;

/// Where a block that has grown lies.
enum Grown {
    /// Where it was.
    InPlace,
    /// In this extent, which begins before it and may be longer than it needs.
    Down(Extent),
    /// At this granule; the old block is still there.
    Elsewhere(u32),
}

impl Inner {
    /// Whether a block at `ptr` with `old` serves `new` as it is, or once its tail is cut off.
    fn fits_in_place(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> bool {
        self.usable(new) <= self.usable(old) && ptr.addr().get().is_multiple_of(new.align())
    }

    /// A block of `new.size()` bytes that begins with the bytes of the old one.
    ///
    /// # Safety
    /// `ptr` is a live block of this heap, allocated with `old`; both sizes are above zero.
    #[track_caller]
    pub(super) unsafe fn resize(
        &self,
        shard: &Shard,
        ptr: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        self.check_resized(ptr, old);
        let resized = if self.fits_in_place(ptr, old, new) && self.cut(ptr, old, new) {
            // Derived anew: the caller's pointer may reach no further than the old length.
            Some(self.address(self.granule(ptr)))
        } else if new.size() > old.size() && Class::of(new, self.longest).is_none() {
            // SAFETY: the caller's contract.
            unsafe { self.stretch(ptr, old, new) }
        } else {
            None
        };
        if let Some(ptr) = resized {
            self.count_alloc(shard, new.size());
            self.count_free(shard, old.size());
            return Ok(ptr);
        }
        let moved = match self.alloc_in(shard, new) {
            Ok(moved) => moved,
            // SAFETY: the caller's contract.
            Err(error) => return unsafe { self.stretch_beside_idle(shard, ptr, old, new) }.ok_or(error),
        };
        // SAFETY: the old block is live and as long as `old`, the new one is fresh and as long as `new`.
        unsafe { core::ptr::copy_nonoverlapping(ptr.as_ptr(), moved.as_ptr(), old.size().min(new.size())) };
        self.free_on(shard, ptr, old);
        Ok(moved)
    }

    /// A checked heap reports a wrong block at the call, as [`Heap::free`](crate::Heap::free) does.
    #[track_caller]
    fn check_resized(&self, ptr: NonNull<u8>, old: Layout) {
        if self.quarantine.is_some()
            && let Err(error) = self.check_block(ptr, old)
        {
            self.report(error, "grow or shrink", ptr, old);
        }
    }

    /// Gives back the tail that `new` does not need; `false` if the index does not know the block.
    fn cut(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> bool {
        let (have, keep) = (self.usable(old), self.usable(new));
        if have == keep {
            return true;
        }
        let (Ok(len), Ok(rest)) = (u32::try_from(have / GRANULE_BYTES), u32::try_from(keep / GRANULE_BYTES)) else {
            return false;
        };
        let granule = self.granule(ptr);
        if self.region.wipe().is_some() {
            // Only what the index says is one live block of this length may be written to.
            if self.region.section(|section| section.len_of(granule)) != Ok(len) {
                return false;
            }
            self.wipe_block(Extent::new(granule, len).from(granule + rest));
        }
        self.region.section(|section| section.split(&self.budget, Extent::new(granule, len), rest)).is_ok()
    }

    /// The block cannot move: gives back idle memory, which may be its neighbour, until it can be lengthened in place.
    ///
    /// # Safety
    /// As for [`Inner::resize`].
    #[cold]
    unsafe fn stretch_beside_idle(
        &self,
        shard: &Shard,
        ptr: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Option<NonNull<u8>> {
        let more = self.usable(new).checked_sub(self.usable(old))?;
        // Nothing that is given back makes its address more aligned.
        let is_aligned = ptr.addr().get().is_multiple_of(new.align());
        if !is_aligned || Class::of(new, self.longest).is_some() || new.size() > self.region.capacity() {
            return None;
        }
        let mut asked = Asked::default();
        loop {
            // The refusal may have given something back already.
            // SAFETY: the caller's contract.
            if let Some(stretched) = unsafe { self.stretch(ptr, old, new) } {
                self.count_alloc(shard, new.size());
                self.count_free(shard, old.size());
                return Some(stretched);
            }
            if !self.make_room_beside(shard, more, &mut asked) {
                return None;
            }
        }
    }

    /// Lengthens a large block without a refusal: into what is free behind it; else to a place with as much room behind
    /// it, so that a block which grows again and again seldom moves; else into what is free before it too.
    ///
    /// # Safety
    /// As for [`Inner::resize`].
    unsafe fn stretch(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>> {
        let have = u32::try_from(self.usable(old) / GRANULE_BYTES).ok()?;
        let len = self.wanted_for(new)?.len;
        let block = Extent::new(self.granule(ptr), have);
        let grown = self.region.section(|section| self.grow(section, block, len, new.align()))?;
        match grown {
            Grown::InPlace => Some(self.address(block.offset)),
            Grown::Down(longer) => {
                let start = self.address(longer.offset);
                // SAFETY: both ranges lie in the lengthened block, which is the caller's alone; they may overlap.
                unsafe { core::ptr::copy(ptr.as_ptr(), start.as_ptr(), old.size()) };
                if longer.len > len {
                    self.wipe_block(longer.from(longer.offset + len));
                    let split = self.region.section(|section| section.split(&self.budget, longer, len));
                    debug_assert!(split.is_ok(), "the lengthened block is live");
                }
                Some(start)
            }
            Grown::Elsewhere(granule) => {
                let moved = self.address(granule);
                // SAFETY: the old block is live and as long as `old`, the new one is fresh and longer.
                unsafe { core::ptr::copy_nonoverlapping(ptr.as_ptr(), moved.as_ptr(), old.size()) };
                let given_back = self.give_back(ptr, old);
                if given_back.is_err() {
                    self.count_invalid();
                }
                Some(moved)
            }
        }
    }

    /// Takes what `block` needs to become `len` granules long, at an address of `align` bytes.
    fn grow(&self, section: &mut Section<'_>, block: Extent, len: u32, align: usize) -> Option<Grown> {
        let own = &self.budget;
        let more = len.checked_sub(block.len)?;
        // What the index does not know is left to the free that reports it.
        section.len_of(block.offset).ok().filter(|len| *len == block.len)?;
        if self.address(block.offset).addr().get().is_multiple_of(align) && section.extend(own, block, more).ok()? {
            return Some(Grown::InPlace);
        }
        let (left, right) = section.free_beside(block);
        // Down is of use only where every granule is aligned enough.
        let joined = if align <= GRANULE_BYTES { left.saturating_add(block.len).saturating_add(right) } else { 0 };
        let down = |section: &mut Section<'_>, left: u32| {
            let right = more.saturating_sub(left);
            let extended = section.extend_both(own, block, left, right).ok()?;
            extended.then(|| Grown::Down(Extent::new(block.offset - left, left + block.len + right)))
        };
        if joined / 2 >= len
            && let Some(grown) = down(section, left.min(len))
        {
            return Some(grown);
        }
        let granules = u32::try_from(align.div_ceil(GRANULE_BYTES)).ok()?;
        if let Some(granule) = section.take_roomy(own, len, granules) {
            return Some(Grown::Elsewhere(granule));
        }
        if joined >= len { down(section, more - right.min(more)) } else { None }
    }

    /// Fills a live block that its holder gives back, or the tail of one, if the region asks for that.
    pub(super) fn wipe_block(&self, block: Extent) {
        // SAFETY: the index says that these granules are a live block's, and its holder is giving them back.
        unsafe { self.region.wipe_extent(block) };
    }
}
