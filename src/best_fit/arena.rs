//! `BestFitArena`: [`BestFit`] over a caller's memory, in pointers and bytes.
//!
//! - INV-best_fit.arena-1: granule `g` is `[base + pad + g × align, …)`, `pad` the bytes up to the first multiple of
//!   `align`; all granules lie in `[base, base + len)`.
//!
//! The memory is never read nor written, so it may be locked, shared, on a device, or not exist at all. For that reason
//! results come from `wrapping_byte_add`, which asks nothing of the base.
//!
//! Not synchronised: `Send`, not `Sync`, methods that change it take `&mut self`. Deliberately absent: growth, a limit.
#![expect(unsafe_code, reason = "the constructor over raw parts, and Send beside a raw base pointer")]

use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::{BestFit, End};
use crate::base::error::{FreeError, RegionError};
use crate::base::layout::align_up;
use crate::base::snapshot;
use crate::base::stats::BestFitStats;

/// Serves blocks by exact best fit from memory that it never touches; all metadata lies elsewhere.
///
/// Sizes are rounded up to the alignment given at construction, which is the granule. One thread at a time; nothing
/// locks. After construction nothing allocates. Blocks stay valid as long as the memory does.
///
/// # Example
/// ```
/// use core::mem::MaybeUninit;
/// use sharded_arena::BestFitArena;
///
/// let mut memory = [MaybeUninit::uninit(); 4096];
/// let mut arena = BestFitArena::over(&mut memory, 16)?;
/// let block = arena.alloc(100).expect("the arena is empty");
/// assert_eq!(arena.stats().used, 112);
/// arena.free(block.as_ptr()).expect("the block is live");
/// assert_eq!(arena.stats().chunks_free, 1);
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
///
/// The behaviour is that of the arena in Bitcoin Core's `LockedPool`.
pub struct BestFitArena<'m> {
    index: BestFit,
    base: *mut u8,
    len: usize,
    /// Bytes from the base to the first granule.
    pad: usize,
    /// log2 of the granule in bytes.
    shift: u32,
    memory: PhantomData<&'m mut [MaybeUninit<u8>]>,
}

// SAFETY: the arena owns its index; the base pointer is only computed with, and the memory is borrowed mutably or, by
// `new`'s contract, used by nothing else.
unsafe impl Send for BestFitArena<'_> {}

impl<'m> BestFitArena<'m> {
    /// Manages `[base, base + len)` in granules of `align` bytes. Reserves address space for the metadata.
    ///
    /// The base is never dereferenced and may be made up; then so are the results.
    ///
    /// # Safety
    /// If the range is memory, nothing else uses it as long as blocks from this arena are used.
    ///
    /// # Errors
    /// `BadAlignment` unless `align` is a power of two, `NullBase`, `Overflow` when `base + len` wraps, `BelowLeast`,
    /// or `ZeroCapacity`, without one whole granule, `AboveGreatest` above 2^32 − 256 granules, `System` when there is
    /// no memory for metadata.
    pub unsafe fn new(base: *mut u8, len: usize, align: usize) -> Result<BestFitArena<'static>, RegionError> {
        BestFitArena::build(base, len, align)
    }

    /// Manages the caller's memory in granules of `align` bytes.
    ///
    /// # Errors
    /// As [`BestFitArena::new`].
    pub fn over(memory: &'m mut [MaybeUninit<u8>], align: usize) -> Result<Self, RegionError> {
        Self::build(memory.as_mut_ptr().cast(), memory.len(), align)
    }

    fn build(base: *mut u8, len: usize, align: usize) -> Result<Self, RegionError> {
        if !align.is_power_of_two() {
            return Err(RegionError::BadAlignment);
        }
        if base.is_null() {
            return Err(RegionError::NullBase);
        }
        let end = base.addr().checked_add(len).ok_or(RegionError::Overflow)?;
        let first = align_up(base.addr(), align).filter(|first| *first < end).ok_or(RegionError::ZeroCapacity)?;
        let shift = align.trailing_zeros();
        let (given, granules) = (end - first, (end - first) >> shift);
        if granules == 0 {
            return Err(RegionError::below(given, align));
        }
        let granules = u32::try_from(granules).ok().filter(|granules| *granules <= BestFit::MAX_GRANULES);
        // More was given, so the greatest is a number.
        let granules = granules.ok_or_else(|| RegionError::above(given, u64::from(BestFit::MAX_GRANULES) << shift))?;
        let index = BestFit::new(granules, (first >> shift) as u64)?;
        Ok(Self { index, base, len, pad: first - base.addr(), shift, memory: PhantomData })
    }

    /// Takes a block of `size` bytes, rounded up to the granule, from the tail of a shortest free chunk that is long
    /// enough; `None` for zero bytes and when none is. Constant time except for chunks of 4,096 granules and more.
    #[inline]
    pub fn alloc(&mut self, size: usize) -> Option<NonNull<u8>> {
        let len = self.granules_for(size)?;
        let offset = self.index.take(len)?;
        self.block_at(offset)
    }

    /// Takes a block whose address is a multiple of `align`; `None` too when that is not a power of two.
    ///
    /// The refusal is exact; it may look at every free chunk before. The chunk need not be the shortest.
    pub fn alloc_aligned(&mut self, size: usize, align: usize) -> Option<NonNull<u8>> {
        if !align.is_power_of_two() {
            return None;
        }
        let len = self.granules_for(size)?;
        let offset = self.index.take_at_multiple(len, ((align >> self.shift) as u64).max(1), End::Tail)?;
        self.block_at(offset)
    }

    /// Gives a block back and joins it with its free neighbours; null is no error. Constant time.
    ///
    /// # Errors
    /// `OutOfRegion`, `Interior` or `NotLive`; then nothing has changed.
    #[inline]
    pub fn free(&mut self, ptr: *mut u8) -> Result<(), FreeError> {
        if ptr.is_null() {
            return Ok(());
        }
        let bytes = ptr.addr().wrapping_sub(self.base.addr() + self.pad);
        // What is no multiple of the granule keeps its low bits at the top, and is above every granule's number.
        let granule = bytes.rotate_right(self.shift);
        if granule >= self.index.granules() as usize {
            return Err(self.why_not(ptr));
        }
        self.index.give_back_at(granule as u32).map(|_| ())
    }

    /// Returns why no block begins at an address that is no granule's.
    #[cold]
    fn why_not(&self, ptr: *mut u8) -> FreeError {
        let Some(bytes) = ptr.addr().wrapping_sub(self.base.addr()).checked_sub(self.pad) else {
            // Before the first granule of the arena: inside its range, but never a block.
            return FreeError::NotLive;
        };
        if !self.contains(ptr) {
            return FreeError::OutOfRegion;
        }
        let granule = u32::try_from(bytes >> self.shift).unwrap_or(u32::MAX);
        match self.index.around(granule) {
            Some((_, true)) => FreeError::Interior,
            _ => FreeError::NotLive,
        }
    }

    /// Returns whether an address lies in `[base, base + len)`.
    #[inline]
    #[must_use]
    pub fn contains(&self, ptr: *const u8) -> bool {
        ptr.addr().wrapping_sub(self.base.addr()) < self.len
    }

    /// Returns the figures, in bytes. Constant time.
    #[must_use]
    pub fn stats(&self) -> BestFitStats {
        BestFitStats {
            used: self.bytes(self.index.used()),
            free: self.bytes(self.index.free()),
            total: self.bytes(self.index.granules()),
            chunks_used: self.index.used_extents(),
            chunks_free: self.index.free_extents(),
            largest_free: self.bytes(self.index.largest_free()),
        }
    }

    /// Returns the base given at construction.
    #[inline]
    #[must_use]
    pub fn base(&self) -> *mut u8 {
        self.base
    }

    /// Visits every chunk, used and free, in the order of addresses. No two free ones are neighbours.
    pub fn walk(&self) -> impl Iterator<Item = snapshot::Extent> + '_ {
        self.index.walk().map(|(extent, used)| {
            snapshot::Extent::new(self.pad + self.bytes(extent.offset), self.bytes(extent.len), used)
        })
    }

    #[inline(always)]
    fn bytes(&self, granules: u32) -> usize {
        (granules as usize) << self.shift
    }

    /// Returns the granules for `size` bytes; `None` for zero bytes and for more than the arena has.
    #[inline(always)]
    fn granules_for(&self, size: usize) -> Option<u32> {
        let whole_less_one = size.wrapping_sub(1) >> self.shift;
        if whole_less_one < self.index.granules() as usize { Some(whole_less_one as u32 + 1) } else { None }
    }

    /// INV-best_fit.arena-1: inside the range, so not null and without a wrap.
    #[inline(always)]
    fn block_at(&self, offset: u32) -> Option<NonNull<u8>> {
        NonNull::new(self.base.wrapping_byte_add(self.pad + self.bytes(offset)))
    }
}

impl fmt::Debug for BestFitArena<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BestFitArena")
            .field("base", &self.base)
            .field("len", &self.len)
            .field("granule_bytes", &(1usize << self.shift))
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
