//! `BumpRegion`: memory of fixed size that any thread bumps through, without a lock; `SharedBump`, its one word.
//!
//! The cursor moves down, for rounding down to an alignment is one mask. The word is the room below the cursor, in bytes
//! from the memory's base, so it is also the figure that `remaining` gives.
//!
//! - INV-U1: the bytes `[base, base + room)` are nobody's; every block handed out lies in `[base + room, base + capacity)`.
//! - INV-U2: `room ≤ capacity`, at every value of the word: a request is checked before the exchange, so the word never
//!   wraps and a refused request changes nothing.
//! - INV-U3: blocks are disjoint: each exchange moves the word down to the block's start, and only the block's holder may
//!   move it up again, and only while it is the last.
//!
//! Relaxed throughout: the word publishes nothing. The memory was made before the region could be shared, and is used
//! again only after `&mut self` has shown that no borrow is left, which whoever ended the borrow has ordered.
//! An exchange that meets an equal word meets an equal state (INV-U1), so there is no ABA.
//!
//! Deliberately absent: growth, headers, a region's limit. See [`Arena`](crate::Arena) for those.
#![expect(unsafe_code, reason = "derives blocks from the memory's base")]

use core::alloc::Layout;
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use crate::error::{AllocError, AllocErrorKind, RegionError};
use crate::layout::{bump_down, dangling};
use crate::mapping::{Advice, HUGE_FROM_BYTES, Mapping};
use crate::sync::{AtomicUsize, CachePadded, mutant, ord};

/// The room below a cursor that any thread may move: one word, see the module's header.
#[derive(Debug)]
pub(crate) struct SharedBump(AtomicUsize);

impl SharedBump {
    pub(crate) fn new(room: usize) -> Self {
        Self(AtomicUsize::new(room))
    }

    /// Bytes below the cursor.
    #[inline]
    pub(crate) fn room(&self) -> usize {
        self.0.load(ord!(Relaxed))
    }

    /// Takes `layout` from the end of the room above address `base`; gives its offset.
    #[inline]
    pub(crate) fn take(&self, base: usize, layout: Layout) -> Option<usize> {
        if mutant!("rule.bump.add-then-roll-back") {
            let before = self.0.fetch_sub(layout.size(), ord!(Relaxed));
            if before < layout.size() {
                self.0.fetch_add(layout.size(), ord!(Relaxed));
                return None;
            }
            return Some(before - layout.size());
        }
        let mut room = self.room();
        loop {
            let at = bump_down::<usize, 1>(base, base + room, layout.size(), layout.align())? - base;
            match self.0.compare_exchange_weak(room, at, ord!(Relaxed), ord!(Relaxed)) {
                Ok(_) => return Some(at),
                Err(_) if mutant!("rule.bump.take-once") => return None,
                Err(seen) => room = seen,
            }
        }
    }

    /// Moves the cursor from `from` to `to` if it stands there: the holder of the last block, which begins at the lower of
    /// both, makes it longer or shorter, or gives it back.
    pub(crate) fn shift(&self, from: usize, to: usize) -> bool {
        if mutant!("rule.bump.shift-unchecked") {
            self.0.store(to, ord!(Relaxed));
            return true;
        }
        self.0.compare_exchange(from, to, ord!(Relaxed), ord!(Relaxed)).is_ok()
    }

    /// Makes all `room` bytes free again.
    pub(crate) fn reset(&mut self, room: usize) {
        *self = Self::new(room);
    }
}

/// Memory of fixed size that any thread allocates from without a lock: one exchange of one word a request.
///
/// Every byte is usable: there is no header. Nothing is dropped and nothing is freed alone, except the last block; all of
/// it is freed by [`reset`](Self::reset). For memory that grows, and scales across threads, see [`Arena`](crate::Arena).
///
/// ```
/// use sharded_arena::BumpRegion;
/// let mut region = BumpRegion::with_capacity(64)?;
/// let number = region.alloc(7u32);
/// *number += 1;
/// assert_eq!((*number, region.remaining()), (8, 60));
/// assert_eq!(region.try_alloc([0u8; 61]).unwrap_err().value.len(), 61); // it comes back
/// region.reset();
/// assert_eq!(region.remaining(), region.capacity());
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
pub struct BumpRegion {
    base: NonNull<u8>,
    capacity: usize,
    bump: CachePadded<SharedBump>,
    /// Keeps the memory.
    _memory: Mapping,
}

// SAFETY: `base` points into `_memory`, which is Send and Sync; who may use which byte is decided by the atomic word.
unsafe impl Send for BumpRegion {}
// SAFETY: as for Send.
unsafe impl Sync for BumpRegion {}

impl fmt::Debug for BumpRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (capacity, remaining) = (self.capacity(), self.remaining());
        f.debug_struct("BumpRegion").field("capacity", &capacity).field("remaining", &remaining).finish_non_exhaustive()
    }
}

impl BumpRegion {
    /// Least capacity in bytes.
    const LEAST_BYTES: usize = 16;

    /// Reserves `bytes` bytes, all of which can be handed out. A page becomes memory when it is first touched.
    ///
    /// # Errors
    /// `ZeroCapacity` below 16 bytes, `Overflow` if they pass the end of the address space, `System` if the operating
    /// system refuses.
    pub fn with_capacity(bytes: usize) -> Result<BumpRegion, RegionError> {
        if bytes < Self::LEAST_BYTES {
            return Err(RegionError::ZeroCapacity);
        }
        let huge_pages = bytes >= HUGE_FROM_BYTES;
        Self::on(Mapping::reserve(bytes, Advice { huge_pages, ..Advice::default() })?, bytes)
    }

    /// A bump region over the caller's memory, of any alignment.
    ///
    /// # Errors
    /// `ZeroCapacity` below 16 bytes.
    pub fn over(memory: &'static mut [MaybeUninit<u8>]) -> Result<BumpRegion, RegionError> {
        let (base, len) = (NonNull::from(&mut *memory).cast::<u8>(), memory.len());
        // SAFETY: a static exclusive borrow: valid for ever, and nobody else's.
        unsafe { Self::from_raw_parts(base, len) }
    }

    /// A bump region over memory that the caller answers for.
    ///
    /// # Errors
    /// `ZeroCapacity` below 16 bytes, `Overflow` if `base + len` passes the end of the address space.
    ///
    /// # Safety
    /// `[base, base + len)` is one allocated object, readable and writable, and used by nobody else as long as the region
    /// lives.
    pub unsafe fn from_raw_parts(base: NonNull<u8>, len: usize) -> Result<BumpRegion, RegionError> {
        base.addr().get().checked_add(len).ok_or(RegionError::Overflow)?;
        if len < Self::LEAST_BYTES {
            return Err(RegionError::ZeroCapacity);
        }
        // SAFETY: this function's contract is the mapping's.
        Self::on(unsafe { Mapping::from_caller(base, len) }, len)
    }

    #[expect(clippy::unnecessary_wraps, reason = "the tail of fallible constructors")]
    fn on(memory: Mapping, capacity: usize) -> Result<Self, RegionError> {
        let bump = CachePadded::new(SharedBump::new(capacity));
        Ok(Self { base: memory.base(), capacity, bump, _memory: memory })
    }

    /// Bytes there are in all.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes not handed out: exact. A request of as many bytes with alignment 1 succeeds unless another thread is faster.
    /// One load.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.bump.room()
    }

    /// Frees everything at once; nothing is dropped.
    pub fn reset(&mut self) {
        self.bump.reset(self.capacity);
    }

    /// Whether `ptr` is an address of the region.
    #[must_use]
    pub fn contains(&self, ptr: *const u8) -> bool {
        ptr.addr().checked_sub(self.base.addr().get()).is_some_and(|offset| offset < self.capacity)
    }

    // ---- what the typed methods stand on --------------------------------------------------------------------------

    /// The byte at `offset`.
    #[inline]
    fn at(&self, offset: usize) -> NonNull<u8> {
        // SAFETY: `NonNull::add`: an offset that the word gave is at most `capacity` (INV-U2), in one allocated object.
        unsafe { self.base.add(offset) }
    }

    fn offset(&self, ptr: NonNull<u8>) -> usize {
        ptr.addr().get().wrapping_sub(self.base.addr().get())
    }

    /// A block, without the figures of a refusal.
    #[inline(always)]
    pub(crate) fn fast_raw(&self, layout: Layout) -> Option<NonNull<u8>> {
        if layout.size() == 0 {
            return Some(dangling(layout));
        }
        Some(self.at(self.bump.take(self.base.addr().get(), layout)?))
    }

    #[inline]
    pub(crate) fn alloc_raw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        match self.fast_raw(layout) {
            Some(block) => Ok(block),
            None => Err(self.refusal(layout.size(), layout.align(), AllocErrorKind::LimitReached)),
        }
    }

    /// The figures of a refusal.
    #[cold]
    #[inline(never)]
    pub(crate) fn refusal(&self, requested: usize, align: usize, kind: AllocErrorKind) -> AllocError {
        let remaining = self.remaining();
        AllocError {
            requested,
            align,
            usage: self.capacity - remaining,
            limit: self.capacity,
            largest_free: remaining,
            kind,
        }
    }

    /// Lengthens a block: in place if it is the last, moving its bytes down, else by copying it.
    ///
    /// # Safety
    /// `ptr` is a block of this region and of `old`, the caller's alone; `new.size() >= old.size()`. On success only the
    /// new block may be used.
    pub(crate) unsafe fn grow_raw(
        &self,
        ptr: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        let offset = self.offset(ptr);
        if old.size() != 0 && self.bump.room() == offset {
            let base = self.base.addr().get();
            let end = base + offset + old.size();
            if let Some(at) = bump_down::<usize, 1>(base, end, new.size(), new.align())
                && self.bump.shift(offset, at - base)
            {
                let moved = self.at(at - base);
                // SAFETY: the old block and the bytes below it are the caller's now; they may overlap.
                unsafe { core::ptr::copy(ptr.as_ptr(), moved.as_ptr(), old.size()) };
                return Ok(moved);
            }
        }
        let moved = self.alloc_raw(new)?;
        // SAFETY: the old block is live and as long as `old`, the new one is fresh and at least as long.
        unsafe { core::ptr::copy_nonoverlapping(ptr.as_ptr(), moved.as_ptr(), old.size()) };
        Ok(moved)
    }

    /// Shortens a block; what is cut is free again if it is the last, whose bytes then move up.
    ///
    /// # Safety
    /// As for [`BumpRegion::grow_raw`], with `new.size() <= old.size()` and `new.align() <= old.align()`.
    pub(crate) unsafe fn shrink_raw(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> NonNull<u8> {
        let offset = self.offset(ptr);
        if new.size() == 0 {
            // SAFETY: the caller's contract.
            unsafe { self.free_raw(ptr, old) };
            return dangling(new);
        }
        if self.bump.room() != offset {
            return ptr;
        }
        let base = self.base.addr().get();
        let Some(at) = bump_down::<usize, 1>(base + offset, base + offset + old.size(), new.size(), new.align()) else {
            return ptr;
        };
        let moved = self.at(at - base);
        // The bytes move before the room is given back: what is given back may be another's at once.
        // SAFETY: both ranges lie in the old block, which is the caller's alone; they may overlap.
        unsafe { core::ptr::copy(ptr.as_ptr(), moved.as_ptr(), new.size()) };
        // If another was faster the block is no longer the last, and what was cut stays in use until the reset.
        self.bump.shift(offset, at - base);
        moved
    }

    /// Gives a block back if it is the last; otherwise it stays in use until the reset.
    ///
    /// # Safety
    /// `ptr` is a block of this region and of `layout`, the caller's alone, and not used afterwards.
    pub(crate) unsafe fn free_raw(&self, ptr: NonNull<u8>, layout: Layout) {
        if layout.size() != 0 {
            let offset = self.offset(ptr);
            self.bump.shift(offset, offset + layout.size());
        }
    }
}
