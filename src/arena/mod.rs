//! `Arena`: bump allocation from any thread through one `&Arena`, freed all at once.
//!
//! One request walks through the files like this: the thread's shard (`inner.rs`, `thread/`), a bump in its chunk
//! (`shard.rs`); no room there: a new chunk, the shared one (`shared.rs`, `refill.rs`) or an extent of its own
//! (`alone.rs`).
//! `extents.rs` has the lists of all that was taken, `handle.rs` is the arena through one shard, and the handle that
//! skips the lookup, `drops.rs` keeps values that have destructors to run, `release.rs` gives back. `allocator.rs`
//! speaks allocator-api2, `idle.rs` is the arena as its region sees it. `scratch/` is one thread's arena with stages,
//! and `recycle.rs` lends them.
//!
//! After the sharded bump chunks of `RocksDB`'s `ConcurrentArena`, without its locks and with the idle memory bounded;
//! the cursor moves down as in bumpalo.
#![expect(unsafe_code, reason = "a value just moved into the arena is referred to")]

use crate::base::debug::debug_figures;
use crate::base::error::{RegionError, VerifyError};
use crate::base::refusal::AllocValueError;
use crate::base::stats::ArenaStats;
use crate::base::unwind::Then;
use crate::region::shards::{Id, Shards};
use crate::region::{Region, client_limits};
use crate::sync::{Arc, OnceLock};

mod allocator;
mod alone;
mod builder;
mod drops;
mod extents;
mod handle;
mod idle;
mod inner;
#[cfg(all(test, loom))]
mod model;
mod recycle;
mod refill;
mod release;
mod scratch;
mod shard;
mod shared;

pub use builder::{ArenaBuilder, ScratchBuilder};
use handle::At;
pub use handle::Local;
pub(crate) use inner::Inner;
use inner::Options;
use recycle::Recycled;
pub use recycle::ScratchGuard;
pub use scratch::{Checkpoint, Scope, Scratch};
use shard::Shard;

/// Memory that all threads allocate from through one `&Arena`, freed all at once by [`reset`](Self::reset) or drop.
///
/// A request that its thread's chunk has room for takes no lock and no atomic read-modify-write. What it hands out
/// lives as long as the arena's borrow, whichever thread made it. `Send` and `Sync`; `&Arena` is an
/// [`Allocator`](allocator_api2::alloc::Allocator), whose collections may be dropped on any thread.
///
/// Values are **not dropped**, except those of [`alloc_dropped`](Self::alloc_dropped) and of
/// [`boxed::Box`](crate::boxed::Box). A block freed through the allocator, or left by an initialiser that failed, is
/// reused if it is its chunk's last. One longer than a quarter of a chunk, and any that was made under pressure, has
/// memory of its own, which goes back to the region whenever the block is freed or shrinks, under one lock.
///
/// ```
/// use sharded_arena::Arena;
///
/// let mut arena = Arena::new();
/// let words: Vec<&str> = std::thread::scope(|scope| {
///     let threads: Vec<_> = ["lock", "free"].map(|word| scope.spawn(|| &*arena.alloc_str(word))).into();
///     threads.into_iter().map(|thread| thread.join().unwrap()).collect()
/// });
/// assert_eq!(words.concat(), "lockfree"); // the threads are gone, their words are not
/// arena.reset(); // now they are: a use of `words` below would not compile
/// ```
pub struct Arena {
    inner: Arc<Inner>,
    /// `Inner`'s, one load nearer.
    id: Id<Shard>,
    /// Made at the first use.
    recycled: OnceLock<Box<Recycled>>,
}

debug_figures! { [] Arena: limit, memory_usage }
client_limits! { [] Arena: |arena| arena.inner.first_use() }

impl Default for Arena {
    fn default() -> Self {
        Self::new()
    }
}

impl Arena {
    /// An arena that only its region's capacity bounds. Reserves nothing until it is used; then a region of as much
    /// address space as the machine has memory, at most 64 GiB − 4 KiB. A page becomes memory when it is first touched.
    ///
    /// All regions that a `new` of this crate has made share 16 TiB of addresses, and each takes at most a 64th of what
    /// is left. So where hundreds or thousands of them live at once, 200 of 64 GiB or 2,000 of 8 GiB, later ones are
    /// shorter, down to 64 MiB. Where the addresses of the process are limited (`ulimit -v` or `-d`), or the system
    /// refuses as many, each takes an eighth of those that are left. A refusal then names
    /// [`LimitOwner::New`](crate::LimitOwner::New); [`with_capacity`](Self::with_capacity) and
    /// [`in_region`](Self::in_region) are not bounded so.
    ///
    /// The first use costs about a dozen system calls and 32 KiB of memory, its first chunk included: many small arenas
    /// are cheaper in one region, where each costs about 6 KB.
    #[must_use]
    pub fn new() -> Arena {
        Self::with_options(None, usize::MAX, Options::default())
    }

    /// An arena that shares `region` and its limit with other arenas and heaps. Takes nothing until used.
    #[must_use]
    pub fn in_region(region: &Region) -> Arena {
        Self::with_options(Some(region.clone()), usize::MAX, Options::default())
    }

    /// An arena with a region of its own, whose capacity and limit is `bytes`.
    ///
    /// # Errors
    /// `ZeroCapacity` for 0, `BelowLeast` below 4 KiB, `AboveGreatest` above 64 GiB − 4 KiB, `System` if the operating
    /// system refuses.
    pub fn with_capacity(bytes: usize) -> Result<Arena, RegionError> {
        Self::builder().capacity(bytes).build()
    }

    /// An arena with options.
    pub fn builder() -> ArenaBuilder {
        ArenaBuilder::default()
    }

    fn with_options(region: Option<Region>, limit: usize, options: Options) -> Arena {
        let inner = Inner::new(region, limit, options);
        Arena { id: inner.id, inner: Arc::new(inner), recycled: OnceLock::new() }
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    // ---- handles --------------------------------------------------------------------------------------------------

    /// A handle for the calling thread that skips the look-up of its shard.
    #[must_use]
    pub fn local(&self) -> Local<'_> {
        Local::new(self)
    }

    /// Lends the calling thread a stack of scratch memory, used again by its next call after the guard is dropped.
    /// Charged to this arena, freed scope by scope. A call while others are lent to the thread gives another stack.
    ///
    /// A stack that waits to be lent again keeps one chunk, within the idle memory that the limits allow; another's
    /// refusal does not find it. [`trim`](Self::trim) gives it back, and so does the stack's next guard if there is
    /// pressure.
    #[must_use]
    pub fn scratch(&self) -> ScratchGuard<'_> {
        self.recycled.get_or_init(Box::default).lend(&self.inner)
    }

    // ---- values with destructors ----------------------------------------------------------------------------------

    /// Moves `value` into the arena and runs its destructor when the arena is reset or dropped, on the thread that does
    /// that: the last value first, each thread's values by themselves. Two words more than [`alloc`](Self::alloc).
    ///
    /// # Panics
    /// If the memory is refused.
    #[track_caller]
    #[expect(clippy::mut_from_ref, reason = "each call gives another value")]
    pub fn alloc_dropped<T: Send + 'static>(&self, value: T) -> &mut T {
        match self.blocks().alloc_dropped(value) {
            // SAFETY: a fresh block that holds a `T`; it stands until the reset or the drop, which the borrow rules
            // out.
            Ok(mut value) => unsafe { value.as_mut() },
            Err((error, _)) => panic!("{error}"),
        }
    }

    /// As [`alloc_dropped`](Self::alloc_dropped), giving the value back if the memory is refused.
    ///
    /// # Errors
    /// [`AllocValueError`] with the figures of the refusal and the value.
    #[expect(clippy::mut_from_ref, reason = "each call gives another value")]
    pub fn try_alloc_dropped<T: Send + 'static>(&self, value: T) -> Result<&mut T, AllocValueError<T>> {
        match self.blocks().alloc_dropped(value) {
            // SAFETY: as in `alloc_dropped`.
            Ok(mut value) => Ok(unsafe { value.as_mut() }),
            Err((error, value)) => Err(AllocValueError { error, value }),
        }
    }

    // ---- everything at once ---------------------------------------------------------------------------------------

    /// Frees everything at once: runs the destructors of [`alloc_dropped`](Self::alloc_dropped), gives the extents back
    /// to the region and keeps each thread's chunk if it would serve a round like the last, as far as idle memory may
    /// go. Pages stay committed, so the next round asks the operating system for nothing. One lock for 60 extents.
    ///
    /// # Panics
    /// With the first destructor that panics, after all others have run and everything was freed.
    pub fn reset(&mut self) {
        if let Some(body) = self.inner.made() {
            let _then = Then((), |()| body.reset(true));
            body.drop_values();
        }
    }

    /// Gives back what is idle, and the free pages of the region to the operating system but for `keep_bytes` of them;
    /// gives the bytes returned. What is handed out stays.
    pub fn trim(&mut self, keep_bytes: usize) -> usize {
        self.recycled.take();
        self.inner.made().map_or(0, |body| body.trim(keep_bytes))
    }

    // ---- figures --------------------------------------------------------------------------------------------------

    /// Bytes the arena has taken from its region: live blocks, their rounding, chunks, scratch stacks. Exact. One load.
    #[doc(alias = "allocated_bytes")]
    #[must_use]
    pub fn memory_usage(&self) -> usize {
        self.inner.first_use().usage()
    }

    /// Greatest [`memory_usage`](Self::memory_usage) so far. One load.
    #[must_use]
    pub fn peak_memory_usage(&self) -> usize {
        self.inner.first_use().peak()
    }

    /// Bytes in blocks that callers hold, as they asked for them; what was freed through the allocator is not among
    /// them, nor what lies in scratch stacks. Exact when quiet, never below zero beside running threads. Takes the
    /// lock; a few loads a shard.
    #[cfg(feature = "stats")]
    #[must_use]
    pub fn live_bytes(&self) -> usize {
        self.inner.made().map_or(0, self::inner::Body::live_bytes)
    }

    /// The arena's figures. Takes the lock; a few loads a shard.
    #[must_use]
    pub fn stats(&self) -> ArenaStats {
        let body = self.inner.made();
        ArenaStats {
            limit: self.limit(),
            usage: self.memory_usage(),
            peak: self.peak_memory_usage(),
            #[cfg(feature = "stats")]
            live_bytes: self.live_bytes(),
            scratch_bytes: body.map_or(0, self::inner::Body::scratch_bytes),
            leased: body.map_or(0, |body| body.budget.leased()),
            shards_owned: body.map_or(0, |body| body.shards.count_owned()),
            shards: body.map_or(0, |body| body.shards.count()),
        }
    }

    /// Proves that what the arena has taken from its region is what it has on its lists. For tests and debugging:
    /// visits every extent; nobody else may use the region meanwhile, nor a [`Scratch`] that was moved out of its
    /// guard.
    ///
    /// # Errors
    /// The first thing found that does not hold, with its figures.
    pub fn verify(&mut self) -> Result<(), VerifyError> {
        self.inner.made().map_or(Ok(()), self::inner::Body::verify)
    }

    /// What the typed methods stand on.
    #[inline(always)]
    pub(crate) fn blocks(&self) -> At<'_> {
        At { arena: self, shard: self.shard() }
    }

    /// The calling thread's shard. What stands in the arena itself is one load nearer than `Inner`.
    #[inline(always)]
    fn shard(&self) -> &Shard {
        Shards::of_thread(&self.id, || self.inner.shard_cold())
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.recycled.take();
        // Without other users the region goes as a whole, its extents with it.
        let goes = |body: &mut inner::Body| body.region.wipe().is_none() && body.region.is_last();
        let alone = Arc::get_mut(&mut self.inner).and_then(Inner::made_mut).is_some_and(goes);
        if let Some(body) = self.inner.made() {
            let _then = Then((), |()| {
                if !alone {
                    body.reset(false);
                }
            });
            body.drop_values();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
