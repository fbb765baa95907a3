//! Blocks that have an extent each: those too long for a chunk, and all that are made under pressure.
//!
//! Such an extent goes back to the region when its block is freed, whichever thread does that, and its end when the
//! block shrinks. A block's address does not tell whether it is alone: the region knows, under the lock, whether an
//! extent begins there, and the extent's node whether it is a chunk. A block is not looked up where none of about its
//! length is alone, so without pressure only long ones take the lock.
//!
//! - INV-arena.alone-1: an extent that is taken off its list is nobody's but the thread's that took it off, until it is
//!   given back or put on the list again.
//!
//! Synchronised by the region's lock. An extent's node is written and filled outside it, for its page may not have been
//! touched; so an extent is taken in one section and put on the list in another.
#![expect(unsafe_code, reason = "wipes what is given back")]

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::base::error::AllocError;
use crate::base::extent::Extent;
use crate::base::size_class::GRANULE_BYTES;
use crate::region::{OwnIdle, Section, Wanted};

use super::extents::{List, NODE_BYTES};
use super::inner::Body;

/// A block that was lengthened, and the bytes of its extents now and before.
pub(super) struct Grown {
    pub(super) block: NonNull<u8>,
    pub(super) taken: usize,
    pub(super) given: usize,
}

/// Bytes of `extent`.
pub(super) fn bytes(extent: Extent) -> usize {
    extent.len as usize * GRANULE_BYTES
}

impl Body {
    /// A block for `layout` in an extent of its own.
    pub(super) fn alloc_alone(&self, layout: Layout, own: &mut dyn OwnIdle) -> Result<NonNull<u8>, AllocError> {
        let extent = self.take_alone(layout, own)?;
        self.region.section(|_locked| self.alone.link(self.memory, extent.end()));
        Ok(self.memory.granule(extent.offset))
    }

    /// An extent for `layout` alone, with its node, on no list yet.
    pub(super) fn take_alone(&self, layout: Layout, own: &mut dyn OwnIdle) -> Result<Extent, AllocError> {
        let wanted = layout.size().checked_add(NODE_BYTES).and_then(|bytes| Wanted::new(bytes, layout));
        let Some(wanted) = wanted.filter(|_| layout.size() <= self.region.capacity()) else {
            return Err(self.region.section(|section| section.refuse_outright(self, layout)));
        };
        // Beside the chunks: after a reset the block may come from one, which then finds its pages warm. It moves to
        // where there is room when it first grows.
        let wanted = Wanted { at_tail: true, ..wanted };
        let granule = self.region.take_or_refuse(self, wanted, own, |_, _| {})?;
        let extent = Extent::new(granule, wanted.len);
        self.memory.write_alone(extent);
        Ok(extent)
    }

    /// Frees the block at `ptr`, of `size` bytes, if it is alone; `false` if it is not.
    ///
    /// # Safety
    /// It is a block of the arena, but not of a scratch stack, and not used any more.
    #[inline]
    pub(super) unsafe fn free_alone(&self, ptr: NonNull<u8>, size: usize) -> bool {
        // SAFETY: this function's contract.
        self.alone.may_have(size) && unsafe { self.free_listed(&self.alone, ptr, size) } > 0
    }

    /// Frees the block at `ptr`, of `size` bytes, if it is alone and on `list`; returns the bytes given back.
    ///
    /// # Safety
    /// It is a block of the user of `list`, and not used any more.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn free_listed(&self, list: &List, ptr: NonNull<u8>, size: usize) -> usize {
        let at_once = self.region.keeps_freed();
        let taken = self.region.section(|section| {
            let extent = self.take_off(section, list, ptr)?;
            let given = at_once && section.give_back(&self.budget, extent).is_ok();
            Some((extent, given))
        });
        let Some((extent, given)) = taken else { return 0 };
        if !given {
            // SAFETY: the extent is the caller's alone (INV-arena.alone-1), and its block was filled.
            unsafe { self.wipe_from(extent, size) };
            let given = self.region.give_back_whole(&self.budget, extent);
            debug_assert!(given.is_ok(), "INV-arena.alone-1");
        }
        bytes(extent)
    }

    /// Gives back the end of the extent of the block at `ptr`, if it is alone; `false` if it is not.
    ///
    /// # Safety
    /// It is a block of the arena, but not of a scratch stack, of `old` bytes, of which only the first `new` are used
    /// any more.
    #[inline]
    pub(super) unsafe fn shrink_alone(&self, ptr: NonNull<u8>, old: usize, new: usize) -> bool {
        // SAFETY: this function's contract.
        self.alone.may_have(old) && unsafe { self.shrink_listed(&self.alone, ptr, new) }.is_some()
    }

    /// As [`Body::shrink_alone`], of a block on `list`, to whose front it comes; returns the bytes given back, or
    /// `None` if it is not alone.
    ///
    /// # Safety
    /// It is a block of the user of `list`, of which only the first `new` bytes are used any more.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn shrink_listed(&self, list: &List, ptr: NonNull<u8>, new: usize) -> Option<usize> {
        let extent = self.region.section(|section| self.take_off(section, list, ptr))?;
        let granules = u32::try_from((new + NODE_BYTES).div_ceil(GRANULE_BYTES));
        let kept = Extent::new(extent.offset, granules.unwrap_or(u32::MAX).min(extent.len));
        // SAFETY: all of the extent but the block's first bytes is nobody's (INV-arena.alone-1).
        unsafe { self.wipe_from(extent, new) };
        self.memory.write_alone(kept);
        self.region.section(|section| {
            if kept.len < extent.len {
                let cut = section.split(&self.budget, extent, kept.len);
                debug_assert!(cut.is_ok(), "INV-arena.alone-1");
            }
            list.link(self.memory, kept.end());
        });
        Some(bytes(extent) - bytes(kept))
    }

    /// Lengthens the block at `ptr` to `new` bytes, if it is alone: where it is, or to a place with room to grow.
    ///
    /// # Safety
    /// It is a block of the arena, but not of a scratch stack, of `old` bytes, fewer than `new`.
    #[inline]
    pub(super) unsafe fn grow_alone(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>> {
        let may = self.alone.may_have(old.size());
        // SAFETY: this function's contract.
        if may { unsafe { self.grow_listed(&self.alone, ptr, old, new) }.map(|grown| grown.block) } else { None }
    }

    /// As [`Body::grow_alone`], of a block on `list`, to whose front it comes.
    ///
    /// # Safety
    /// It is a block of the user of `list`, of `old` bytes, fewer than `new`.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn grow_listed(&self, list: &List, ptr: NonNull<u8>, old: Layout, new: Layout) -> Option<Grown> {
        let wanted = new.size().checked_add(NODE_BYTES).and_then(|bytes| Wanted::new(bytes, new))?;
        let (was, is) = self.region.section(|section| {
            let was = self.extent_of(section, ptr)?;
            let more = wanted.len.saturating_sub(was.len);
            let stays = ptr.addr().get().is_multiple_of(new.align())
                && section.extend(&self.budget, was, more).is_ok_and(|extended| extended);
            let is = if stays {
                Extent::new(was.offset, was.len + more)
            } else {
                Extent::new(section.take_roomy(&self.budget, wanted.len, wanted.align)?, wanted.len)
            };
            list.unlink(self.memory, was.end());
            Some((was, is))
        })?;
        self.memory.write_alone(is);
        let block = self.memory.granule(is.offset);
        if is.offset != was.offset {
            // SAFETY: the old block is live and as long as `old`, the new one is fresh and longer.
            unsafe { core::ptr::copy_nonoverlapping(ptr.as_ptr(), block.as_ptr(), old.size()) };
            // SAFETY: the bytes have moved, and the old extent is on no list (INV-arena.alone-1).
            unsafe { self.region.wipe_extent(was) };
            let given = self.region.give_back_whole(&self.budget, was);
            debug_assert!(given.is_ok(), "INV-arena.alone-1");
        }
        self.region.section(|_locked| list.link(self.memory, is.end()));
        Some(Grown { block, taken: bytes(is), given: bytes(was) })
    }

    /// Takes the extent of the block at `ptr` off `list`, if the block is alone.
    fn take_off(&self, section: &Section<'_>, list: &List, ptr: NonNull<u8>) -> Option<Extent> {
        let extent = self.extent_of(section, ptr)?;
        list.unlink(self.memory, extent.end());
        Some(extent)
    }

    /// Returns the extent of the block at `ptr`, if the block is alone.
    fn extent_of(&self, section: &Section<'_>, ptr: NonNull<u8>) -> Option<Extent> {
        let address = ptr.addr().get();
        let offset = self.memory.granule_at(address);
        // Where an extent begins at a block, that block's request has returned, so the node is written.
        let len = section.len_of(offset).ok().filter(|_| address.is_multiple_of(GRANULE_BYTES))?;
        let extent = Extent::new(offset, len);
        self.memory.is_alone(extent.end()).then_some(extent)
    }

    /// Fills `extent` behind its first `used` bytes, if the region asks for that.
    ///
    /// # Safety
    /// What lies there is the caller's alone, and not used any more.
    unsafe fn wipe_from(&self, extent: Extent, used: usize) {
        let start = self.memory.byte(extent.offset as usize * GRANULE_BYTES + used);
        // SAFETY: this function's contract.
        unsafe { self.region.wipe_bytes(start, bytes(extent) - used) };
    }
}
