//! `Region`: a mapping, its free index and its limit, behind the only lock of the crate.
//!
//! - INV-region-1: `usage == 16 × (index.used − trimming) + reserved + index_charged`: a trimming extent is used in
//!   the index but not handed out, reserved bytes are charged but not taken yet, and so are those that the index may
//!   need.
//! - INV-region-2: `usage == Σ usage of the registered heaps + reserved + index_charged + orphaned + quarantined`: what
//!   callers of a heap that is gone have leaked stays charged until the region goes, what is quarantined until it
//!   leaves the quarantine (`quarantine.rs`).
//!
//! Synchronised by `ListedMutex<State>`: extents, usages, peaks, limits, pressure and shard owners change only inside a
//! [`Section`]. Under the lock there is no system call, no allocation, no user code: a section is a closure over plain
//! figures, at most 60 blocks long outside the drop of a whole heap; a search for an aligned place that has to look at
//! more free extents takes several. One that refuses, or gives figures, looks at each heap and arena of the region too.
//!
//! Layer rule: heaps and arenas stand above the region; it reaches what they have cached through the list of `sets.rs`.
#![expect(unsafe_code, reason = "the mapping's base; lists the lock; sends the list of shard sets")]

use core::mem::{ManuallyDrop, MaybeUninit};
use core::ptr::NonNull;

use crate::base::debug::debug_figures;
use crate::base::error::RegionError;
use crate::base::extent::Extent;
use crate::base::size_class::{GRANULE_BYTES, longest_bytes};
use crate::best_fit::{BestFit, Tables};
use crate::memory::mapping::{Mapping, page_bytes};
use crate::sync::{Arc, CachePadded, ListedMutex};
use crate::thread;

mod account;
pub(crate) mod budget;
mod builder;
mod client;
mod first_use;
mod insight;
mod lazy;
mod memory;
mod published;
mod quarantine;
mod request;
mod reservation;
mod returns;
mod section;
pub(crate) mod segments;
mod sets;
pub(crate) mod shards;
mod take;
mod trim;
mod wipe;

pub(crate) use account::Account;
use budget::{Budget, SLACK_DIVISOR};
pub use builder::RegionBuilder;
pub(crate) use client::{Client, Home, client_limits, home_setters};
pub(crate) use first_use::FirstUse;
pub(crate) use memory::Memory;
use published::Published;
pub(crate) use request::{Asked, Wanted};
pub use reservation::RegionReservation;
pub(crate) use returns::Returns;
use section::Blocker;
pub(crate) use section::Section;
use sets::Sets;
pub(crate) use sets::{Links, ShardSet, Sweep};
pub(crate) use take::{Idle, OwnIdle};
pub(crate) use wipe::Wipe;

/// Least capacity of a region, in bytes.
pub(crate) const LEAST_BYTES: usize = 4096;
/// Greatest capacity of a region, in bytes: 2^32 − 256 granules.
pub(crate) const MOST_BYTES: u64 = (64 << 30) - 4096;

/// A handle of a bounded region of memory. Cheap to clone, `Send` and `Sync`; the memory goes with the last handle and
/// the last heap or arena in it.
///
/// It counts what it has handed out as extents. What callers have asked for is known to its heaps and arenas, each for
/// itself (`live_bytes`).
///
/// ```
/// use sharded_arena::{Heap, Region};
/// let region = Region::with_capacity(1 << 20)?;
/// let (a, b) = (Heap::in_region(&region), Heap::in_region(&region));
/// let block = a.alloc(std::alloc::Layout::new::<[u8; 100]>())?;
/// assert!(region.contains(block.as_ptr().cast()) && region.memory_usage() <= region.limit());
/// assert_eq!(b.memory_usage(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Region {
    shared: Arc<Shared>,
}

/// What the handles of a region share.
pub(crate) struct Shared {
    mapping: Mapping,
    memory: Memory,
    capacity: usize,
    /// Bytes of the longest block of a class.
    longest_short: usize,
    /// Where the index's tables are, for calls of the system outside the lock.
    tables: Tables,
    budget: Budget,
    slack_divisor: usize,
    wipe: Option<Wipe>,
    /// Granules of a page, in guard mode.
    guard_page: Option<u32>,
    /// Of a region that an arena made for itself.
    quota: Option<lazy::Quota>,
    /// What is read without the lock, on a line of its own.
    published: CachePadded<Published>,
    /// The lock on a line of its own: those who wait for it do not slow its holder.
    state: CachePadded<ListedMutex<CachePadded<State>>>,
}

/// What the lock guards.
struct State {
    index: BestFit,
    /// What was last published of it.
    longest: u32,
    sets: Sets,
    /// Thread exits counted at the last complete sweep.
    swept: u64,
    /// Used in the index but handed to nobody, while the system takes its pages.
    trimming: Option<Extent>,
    /// Bytes charged to reservations and not yet drawn.
    reserved: usize,
    /// Bytes charged for the index, if the limit covers it.
    index_charged: usize,
    /// Bytes that callers of dropped heaps have leaked.
    orphaned: usize,
    /// Granules that wait in the quarantines of checked heaps.
    waiting: u32,
    /// The region's own quarantine, in guard mode.
    guard: Option<quarantine::Quarantine>,
}

// SAFETY: the list's pointers are used under the lock only, whichever thread holds it, and are valid there
// (INV-region.sets-1); the sets they lead to are Sync.
unsafe impl Send for State {}

debug_figures! { [] Region: capacity, limit, memory_usage }

impl Region {
    /// Reserves a region of `bytes` bytes (rounded up to the page), which is also its limit.
    ///
    /// What is reserved is address space; a page becomes memory when it is first touched, and is zero then. From 4 MiB
    /// on huge pages are asked for, see [`Region::builder`]. One mapping of the system and a few for the index.
    ///
    /// # Errors
    /// `ZeroCapacity` for 0, `BelowLeast` below 4 KiB, `AboveGreatest` above 64 GiB − 4 KiB, `System` if the operating
    /// system refuses.
    pub fn with_capacity(bytes: usize) -> Result<Region, RegionError> {
        Region::builder().capacity(bytes).build()
    }

    /// A region with options.
    pub fn builder() -> RegionBuilder {
        RegionBuilder::new()
    }

    /// A region over the caller's memory, which is never returned to the system.
    ///
    /// # Errors
    /// `BelowLeast`, or `ZeroCapacity`, below 4 KiB after rounding the base up to 16 bytes, `AboveGreatest` above 64
    /// GiB − 4 KiB.
    pub fn over(memory: &'static mut [MaybeUninit<u8>]) -> Result<Region, RegionError> {
        let (base, len) = (NonNull::from(&mut *memory).cast::<u8>(), memory.len());
        // SAFETY: a static exclusive borrow: valid for ever, and nobody else's.
        unsafe { Region::from_raw_parts(base, len) }
    }

    /// A region over memory that the caller answers for.
    ///
    /// # Errors
    /// `BelowLeast`, or `ZeroCapacity`, below 4 KiB after rounding the base up to 16 bytes, `AboveGreatest` above 64
    /// GiB − 4 KiB, `Overflow` if `base + len` passes the end of the address space.
    ///
    /// # Safety
    /// `[base, base + len)` is one allocated object, readable and writable, and used by nobody else until the last
    /// handle of the region, and the last heap or arena in it, is gone.
    pub unsafe fn from_raw_parts(base: NonNull<u8>, len: usize) -> Result<Region, RegionError> {
        base.addr().get().checked_add(len).ok_or(RegionError::Overflow)?;
        // SAFETY: this function's contract is the mapping's.
        let mapping = unsafe { Mapping::from_caller(base, len) };
        Region::on(mapping, len, SLACK_DIVISOR, None)
    }

    pub(crate) fn on(
        mapping: Mapping,
        limit: usize,
        slack_divisor: usize,
        wipe: Option<Wipe>,
    ) -> Result<Region, RegionError> {
        let start = mapping.base().addr().get();
        let pad = start.next_multiple_of(GRANULE_BYTES) - start;
        let capacity = mapping.len().saturating_sub(pad) / GRANULE_BYTES * GRANULE_BYTES;
        if capacity < LEAST_BYTES {
            return Err(RegionError::below(mapping.len().saturating_sub(pad), LEAST_BYTES));
        }
        if capacity as u64 > MOST_BYTES {
            return Err(RegionError::above(mapping.len(), MOST_BYTES));
        }
        // SAFETY: `NonNull::add`: pad < len, one allocated object (INV-memory.mapping-1).
        let base = unsafe { mapping.base().add(pad) };
        let granules = u32::try_from(capacity / GRANULE_BYTES).map_err(|_| RegionError::above(capacity, MOST_BYTES))?;
        let index = BestFit::new(granules, (base.addr().get() / GRANULE_BYTES) as u64)?;
        let guard_page = u32::try_from(page_bytes() / GRANULE_BYTES).ok().filter(|_| mapping.can_hide());
        let guard = guard_page.map(|page| quarantine::Quarantine::reserve(granules, page)).transpose()?;
        let tables = index.tables();
        let state = State {
            index,
            longest: Published::ASK,
            sets: Sets::new(),
            swept: 0,
            trimming: None,
            reserved: 0,
            index_charged: 0,
            orphaned: 0,
            waiting: 0,
            guard,
        };
        let budget = Budget::new(limit, capacity, slack_divisor);
        let shared = Shared {
            mapping,
            memory: Memory::new(base),
            capacity,
            longest_short: longest_bytes(capacity),
            tables,
            budget,
            slack_divisor,
            wipe,
            guard_page,
            quota: None,
            published: CachePadded::new(Published::new()),
            state: CachePadded::new(ListedMutex::new(CachePadded::new(state))),
        };
        let shared = Arc::new(shared);
        // SAFETY: what an `Arc` holds does not move, and is dropped.
        unsafe { shared.state.list() }?;
        Ok(Region { shared })
    }

    /// Bytes of address space that can be handed out; what was asked for, rounded up to the page.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shared.capacity
    }

    /// Bytes that may be handed out at once; what was asked for. One load.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.shared.budget.limit()
    }

    /// Changes the limit. Takes the lock. Usage above a lowered limit, idle blocks included, stays until it is freed or
    /// flushed. Meanwhile the region hands out nothing new; a thread may still be served from blocks it has cached,
    /// which it gives back at its next call that finds none.
    pub fn set_limit(&self, bytes: usize) {
        self.section(|section| {
            section.shared.budget.set_limit(bytes);
            if section.state.index_charged > 0 {
                section.charge_index();
            }
        });
    }

    /// Charges what the index may need under the limit, in an unused region.
    ///
    /// # Errors
    /// `BelowLeast` if that is more than the limit.
    fn charge_index(&self) -> Result<(), RegionError> {
        let needed = self.shared.tables.worst_bytes(self.limit(), GRANULE_BYTES);
        if self.limit() < needed {
            return Err(RegionError::below(self.limit(), needed));
        }
        self.section(|section| {
            let charged = section.charge_index();
            debug_assert_eq!(charged, needed, "nothing else is charged");
        });
        Ok(())
    }

    /// Bytes handed out: live blocks, their rounding, and what shards hold idle. Exact. One load.
    ///
    /// What ended threads hold idle goes back by [`Heap::flush`](crate::Heap::flush), which says when a thread of
    /// `std::thread::scope` has ended.
    #[doc(alias = "allocated_bytes")]
    #[must_use]
    pub fn memory_usage(&self) -> usize {
        self.shared.budget.usage()
    }

    /// Greatest [`Region::memory_usage`] so far. One load.
    #[must_use]
    pub fn peak_memory_usage(&self) -> usize {
        self.shared.budget.peak()
    }

    /// Whether `ptr` is an address of the region. No lock.
    #[must_use]
    pub fn contains(&self, ptr: *const u8) -> bool {
        self.offset_of(ptr).is_some()
    }

    /// Address of the region's first byte.
    #[must_use]
    pub fn base(&self) -> NonNull<u8> {
        self.shared.memory.base()
    }

    /// Returns where the region's granules are.
    pub(crate) fn memory(&self) -> Memory {
        self.shared.memory
    }

    /// Bytes from the base to `ptr`; none outside the region. No lock.
    #[must_use]
    pub fn offset_of(&self, ptr: *const u8) -> Option<usize> {
        ptr.addr().checked_sub(self.base().addr().get()).filter(|offset| *offset < self.shared.capacity)
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.shared.budget
    }

    pub(crate) fn slack_divisor(&self) -> usize {
        self.shared.slack_divisor
    }

    /// Whether no other handle, heap or arena has the region. Only a caller that is about to drop its own may rely on
    /// it.
    pub(crate) fn is_last(&self) -> bool {
        // Counted through a copy of the handle: a `&mut` of this one would claim a part of what holds it, to which the
        // region's list may lead other threads.
        // SAFETY: the copy is neither dropped nor handed on, so the count stays that of the handles there are.
        let mut copy = ManuallyDrop::new(unsafe { core::ptr::read(&raw const self.shared) });
        Arc::get_mut(&mut copy).is_some()
    }

    /// Bytes that one of `shards` shards may hold idle under the limits of `own` and of the region.
    pub(crate) fn share(&self, own: &Budget, shards: usize) -> usize {
        own.share(shards).min(self.shared.budget.share(shards))
    }

    /// Leases `bytes` under both limits.
    pub(crate) fn grant(&self, own: &Budget, bytes: usize) -> bool {
        if !own.grant(bytes) {
            return false;
        }
        let granted = self.shared.budget.grant(bytes);
        // From now on the thread may hold something idle.
        thread::set_look(None);
        if !granted {
            // The passing excess can deny another's lease, never refuse a request.
            own.end_lease(bytes);
        }
        granted
    }

    /// Ends what was leased under both limits.
    pub(crate) fn end_lease(&self, own: &Budget, bytes: usize) {
        self.shared.budget.end_lease(bytes);
        own.end_lease(bytes);
    }

    /// Has the processor fetch what giving `extent` back looks at first.
    #[inline]
    pub(crate) fn prefetch(&self, extent: Extent) {
        self.shared.tables.prefetch(extent);
    }

    /// Something became idle that a refused request of another thread may count on.
    pub(crate) fn raise_idled(&self) {
        self.shared.published.raise_idled();
    }

    /// Runs `body` inside the critical section.
    pub(crate) fn section<R>(&self, body: impl FnOnce(&mut Section<'_>) -> R) -> R {
        self.shared.state.with(|state| {
            let result = body(&mut Section { shared: &self.shared, state, refusing: false });
            state.publish(&self.shared.published);
            result
        })
    }
}

impl Region {
    /// Gives back what ended threads have left cached, one magazine a section.
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method is not general enough over its lifetime")]
    pub(crate) fn sweep(&self) {
        while self.section(|section| section.sweep_one()) {}
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
