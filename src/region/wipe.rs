//! `Wipe`: what freed memory is filled with (`zero_on_free`, `poison_on_free`).
//!
//! A block is filled when its holder gives it back, an extent before it returns to the index, a scratch chunk when it
//! is rewound, a pool's slot before it becomes free; all outside the lock, by whoever still has the bytes. A shrinking
//! block of an arena stays where it is, and its tail is filled; so is what a block that grows downwards leaves above
//! itself. Heaps in such a region cache nothing, and a reset of an arena keeps no chunk. So no byte becomes free
//! unfilled.
#![expect(unsafe_code, reason = "fills memory that is being given back")]

use core::ptr::NonNull;

use crate::base::extent::Extent;
use crate::base::size_class::GRANULE_BYTES;

use super::Region;

/// See the module's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wipe(u8);

impl Wipe {
    /// Under `zero_on_free`. Fresh pages of the system have the same.
    pub(super) const ZERO: Self = Self(0);
    /// Under `poison_on_free`.
    pub(super) const POISON: Self = Self(0xDE);

    /// Fills `len` bytes from `ptr` on.
    ///
    /// # Safety
    /// They are the caller's, and nothing of them is used any more.
    #[inline]
    pub(crate) unsafe fn fill(self, ptr: *mut u8, len: usize) {
        // SAFETY: `write_bytes`: this function's contract.
        unsafe { ptr.write_bytes(self.0, len) };
    }

    /// Fills what a block of `old` bytes at `ptr` has left, now that it is one of `new` bytes at `to`, at `ptr` or
    /// below.
    ///
    /// # Safety
    /// Both are the caller's; of the old one nothing is used any more but what lies in the new one.
    #[cold]
    pub(crate) unsafe fn fill_left(self, ptr: NonNull<u8>, old: usize, to: NonNull<u8>, new: usize) {
        let kept = (to.addr().get() + new).saturating_sub(ptr.addr().get()).min(old);
        // SAFETY: `NonNull::add`: kept <= old, in the old block or at its end.
        let left = unsafe { ptr.add(kept) };
        // SAFETY: the rest of the old block, by this function's contract.
        unsafe { self.fill(left.as_ptr(), old - kept) };
    }
}

impl Region {
    /// Returns what freed memory is filled with, if it is.
    #[inline]
    pub(crate) fn wipe(&self) -> Option<Wipe> {
        self.shared.wipe
    }

    /// Whether freed memory may stay with the client that freed it: neither filled nor made unreadable.
    pub(crate) fn keeps_freed(&self) -> bool {
        self.wipe().is_none() && self.guard_page().is_none()
    }

    /// Fills `len` bytes from `ptr` on, if the region asks for that.
    ///
    /// # Safety
    /// As for [`Wipe::fill`].
    #[inline]
    pub(crate) unsafe fn wipe_bytes(&self, ptr: NonNull<u8>, len: usize) {
        if let Some(wipe) = self.wipe() {
            // SAFETY: this function's contract.
            unsafe { wipe.fill(ptr.as_ptr(), len) };
        }
    }

    /// Fills `extent`, if the region asks for that.
    ///
    /// # Safety
    /// It is a live one of the caller's, and nothing refers to its memory any more.
    pub(crate) unsafe fn wipe_extent(&self, extent: Extent) {
        // SAFETY: this function's contract.
        unsafe { self.wipe_bytes(self.memory().granule(extent.offset), extent.len as usize * GRANULE_BYTES) };
    }
}
