//! `Memory`: where a region's granules are. The only place where an offset of the index becomes an address.
//!
//! - INV-region.memory-1: `base` is the region's first byte; the granules of its index, and the bytes of blocks in
//!   them, lie in one allocated object that begins there or before (INV-memory.mapping-1).
//!
//! An offset that is given to a method is one of the index, or of a block in its extents: outside of the region the
//! mere address is undefined behaviour. What comes back is used by the holder of that extent or block. Copied freely:
//! an address without a lifetime.
//!
//! Deliberately not here: what lies in the memory. The arena's nodes (`arena/extents.rs`) and the interner's records
//! (`interner/text.rs`) are methods of this type that only their own module sees.
#![expect(unsafe_code, reason = "derives addresses from the region's base")]

use core::ptr::NonNull;

use crate::base::size_class::GRANULE_BYTES;

/// See the module's header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    base: NonNull<u8>,
}

// SAFETY: an address; who may use which byte is decided by whoever derives pointers from it.
unsafe impl Send for Memory {}
// SAFETY: as for Send.
unsafe impl Sync for Memory {}

impl Memory {
    /// The memory of the region that begins at `base`.
    pub(super) fn new(base: NonNull<u8>) -> Self {
        Self { base }
    }

    /// Returns the region's first byte.
    #[inline(always)]
    pub(crate) fn base(self) -> NonNull<u8> {
        self.base
    }

    /// Returns the byte at `offset`, which lies in the region.
    #[inline(always)]
    pub(crate) fn byte(self, offset: usize) -> NonNull<u8> {
        // SAFETY: `NonNull::add`: offsets of the index, and of blocks in its extents, lie inside the mapping
        // (INV-region.memory-1).
        unsafe { self.base.add(offset) }
    }

    /// Returns the first byte of `granule`.
    #[inline(always)]
    pub(crate) fn granule(self, granule: u32) -> NonNull<u8> {
        self.byte(granule as usize * GRANULE_BYTES)
    }

    /// Returns the bytes from the base to `address`, which lies in the region.
    #[inline(always)]
    pub(crate) fn offset_at(self, address: usize) -> usize {
        address.wrapping_sub(self.base.addr().get())
    }

    /// Returns the granule that `address` lies in, which is in the region.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a region has fewer than 2^32 granules")]
    pub(crate) fn granule_at(self, address: usize) -> u32 {
        (self.offset_at(address) / GRANULE_BYTES) as u32
    }
}
