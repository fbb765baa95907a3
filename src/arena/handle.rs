//! `At`: an arena through the shard of one thread; `Local`, the same as a public handle that pins the shard.
//!
//! Both refer to the thread's shard and never copy its cursor, so nested handles share it. A `Local` may be used even
//! while its thread's destructors run. Leaked, it costs that one shard until the arena is reset.
#![expect(unsafe_code, reason = "implements an unsafe trait")]

use core::alloc::Layout;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::base::error::{AllocError, AllocErrorKind};
use crate::bump::blocks::{Blocks, SharedCursor, resize_shared};
use crate::region::Wipe;
use crate::region::shards::OwnedShard;

use super::Arena;
use super::inner::Body;
use super::shard::Shard;

/// An arena and the shard through which one thread uses it.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(super) arena: &'a Arena,
    pub(super) shard: &'a Shard,
}

// SAFETY: a block is a range of an extent below its chunk's cursor, of the shared chunk's room, or an extent of its
// own; each is handed out once until the reset (INV-arena.shard-1, INV-arena.shared-1), in the region, which stands
// with the arena.
unsafe impl Blocks for At<'_> {
    #[inline(always)]
    fn bump(self, layout: Layout) -> Option<NonNull<u8>> {
        self.shard.bump(layout)
    }

    #[cold]
    #[inline(never)]
    fn alloc_cold(self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.arena.inner().alloc_cold(self.shard, layout)
    }

    #[inline]
    unsafe fn resize_in_place(self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>> {
        if new.size() < old.size()
            && let Some(wipe) = self.wiping()
        {
            // Below its place it would leave more than its tail.
            let stays = ptr.addr().get().is_multiple_of(new.align());
            return stays.then(|| {
                self.count(new.size(), old.size());
                // SAFETY: the caller's block, of which it uses the first bytes only.
                unsafe { wipe.fill_left(ptr, old.size(), ptr, new.size()) };
                // SAFETY: as above.
                unsafe { self.shrink_alone(ptr, old, new) };
                ptr
            });
        }
        // SAFETY: the caller's contract.
        let mut block = unsafe { self.shard.resize(ptr, old, new) };
        if block.is_none() {
            if new.size() < old.size()
                && ptr.addr().get().is_multiple_of(new.align())
                // SAFETY: the caller's block, which stays, and of which it uses the first bytes only.
                && unsafe { self.shrink_alone(ptr, old, new) }
            {
                self.count(new.size(), old.size());
                return Some(ptr);
            }
            let body = self.arena.inner().made()?;
            if new.size() > old.size() {
                // SAFETY: the caller's block.
                let grown = unsafe { body.grow_alone(ptr, old, new) };
                if grown.is_some() {
                    self.count(new.size(), old.size());
                    return grown;
                }
            }
            // SAFETY: the caller's contract.
            block = unsafe { body.resize_shared(ptr, old, new) };
            if block.is_some() {
                self.count(new.size(), old.size());
            }
        }
        if let Some(to) = block
            && to.addr().get() + new.size() < ptr.addr().get() + old.size()
            && let Some(wipe) = self.wiping()
        {
            // SAFETY: the block has grown, and moved down; between it and the one before it nothing is anybody's.
            unsafe { wipe.fill_left(ptr, old.size(), to, new.size()) };
        }
        block
    }

    #[inline]
    unsafe fn free_nonzero(self, ptr: NonNull<u8>, layout: Layout) {
        if let Some(body) = self.arena.inner().made() {
            // SAFETY: the caller's block, which it uses no more.
            unsafe { body.region.wipe_bytes(ptr, layout.size()) };
        }
        if !self.shard.is_none() && self.shard.free(ptr, layout) {
            return;
        }
        if let Some(body) = self.arena.inner().made() {
            if self.shard.is_none() {
                body.count_outside(0, layout.size());
            }
            // SAFETY: the caller's block, which it uses no more.
            if unsafe { body.free_alone(ptr, layout.size()) } {
                return;
            }
            let offset = body.memory.offset_at(ptr.addr().get());
            body.shared.shift(offset, offset + layout.size());
        }
    }

    fn refusal(self, requested: usize, align: usize, kind: AllocErrorKind) -> AllocError {
        self.arena.inner().refusal(requested, align, kind)
    }
}

impl At<'_> {
    /// What the region fills freed memory with, if it does.
    fn wiping(self) -> Option<Wipe> {
        self.arena.inner().made().and_then(|body| body.region.wipe())
    }

    /// Gives back what a shrinking block has no need of any more, if it is alone; `false` if it is not.
    ///
    /// # Safety
    /// The block at `ptr`, of `old`, is the caller's, and becomes one of `new` where it is.
    unsafe fn shrink_alone(self, ptr: NonNull<u8>, old: Layout, new: Layout) -> bool {
        // SAFETY: this function's contract.
        self.arena.inner().made().is_some_and(|body| unsafe { body.shrink_alone(ptr, old.size(), new.size()) })
    }

    /// Counts bytes handed out and taken back.
    fn count(&self, allocated: usize, freed: usize) {
        if !self.shard.is_none() {
            self.shard.count(allocated, freed);
        } else if let Some(body) = self.arena.inner().made() {
            body.count_outside(allocated, freed);
        }
    }
}

impl Body {
    /// Counts bytes handed out and taken back by a thread without a shard.
    pub(super) fn count_outside(&self, allocated: usize, freed: usize) {
        if cfg!(feature = "stats") {
            self.outside.allocated.add(allocated as u64);
            self.outside.freed.add(freed as u64);
        }
    }

    /// # Safety
    /// As for [`Blocks::resize_in_place`].
    unsafe fn resize_shared(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>> {
        let base = self.memory.base().addr().get();
        // SAFETY: the caller's contract; offsets down to the shared chunk's start lie in the region.
        unsafe { resize_shared(&*self.shared, base, |offset| self.memory.byte(offset), ptr, old, new) }
    }
}

/// A handle of an arena for one thread, without the look-up of its shard; see [`Arena::local`]. What it hands out lives
/// as long as the arena's borrow, not as the handle: it outlives the thread. It is an
/// [`Allocator`](allocator_api2::alloc::Allocator), whose collections stay on the thread; the arena has its figures.
///
/// ```
/// use sharded_arena::Arena;
/// let arena = Arena::new();
/// let names: Vec<&str> = std::thread::scope(|scope| {
///     let build = |part: usize| {
///         let local = arena.local();
///         (0..3).map(|n| &*local.alloc_fmt(format_args!("{part}.{n}"))).collect::<Vec<&str>>()
///     };
///     let threads: Vec<_> = (0..2).map(|part| scope.spawn(move || build(part))).collect();
///     threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
/// });
/// assert_eq!(names, ["0.0", "0.1", "0.2", "1.0", "1.1", "1.2"]); // the threads are gone
/// ```
#[doc(alias = "LocalArena")]
pub struct Local<'a> {
    at: At<'a>,
    /// Neither Send nor Sync: the shard is this thread's.
    thread: PhantomData<*const ()>,
}

impl fmt::Debug for Local<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("has_shard", &!self.at.shard.is_none()).finish_non_exhaustive()
    }
}

impl<'a> Local<'a> {
    pub(super) fn new(arena: &'a Arena) -> Self {
        Self::on(arena.blocks())
    }

    /// Returns the arena that this is a handle of.
    #[must_use]
    pub fn arena(&self) -> &'a Arena {
        self.at.arena
    }

    /// A handle through a shard that is the calling thread's or none's.
    pub(super) fn on(at: At<'a>) -> Self {
        if !at.shard.is_none() {
            at.shard.pins.pin();
        }
        Self { at, thread: PhantomData }
    }

    /// What the typed methods stand on.
    #[inline(always)]
    pub(crate) fn blocks(&self) -> At<'a> {
        self.at
    }
}

impl Drop for Local<'_> {
    fn drop(&mut self) {
        if !self.at.shard.is_none() {
            self.at.shard.pins.unpin();
        }
    }
}
