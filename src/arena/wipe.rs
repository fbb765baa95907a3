//! Wiping: where the region fills what is freed (`zero_on_free`, `poison_on_free`), its arenas do so too.
//!
//! A block is filled when its holder gives it back, an extent before it returns to the region, a scratch chunk when it is
//! rewound; all outside the lock, by whoever still has the bytes. A shrinking block stays where it is, and its tail is
//! filled; so is what a block that grows downwards leaves above itself. A reset keeps no chunk, so no byte becomes free
//! unfilled.
#![expect(unsafe_code, reason = "fills memory that is being given back")]

use core::ptr::NonNull;

use crate::base::extent::Extent;
use crate::base::size_class::GRANULE_BYTES;

use super::inner::Body;

/// Fills what a block of `old` bytes at `ptr` has left, now that it is one of `new` bytes at `to`, at `ptr` or below.
///
/// # Safety
/// Both are the caller's; of the old one nothing is used any more but what lies in the new one.
#[cold]
pub(super) unsafe fn wipe_left(byte: u8, ptr: NonNull<u8>, old: usize, to: NonNull<u8>, new: usize) {
    let kept = (to.addr().get() + new).saturating_sub(ptr.addr().get()).min(old);
    // SAFETY: `NonNull::add`: kept <= old, in the old block or at its end.
    let left = unsafe { ptr.add(kept) };
    // SAFETY: the rest of the old block, by the caller's contract.
    unsafe { left.write_bytes(byte, old - kept) };
}

impl Body {
    /// The byte that freed memory is filled with, if any.
    #[inline]
    pub(super) fn wiping(&self) -> Option<u8> {
        self.region.wipe()
    }

    /// Whether memory that was freed may stay with the arena: neither filled nor made unreadable.
    pub(super) fn keeps(&self) -> bool {
        self.wiping().is_none() && self.region.guard_page().is_none()
    }

    /// Fills `len` bytes from `ptr` on, if the region asks for that.
    ///
    /// # Safety
    /// They lie in an extent of the arena, were handed out, and nobody uses them any more.
    #[inline]
    pub(super) unsafe fn wipe(&self, ptr: NonNull<u8>, len: usize) {
        if let Some(byte) = self.wiping() {
            // SAFETY: the caller's contract.
            unsafe { ptr.write_bytes(byte, len) };
        }
    }

    /// Fills an extent, its node too, if the region asks for that.
    ///
    /// # Safety
    /// It is one of the arena's, and nobody uses it any more; its node was read for the last time.
    pub(super) unsafe fn wipe_extent(&self, extent: Extent) {
        // SAFETY: the caller's contract.
        unsafe { self.wipe(self.memory.granule(extent.offset), extent.len as usize * GRANULE_BYTES) };
    }
}
