//! `BumpRegion`: memory of fixed size that any thread bumps through, without a lock; `SharedBump`, its one word.
//!
//! The cursor moves down, for rounding down to an alignment is one mask. The word is the room below the cursor, in
//! bytes from the memory's base, so it is also the figure that `remaining` gives.
//!
//! - INV-bump-1: the bytes `[base, base + room)` are nobody's; every block handed out lies in `[base + room, base +
//!   capacity)`.
//! - INV-bump-2: `room ≤ capacity`, at every value of the word: a request is checked before the exchange, so the word
//!   never wraps and a refused request changes nothing.
//! - INV-bump-3: blocks are disjoint: each exchange moves the word down to the block's start, and only the block's
//!   holder may move it up again, and only while it is the last.
//!
//! What is new was made before the region could be shared, and a reset has `&mut self`, so neither needs an ordering.
//! But the holder of the last block may give some of it back to whoever asks next: that is Release, and taking is
//! Acquire. An exchange that meets an equal word meets an equal state (INV-bump-1), so there is no ABA.
//!
//! Deliberately absent: growth, headers, a region's limit. See [`Arena`](crate::Arena) for those.
#![expect(unsafe_code, reason = "derives blocks from the memory's base")]

mod allocator;
pub(crate) mod blocks;

use core::alloc::Layout;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use crate::base::debug::debug_figures;
use crate::base::error::{AllocError, AllocErrorKind, LimitOwner, RegionError};
use crate::base::layout::bump_down;
use crate::memory::mapping::{Advice, HUGE_FROM_BYTES, Mapping};
use crate::sync::{AcqRel, Acquire, AtomicUsize, CachePadded, Relaxed};

use blocks::{Blocks, SharedCursor, resize_shared};

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
        self.0.load(Relaxed)
    }

    /// Takes `layout` from the end of the room above address `base`; gives its offset.
    #[inline]
    pub(crate) fn take(&self, base: usize, layout: Layout) -> Option<usize> {
        let mut room = self.room();
        loop {
            let at = bump_down::<usize, 1>(base, base + room, layout.size(), layout.align())? - base;
            // ORDERING(Acquire): what the former holder of a last block wrote precedes its next use.
            //   pairs: `shift`'s Release.  loom: m01_given_back; Relaxed fails it.
            // Failure is Relaxed: the next exchange acquires.
            match self.0.compare_exchange_weak(room, at, Acquire, Relaxed) {
                Ok(_) => return Some(at),
                Err(seen) => room = seen,
            }
        }
    }

    /// Makes all `room` bytes free again.
    pub(crate) fn reset(&mut self, room: usize) {
        *self = Self::new(room);
    }
}

impl SharedCursor for SharedBump {
    fn top(&self) -> usize {
        self.room()
    }

    fn shift(&self, from: usize, to: usize) -> bool {
        // ORDERING(Release, when bytes are given back): their holder has written to them before their next holder does.
        //   pairs: `take`'s Acquire.  loom: m01_given_back; Acquire alone fails it.
        // ORDERING(Acquire, when bytes are taken): as in `take`.  loom: m01_grown; Release alone fails it.
        // Failure is Relaxed: the caller then does without.
        self.0.compare_exchange(from, to, AcqRel, Relaxed).is_ok()
    }
}

/// Memory of fixed size that any thread allocates from without a lock: one exchange of one word a request.
///
/// Every byte is usable: there is no header. Nothing is dropped and nothing is freed alone, except the last block; all
/// of it is freed by [`reset`](Self::reset). `&BumpRegion` is an [`Allocator`](allocator_api2::alloc::Allocator). For
/// memory that grows, and scales across threads, see [`Arena`](crate::Arena).
///
/// It is its memory and one word, so it has no builder, no limit beside its [`capacity`](Self::capacity), and no figure
/// beside [`remaining`](Self::remaining).
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
    room: CachePadded<SharedBump>,
    /// Keeps the memory.
    _memory: Mapping,
}

// SAFETY: `base` points into `_memory`, which is Send and Sync; who may use which byte is decided by the atomic word.
unsafe impl Send for BumpRegion {}
// SAFETY: as for Send.
unsafe impl Sync for BumpRegion {}

debug_figures! { [] BumpRegion: capacity, remaining }

impl BumpRegion {
    /// Least capacity in bytes.
    const LEAST_BYTES: usize = 16;

    /// Reserves `bytes` bytes, all of which can be handed out. A page becomes memory when it is first touched.
    ///
    /// # Errors
    /// `ZeroCapacity` for 0, `BelowLeast` below 16 bytes, `Overflow` if they pass the end of the address space,
    /// `System` if the operating system refuses.
    pub fn with_capacity(bytes: usize) -> Result<BumpRegion, RegionError> {
        if bytes < Self::LEAST_BYTES {
            return Err(RegionError::below(bytes, Self::LEAST_BYTES));
        }
        let huge_pages = bytes >= HUGE_FROM_BYTES;
        Self::on(Mapping::reserve(bytes, Advice { huge_pages, ..Advice::default() })?, bytes)
    }

    /// A bump region over the caller's memory, of any alignment.
    ///
    /// # Errors
    /// `ZeroCapacity` for 0, `BelowLeast` below 16 bytes.
    pub fn over(memory: &'static mut [MaybeUninit<u8>]) -> Result<BumpRegion, RegionError> {
        let (base, len) = (NonNull::from(&mut *memory).cast::<u8>(), memory.len());
        // SAFETY: a static exclusive borrow: valid for ever, and nobody else's.
        unsafe { Self::from_raw_parts(base, len) }
    }

    /// A bump region over memory that the caller answers for.
    ///
    /// # Errors
    /// `ZeroCapacity` for 0, `BelowLeast` below 16 bytes, `Overflow` if `base + len` passes the end of the address
    /// space.
    ///
    /// # Safety
    /// `[base, base + len)` is one allocated object, readable and writable, and used by nobody else as long as the
    /// region lives.
    pub unsafe fn from_raw_parts(base: NonNull<u8>, len: usize) -> Result<BumpRegion, RegionError> {
        base.addr().get().checked_add(len).ok_or(RegionError::Overflow)?;
        if len < Self::LEAST_BYTES {
            return Err(RegionError::below(len, Self::LEAST_BYTES));
        }
        // SAFETY: this function's contract is the mapping's.
        Self::on(unsafe { Mapping::from_caller(base, len) }, len)
    }

    #[expect(clippy::unnecessary_wraps, reason = "the tail of fallible constructors")]
    fn on(memory: Mapping, capacity: usize) -> Result<Self, RegionError> {
        let room = CachePadded::new(SharedBump::new(capacity));
        Ok(Self { base: memory.base(), capacity, room, _memory: memory })
    }

    /// Bytes there are in all.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes not handed out: exact. A request of as many bytes with alignment 1 succeeds unless another thread is
    /// faster. One load.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.room.room()
    }

    /// Frees everything at once; nothing is dropped.
    pub fn reset(&mut self) {
        self.room.reset(self.capacity);
    }

    /// Whether `ptr` is an address of the region.
    #[must_use]
    pub fn contains(&self, ptr: *const u8) -> bool {
        ptr.addr().checked_sub(self.base.addr().get()).is_some_and(|offset| offset < self.capacity)
    }

    /// What the typed methods stand on.
    #[inline(always)]
    pub(crate) fn blocks(&self) -> impl Blocks {
        self
    }

    /// The byte at `offset`.
    #[inline]
    fn at(&self, offset: usize) -> NonNull<u8> {
        // SAFETY: `NonNull::add`: an offset that the word gave is at most `capacity` (INV-bump-2), in one allocated
        // object.
        unsafe { self.base.add(offset) }
    }
}

// SAFETY: a block is a range that an exchange took out of the room (INV-bump-1, INV-bump-3), in memory that stands with
// the region.
unsafe impl Blocks for &BumpRegion {
    #[inline(always)]
    fn bump(self, layout: Layout) -> Option<NonNull<u8>> {
        self.room.take(self.base.addr().get(), layout).map(|offset| self.at(offset))
    }

    fn alloc_cold(self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        Err(self.refusal(layout.size(), layout.align(), AllocErrorKind::LimitReached))
    }

    unsafe fn resize_in_place(self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>> {
        // SAFETY: the caller's contract; offsets up to the block's lie in the region.
        unsafe { resize_shared(&*self.room, self.base.addr().get(), |offset| self.at(offset), ptr, old, new) }
    }

    unsafe fn free_nonzero(self, ptr: NonNull<u8>, layout: Layout) {
        let offset = ptr.addr().get() - self.base.addr().get();
        self.room.shift(offset, offset + layout.size());
    }

    #[cold]
    fn refusal(self, requested: usize, align: usize, kind: AllocErrorKind) -> AllocError {
        let (limit, largest_free, limit_owner) = (self.capacity, self.remaining(), LimitOwner::Region);
        AllocError { requested, align, usage: limit - largest_free, limit, largest_free, kind, limit_owner }
    }
}
