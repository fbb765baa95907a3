//! Wiping: where the region fills what is freed (`zero_on_free`, `poison_on_free`), its arenas do so too.
//!
//! A block is filled when its holder gives it back, an extent before it returns to the region, a scratch chunk when it is
//! rewound; all outside the lock, by whoever still has the bytes. A shrinking block stays where it is, and a reset keeps no
//! chunk, so no byte becomes free unfilled.
#![expect(unsafe_code, reason = "fills memory that is being given back")]

use core::ptr::NonNull;

use crate::extent::Extent;
use crate::size_class::GRANULE_BYTES;

use super::inner::Body;

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
