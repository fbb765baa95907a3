//! `Heap`: any size, freed one by one, by any thread, coalescing back into the region.
//!
//! One request walks through the files like this: size class (`size_class.rs`), the thread's shard (`inner.rs`,
//! `thread/`), a pop or a push there (`shard.rs`); both magazines empty or full: the depot, then the region, several
//! blocks at once (`magazines.rs`); at the limit: give back what is idle, one magazine a section, and search again, or
//! refuse (`request.rs`); `release.rs` is the way back. `idle.rs` is the heap as its region sees it, `resize.rs` grows
//! and shrinks, `quarantine.rs` serves `checked` mode, `allocator.rs` speaks allocator-api2.
//!
//! After Bonwick and Adams, *Magazines and Vmem* (USENIX 2001), over an exact best-fit region.
#![expect(unsafe_code, reason = "the public free, grow and shrink take the caller's word for a block")]

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::base::debug::debug_figures;
use crate::base::error::{AllocError, FreeError, RegionError, VerifyError};
use crate::base::layout::dangling;
use crate::base::stats::HeapStats;
use crate::region::shards::OwnedShard;
use crate::region::{Client, Region, RegionReservation};
use crate::sync::Arc;

mod allocator;
mod builder;
mod idle;
mod inner;
mod local;
mod magazines;
#[cfg(all(test, loom))]
mod model;
mod pocket;
mod quarantine;
mod release;
mod request;
mod resize;
mod shard;

pub use builder::HeapBuilder;
pub(crate) use inner::Inner;
pub use local::LocalHeap;
use release::Batch;
pub(crate) use shard::Shard;

/// A handle of a heap: any size, freed one by one, by any thread. Cheap to clone, `Send` and `Sync`.
///
/// A call that finds a block in its thread's magazines takes no lock and no atomic read-modify-write. The heap's memory
/// stands as long as one handle does: a block may outlive the name of the handle it came from, not the last handle.
///
/// There is no `Heap::new` and no `Default`: every call reads where the heap's memory is, so the region is made with
/// the heap, not at its first use, and making it can fail.
///
/// ```
/// use sharded_arena::Heap;
/// use std::alloc::Layout;
///
/// let heap = Heap::with_capacity(1 << 20)?;
/// let layout = Layout::new::<[u64; 8]>();
/// let block = heap.alloc(layout)?;
/// assert_eq!((block.len(), heap.live_bytes()), (64, 64));
/// // SAFETY: the block is live, and this is its layout.
/// unsafe { heap.free(block.cast(), layout) };
/// assert_eq!(heap.live_bytes(), 0);
///
/// let refused = heap.alloc(Layout::array::<u8>(2 << 20)?).unwrap_err();
/// assert_eq!((refused.requested, refused.limit), (2 << 20, 1 << 20));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Heap {
    pub(crate) inner: Arc<Inner>,
}

debug_figures! { [] Heap: limit, memory_usage }

impl Heap {
    /// A heap with a region of its own, whose capacity and limit is `bytes`. Dropping the last handle frees everything.
    ///
    /// # Errors
    /// `ZeroCapacity` for 0, `BelowLeast` below 4 KiB, `AboveGreatest` above 64 GiB − 4 KiB, `System` if the operating
    /// system refuses.
    pub fn with_capacity(bytes: usize) -> Result<Heap, RegionError> {
        Heap::builder().capacity(bytes).build()
    }

    /// A heap that shares `region`. Reserves nothing until used; what callers leak stays charged until the region goes.
    #[must_use]
    pub fn in_region(region: &Region) -> Heap {
        Heap { inner: Arc::new(Inner::new(region.clone(), usize::MAX, None, None)) }
    }

    /// A heap with options.
    pub fn builder() -> HeapBuilder {
        HeapBuilder::default()
    }

    /// A block of `layout.size()` bytes, uninitialised. Zero bytes: dangling, aligned, nothing charged.
    ///
    /// No lock while the thread has a free block of the size class; else one lock for several blocks. Never allocates
    /// from the global allocator, except for the heap's own tables at its first use.
    ///
    /// An alignment above 16 bytes may be searched for in many free ranges, at most 60 of them under one hold of the
    /// lock. A place that is free from the beginning of the call to its end is found.
    ///
    /// # Errors
    /// [`AllocError`] with the figures of the refusal; nothing was changed.
    #[doc(alias = "malloc")]
    #[inline]
    pub fn alloc(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        self.alloc_on(self.inner.shard(), layout)
    }

    #[inline(always)]
    pub(crate) fn alloc_on(&self, shard: &Shard, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let block = if layout.size() == 0 { dangling(layout) } else { self.inner.alloc_in(shard, layout)? };
        Ok(NonNull::slice_from_raw_parts(block, layout.size()))
    }

    /// As [`Heap::alloc`], filled with zeros.
    ///
    /// # Errors
    /// As for [`Heap::alloc`].
    #[doc(alias = "calloc")]
    #[inline]
    pub fn alloc_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        self.alloc(layout).map(zeroed)
    }

    /// A block that draws on `reservation`'s bytes first, which were charged before; what it lacks is charged now.
    /// Takes the lock.
    ///
    /// # Errors
    /// [`AllocError`] if the memory is too fragmented, or the rest does not fit under the limit.
    ///
    /// # Panics
    /// If the reservation belongs to another region.
    pub fn alloc_reserved(
        &self,
        reservation: &mut RegionReservation,
        layout: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        assert!(
            self.region().base() == reservation.region.base(),
            "the reservation belongs to the region at {:p}, the heap to that at {:p}",
            reservation.region.base(),
            self.region().base()
        );
        let block =
            if layout.size() == 0 { dangling(layout) } else { self.inner.take_reserved(reservation, layout)? };
        Ok(NonNull::slice_from_raw_parts(block, layout.size()))
    }

    /// Takes a block back. From any thread; no lock while the thread's magazine has room.
    ///
    /// # Panics
    /// In a [`checked`](HeapBuilder::checked) heap, on an invalid or double free. Otherwise such a free is found at the
    /// latest when its magazine is flushed, dropped, and counted in [`HeapStats::invalid_frees`].
    ///
    /// # Safety
    /// `ptr` is a live block of this heap, and `layout` has its alignment and a size between what was asked for and
    /// what is usable. Nobody uses the block afterwards.
    #[doc(alias = "dealloc")]
    #[inline]
    #[track_caller]
    pub unsafe fn free(&self, ptr: NonNull<u8>, layout: Layout) {
        if layout.size() != 0 {
            self.inner.free_on(self.inner.shard(), ptr, layout);
        }
    }

    /// Takes a block back straight to the index, past every magazine, and says if that was wrong. Takes the lock.
    ///
    /// # Errors
    /// What is wrong with the address or the layout; nothing was changed. A block that an earlier, invalid free put
    /// into a thread's magazine still counts as live.
    ///
    /// # Safety
    /// If `ptr` is a live block, it is the caller's to free; nobody uses it afterwards.
    pub unsafe fn try_free(&self, ptr: NonNull<u8>, layout: Layout) -> Result<(), FreeError> {
        if layout.size() == 0 {
            return Ok(());
        }
        self.inner.caches();
        self.inner.give_back(ptr, layout)?;
        self.inner.count_free(Shard::none(), layout.size());
        Ok(())
    }

    /// Returns the bytes that are usable in the live block at `ptr`: those asked for, rounded up to the size class or
    /// to 16. Takes the lock.
    ///
    /// A block that an earlier, invalid free put into a thread's magazine still counts as live. The address is looked
    /// up, never read.
    ///
    /// ```
    /// use sharded_arena::{FreeError, Heap};
    /// use std::alloc::Layout;
    /// let heap = Heap::with_capacity(1 << 20)?;
    /// let (layout, wrong) = (Layout::new::<[u8; 100]>(), Layout::new::<[u8; 500]>());
    /// let block = heap.alloc(layout)?.cast();
    /// // SAFETY: the block is this call's to free, if the layout is right.
    /// assert_eq!(unsafe { heap.try_free(block, wrong) }, Err(FreeError::WrongLayout));
    /// assert_eq!(heap.usable_size(block), Ok(112));
    /// // SAFETY: as above.
    /// unsafe { heap.try_free(block, layout) }?;
    /// assert_eq!(heap.usable_size(block), Err(FreeError::NotLive));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Why no live block begins there.
    #[doc(alias = "malloc_usable_size")]
    pub fn usable_size(&self, ptr: NonNull<u8>) -> Result<usize, FreeError> {
        self.inner.usable_size(ptr)
    }

    /// Lengthens a block, in place where its class or the free memory behind it allows that. A large block is placed
    /// with free memory behind it, and one that has none left moves to where it has as much room again, if there is
    /// such a place: the old and the new block are both charged until the bytes are copied. Otherwise it moves down
    /// into free memory before it, charged with the difference only.
    ///
    /// # Errors
    /// As for [`Heap::alloc`]; the old block is then untouched.
    ///
    /// # Safety
    /// As for [`Heap::free`]; `new.size() >= old.size()`. On success only the new block may be used.
    #[doc(alias = "realloc")]
    pub unsafe fn grow(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        debug_assert!(new.size() >= old.size(), "grow from {} to {} bytes", old.size(), new.size());
        // SAFETY: this function's contract.
        unsafe { self.resize_on(self.inner.shard(), ptr, old, new) }
    }

    /// Shortens a block in place: within its class it stays as it is, else its tail returns to the region.
    ///
    /// # Errors
    /// None, as long as the alignment stays; with another one the block may have to move, as in [`Heap::grow`].
    ///
    /// # Safety
    /// As for [`Heap::free`]; `new.size() <= old.size()`. On success only the new block may be used.
    #[doc(alias = "realloc")]
    pub unsafe fn shrink(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        debug_assert!(new.size() <= old.size(), "shrink from {} to {} bytes", old.size(), new.size());
        // SAFETY: this function's contract.
        unsafe { self.resize_on(self.inner.shard(), ptr, old, new) }
    }

    /// # Safety
    /// As for [`Heap::grow`] or [`Heap::shrink`].
    unsafe fn resize_on(
        &self,
        shard: &Shard,
        ptr: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        let block = match (old.size(), new.size()) {
            (0, _) => return self.alloc_on(shard, new),
            (_, 0) => {
                self.inner.free_on(shard, ptr, old);
                dangling(new)
            }
            // SAFETY: the caller's contract; neither size is zero.
            _ => unsafe { self.inner.resize(shard, ptr, old, new) }?,
        };
        Ok(NonNull::slice_from_raw_parts(block, new.size()))
    }

    /// Takes many blocks back; those that no magazine takes return to the region many at a time.
    ///
    /// # Panics
    /// As [`Heap::free`].
    ///
    /// # Safety
    /// As for [`Heap::free`], for every pair.
    pub unsafe fn free_batch(&self, blocks: impl IntoIterator<Item = (NonNull<u8>, Layout)>) {
        // SAFETY: this function's contract.
        unsafe { self.free_batch_on(self.inner.shard(), blocks) }
    }

    /// # Safety
    /// As for [`Heap::free_batch`].
    pub(crate) unsafe fn free_batch_on(&self, shard: &Shard, blocks: impl IntoIterator<Item = (NonNull<u8>, Layout)>) {
        let mut batch = Batch::new(&self.inner, shard);
        for (ptr, layout) in blocks {
            if layout.size() != 0 {
                batch.free(ptr, layout);
            }
        }
    }

    /// A handle for the calling thread that skips the look-up of its shard.
    #[must_use]
    pub fn local(&self) -> LocalHeap<'_> {
        LocalHeap::new(self)
    }

    /// Gives back what the calling thread, the depot and ended threads have cached; other threads give back at their
    /// next slow path.
    ///
    /// A thread has ended once its handle was joined. `std::thread::scope` returns earlier, when the closures of its
    /// threads have: what a thread holds whose handle was not joined may not be found right after it.
    pub fn flush(&self) {
        self.inner.flush();
    }

    /// The region the heap is in.
    #[must_use]
    pub fn region(&self) -> &Region {
        &self.inner.region
    }

    /// The heap's own limit, or the region's if that is lower, in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        Client::limit(&*self.inner)
    }

    /// Sets the heap's own limit. Takes the lock. For usage above a lowered limit see [`Region::set_limit`].
    pub fn set_limit(&self, bytes: usize) {
        Client::set_limit(&*self.inner, bytes);
    }

    /// Bytes the heap has taken from its region: live blocks, their rounding, and what its shards hold idle. One load.
    ///
    /// So it is seldom 0 when every block was freed; after [`flush`](Self::flush) it is, if no other thread holds
    /// blocks idle. Right after a `std::thread::scope` those may be its threads, which have not ended: join their
    /// handles.
    #[doc(alias = "allocated_bytes")]
    #[must_use]
    pub fn memory_usage(&self) -> usize {
        self.inner.budget.usage()
    }

    /// Greatest [`Heap::memory_usage`] so far. One load.
    #[must_use]
    pub fn peak_memory_usage(&self) -> usize {
        self.inner.budget.peak()
    }

    /// Bytes that callers hold, as they asked for them. Exact when quiet and when every block is freed with the size
    /// that was asked for; never below zero beside running threads. Two loads a shard.
    #[cfg(feature = "stats")]
    #[must_use]
    pub fn live_bytes(&self) -> usize {
        self.inner.live_bytes()
    }

    /// The heap's figures. A few loads a shard, no lock.
    #[must_use]
    pub fn stats(&self) -> HeapStats {
        let caches = self.inner.made();
        HeapStats {
            limit: self.limit(),
            usage: self.memory_usage(),
            peak: self.peak_memory_usage(),
            #[cfg(feature = "stats")]
            live_bytes: self.live_bytes(),
            leased: self.inner.budget.leased(),
            shards_owned: caches.map_or(0, |caches| caches.shards.count_owned()),
            shards: caches.map_or(0, |caches| caches.shards.count()),
            invalid_frees: self.inner.outside.invalid_frees.get(),
        }
    }

    /// Proves that every byte of the heap's region is in exactly one place, as [`Region::verify`] does: what this heap
    /// has cached, and what its region's other heaps have.
    ///
    /// # Errors
    /// The first thing found that does not hold, with its figures.
    pub fn verify(&self) -> Result<(), VerifyError> {
        self.region().verify()
    }
}

/// Fills a fresh block with zeros.
pub(crate) fn zeroed(block: NonNull<[u8]>) -> NonNull<[u8]> {
    // SAFETY: a block just allocated, as long as its slice and the caller's alone.
    unsafe { block.cast::<u8>().write_bytes(0, block.len()) };
    block
}

#[cfg(all(test, not(loom)))]
mod tests;
