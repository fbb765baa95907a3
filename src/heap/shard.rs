//! `Shard`: a thread's private part of a heap: per size class a loaded and a previous magazine.
//!
//! The loaded magazine is unpacked into its class's entry: how many blocks, how many fit, where the slots are. The fast
//! paths are a pop and a push there, plain memory. A class without a magazine has `len = cap = 0`, so a denied lease,
//! pressure, checked mode and the shared path need no branch of their own.
//!
//! - INV-heap.shard-1: `entry.len <= entry.cap`, `entry.slots` points to at least `cap` slots of the loaded node, which
//!   this shard holds and which stands as long as the heap.
//! - INV-heap.shard-2: the loaded node's own `len` is stale; [`Shard::unload`] writes it back.
//! - INV-heap.shard-3: `held = Σ lease` of the loaded and previous nodes, and of the pocket.
//!
//! Used by one thread at a time: the owner, or the holder of the region's lock once the owner is dead
//! (INV-region.shards-2). What others may read as a hint are single-writer words.
#![expect(unsafe_code, reason = "follows the pointer to the loaded magazine's slots")]

use core::cell::Cell;

use crate::base::extent::Extent;
use crate::base::size_class::{COUNT, Class};
use crate::depot::magazine::{NodeRef, Nodes, lease_bytes};
use crate::region::shards::{OwnedShard, Pins, owned_shard};
use crate::sync::{AtomicU64, Ghost, Owned32, Owned64};

use super::pocket::Pocket;

/// One class's magazines in a shard.
#[repr(C)]
struct ClassEntry {
    len: Owned32,
    cap: Owned32,
    slots: Cell<*const Owned32>,
    loaded: Owned32,
    previous: Owned32,
}

impl ClassEntry {
    const fn empty() -> ClassEntry {
        ClassEntry {
            len: Owned32::zero(),
            cap: Owned32::zero(),
            slots: Cell::new(core::ptr::null()),
            loaded: Owned32::zero(),
            previous: Owned32::zero(),
        }
    }
}

impl ClassEntry {
    /// Slot `at` of the loaded magazine.
    ///
    /// # Safety
    /// `at < cap`.
    #[inline(always)]
    unsafe fn slot(&self, at: u32) -> &Owned32 {
        // SAFETY: `pointer::add`: at < cap, and `slots` points to at least `cap` slots of one node (INV-heap.shard-1).
        let slot = unsafe { self.slots.get().add(at as usize) };
        // SAFETY: an atomic of a node that stands as long as the heap (INV-heap.shard-1).
        unsafe { &*slot }
    }
}

/// See the module's header.
#[repr(C, align(128))]
pub(crate) struct Shard {
    ghost: Ghost,
    /// Bytes ever handed out and taken back through this shard, as asked for; both wrap.
    allocated: Owned64,
    freed: Owned64,
    held: Owned64,
    /// Pressure last acted upon.
    seen: Owned64,
    /// Bytes that it was served under pressure since it last had to give something back.
    served: Owned64,
    pub(crate) pins: Pins,
    pub(super) pocket: Pocket,
    entries: [ClassEntry; COUNT],
}

// SAFETY: the cells are used by one thread at a time (INV-region.shards-2: owner words change hands under the region's
// lock only); everything else is atomic. The pointers lead into the heap's depot, which has no thread affinity.
unsafe impl Sync for Shard {}
// SAFETY: as for Sync.
unsafe impl Send for Shard {}

owned_shard! {
    hot: false,
    // SAFETY: atomic integers, null pointers, and a ghost (zero-sized outside the model checker).
    unsafe Shard {
        ghost: Ghost::new(),
        allocated: Owned64::zero(),
        freed: Owned64::zero(),
        held: Owned64::zero(),
        seen: Owned64::zero(),
        served: Owned64::zero(),
        pins: Pins::new(AtomicU64::new(0)),
        pocket: Pocket::empty(),
        entries: [const { ClassEntry::empty() }; COUNT],
    }
}

impl Shard {
    #[inline(always)]
    fn entry(&self, class: Class) -> &ClassEntry {
        &self.entries[class.index()]
    }

    // ---- fast paths -----------------------------------------------------------------------------------------------

    /// Takes a block from the loaded magazine.
    #[inline(always)]
    pub(crate) fn pop(&self, class: Class) -> Option<u32> {
        let entry = self.entry(class);
        let len = entry.len.get().checked_sub(1)?;
        self.enter();
        entry.len.set(len);
        // SAFETY: INV-heap.shard-1: len < cap.
        Some(unsafe { entry.slot(len) }.get())
    }

    /// Puts a block into the loaded magazine, if it fits.
    #[inline(always)]
    pub(crate) fn push(&self, class: Class, granule: u32) -> bool {
        let entry = self.entry(class);
        let len = entry.len.get();
        if len >= entry.cap.get() {
            return false;
        }
        self.enter();
        // SAFETY: INV-heap.shard-1: len < cap.
        unsafe { entry.slot(len) }.set(granule);
        entry.len.set(len + 1);
        true
    }

    /// Counts `bytes` handed out.
    #[inline(always)]
    pub(crate) fn count_alloc(&self, bytes: usize) {
        self.allocated.set(self.allocated.get().wrapping_add(bytes as u64));
    }

    /// Counts `bytes` taken back.
    #[inline(always)]
    pub(crate) fn count_free(&self, bytes: usize) {
        self.freed.set(self.freed.get().wrapping_add(bytes as u64));
    }

    /// Bytes ever handed out, wrapping. For any thread.
    #[cfg(feature = "stats")]
    pub(crate) fn allocated(&self) -> u64 {
        self.allocated.get()
    }

    /// Bytes ever taken back, wrapping. For any thread.
    #[cfg(feature = "stats")]
    pub(crate) fn freed(&self) -> u64 {
        self.freed.get()
    }

    // ---- magazines, by the shard's user ---------------------------------------------------------------------------

    /// The loaded magazine of `class`, or none.
    pub(crate) fn loaded(&self, class: Class) -> NodeRef {
        NodeRef::from_bits(self.entry(class).loaded.get())
    }

    /// The previous magazine of `class`, or none.
    pub(crate) fn previous(&self, class: Class) -> NodeRef {
        NodeRef::from_bits(self.entry(class).previous.get())
    }

    pub(crate) fn set_previous(&self, class: Class, node: NodeRef) {
        self.entry(class).previous.set(node.bits());
    }

    /// Makes `node`, which this shard holds, the loaded magazine; there is none now.
    pub(crate) fn load(&self, nodes: &Nodes, class: Class, node: NodeRef) {
        let (entry, at) = (self.entry(class), nodes.get(node));
        debug_assert!(self.loaded(class).is_none());
        entry.loaded.set(node.bits());
        entry.slots.set(at.slots.as_ptr());
        entry.cap.set(at.cap());
        entry.len.set(at.len());
    }

    /// Takes the loaded magazine out of the entry, with its true length.
    pub(crate) fn unload(&self, nodes: &Nodes, class: Class) -> NodeRef {
        let (entry, node) = (self.entry(class), self.loaded(class));
        if !node.is_none() {
            nodes.get(node).set_len(entry.len.get());
            entry.len.set(0);
            entry.cap.set(0);
            entry.loaded.set(NodeRef::NONE.bits());
        }
        node
    }

    /// Exchanges the loaded magazine, if any, with the previous one, which there is.
    pub(crate) fn swap(&self, nodes: &Nodes, class: Class) {
        let previous = self.previous(class);
        let loaded = self.unload(nodes, class);
        self.set_previous(class, loaded);
        self.load(nodes, class, previous);
    }

    /// Blocks in the loaded magazine.
    pub(crate) fn loaded_len(&self, class: Class) -> u32 {
        self.entry(class).len.get()
    }

    /// Removes the lowest `count` blocks of the loaded magazine, handing each to `sink`.
    pub(crate) fn take_lowest(&self, nodes: &Nodes, class: Class, count: u32, mut sink: impl FnMut(u32)) {
        let (entry, node) = (self.entry(class), nodes.get(self.loaded(class)));
        let len = entry.len.get();
        let count = count.min(len);
        for slot in &node.slots[..count as usize] {
            sink(slot.get());
        }
        for at in count..len {
            node.slots[(at - count) as usize].set(node.slots[at as usize].get());
        }
        entry.len.set(len - count);
    }

    /// Appends blocks to the loaded magazine.
    pub(crate) fn fill(&self, class: Class, granules: impl Iterator<Item = u32>) {
        for granule in granules {
            let pushed = self.push(class, granule);
            debug_assert!(pushed, "a refill is at most half a magazine");
        }
    }

    // ---- figures --------------------------------------------------------------------------------------------------

    /// Bytes of lease this shard's magazines carry.
    #[expect(clippy::cast_possible_truncation, reason = "a part of the address space")]
    pub(crate) fn held(&self) -> usize {
        self.held.get() as usize
    }

    pub(crate) fn hold(&self, bytes: usize) {
        self.held.set((self.held() + bytes) as u64);
    }

    pub(crate) fn release(&self, bytes: usize) {
        debug_assert!(bytes <= self.held(), "INV-heap.shard-3");
        self.held.set(self.held().saturating_sub(bytes) as u64);
    }

    pub(crate) fn seen(&self) -> u64 {
        self.seen.get()
    }

    pub(crate) fn set_seen(&self, pressure: u64) {
        self.seen.set(pressure);
    }

    #[expect(clippy::cast_possible_truncation, reason = "saturates below 2^32")]
    pub(crate) fn served(&self) -> usize {
        self.served.get() as usize
    }

    pub(crate) fn set_served(&self, bytes: usize) {
        self.served.set(bytes.min(Self::MOST_SERVED) as u64);
    }

    /// More of it makes no difference.
    const MOST_SERVED: usize = 1 << 30;

    /// Takes the next magazine out of the shard, its lease no longer held here, unless it has more than `most` blocks.
    /// Begins with the class of index `first`, which goes on to where the next may be.
    pub(crate) fn take_from(&self, nodes: &Nodes, first: &mut usize, most: u32) -> Option<NodeRef> {
        if self.held() == self.pocket.lease() {
            return None;
        }
        while *first < COUNT {
            let class = Class::from_index(*first);
            let (loaded, previous) = (self.loaded(class), self.previous(class));
            if loaded.is_none() && previous.is_none() {
                *first += 1;
                continue;
            }
            let blocks = if loaded.is_none() { nodes.get(previous).len() } else { self.loaded_len(class) };
            if blocks > most {
                return None;
            }
            if loaded.is_none() {
                self.set_previous(class, NodeRef::NONE);
            } else {
                self.unload(nodes, class);
            }
            let node = if loaded.is_none() { previous } else { loaded };
            self.release(lease_bytes(class, nodes.get(node).cap()));
            return Some(node);
        }
        None
    }

    /// Calls `each` for every cached block. The shard's user only.
    pub(crate) fn for_cached(&self, nodes: &Nodes, mut each: impl FnMut(Extent)) {
        self.pocket.extents().for_each(&mut each);
        let mut each = |class: Class, granule| each(Extent::new(granule, class.granules()));
        for class in (0..COUNT).map(Class::from_index) {
            let (loaded, previous) = (self.loaded(class), self.previous(class));
            if !loaded.is_none() {
                nodes.get(loaded).slots[..self.loaded_len(class) as usize].iter().for_each(|s| each(class, s.get()));
            }
            if !previous.is_none() {
                let node = nodes.get(previous);
                node.slots[..node.len() as usize].iter().for_each(|slot| each(class, slot.get()));
            }
        }
    }
}
