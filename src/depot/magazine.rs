//! Magazines: bounded stacks of free blocks of one class, in nodes of two sizes.
//!
//! A node holds granule numbers, never pointers. Nodes are type-stable: they live in tables reserved with the depot and
//! are not freed before it, so a thread may look at the `next` of a node that another has just popped.
//!
//! - INV-depot.magazine-1: a node is in exactly one place: one shard, one full stack, one spare stack, or one running
//!   operation. Whoever has it there is its *holder* and alone writes it; its ghost is entered by every holder.
//! - INV-depot.magazine-2: `len <= cap <= SLOTS` of its size.
//! - INV-depot.magazine-3: `lease = max(cap × class bytes, node bytes)`; a node with `cap = 0` has none.
//!
//! `next` is written by the pusher before its exchange; the rest by the holder. Synchronised by the heads (see depot).

use crate::base::size_class::{Class, LARGE_SLOTS, SMALL_SLOTS};
use crate::base::system::SystemRefusal;
use crate::memory::table::{Table, Zeroable};
use crate::sync::{AtomicU32, Ghost, Owned32, Relaxed};

/// Names a node, or none. Bit 23 tells the size, the other 23 bits are the index plus one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeRef(u32);

const LARGE_BIT: u32 = 1 << 23;

impl NodeRef {
    pub(crate) const NONE: NodeRef = NodeRef(0);
    /// Bits that a reference takes in a tagged word.
    pub(crate) const BITS: u32 = 24;

    pub(crate) fn from_bits(bits: u32) -> NodeRef {
        NodeRef(bits)
    }
    pub(crate) fn bits(self) -> u32 {
        self.0
    }
    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }
    pub(crate) fn size(self) -> NodeSize {
        if self.0 & LARGE_BIT == 0 { NodeSize::Small } else { NodeSize::Large }
    }
    fn index(self) -> usize {
        debug_assert!(!self.is_none());
        (self.0 & !LARGE_BIT) as usize - 1
    }
}

/// The two node sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeSize {
    Small,
    Large,
}

impl NodeSize {
    /// The smallest node with `cap` slots.
    #[expect(clippy::cast_possible_truncation, reason = "a dozen")]
    pub(crate) fn for_capacity(cap: u32) -> NodeSize {
        if cap <= SMALL_SLOTS as u32 { NodeSize::Small } else { NodeSize::Large }
    }

    /// Bytes of one node.
    fn bytes(self) -> usize {
        match self {
            NodeSize::Small => 16 + 4 * SMALL_SLOTS,
            NodeSize::Large => 16 + 4 * LARGE_SLOTS,
        }
    }
}

/// Bytes of lease of a magazine of `cap` blocks (INV-depot.magazine-3).
pub(crate) fn lease_bytes(class: Class, cap: u32) -> usize {
    if cap == 0 {
        return 0;
    }
    (cap as usize * class.bytes()).max(NodeSize::for_capacity(cap).bytes())
}

/// A magazine's memory.
#[derive(Debug)]
#[repr(C)]
struct NodeOf<const SLOTS: usize> {
    next: AtomicU32,
    len: Owned32,
    cap: Owned32,
    class: Owned32,
    slots: [Owned32; SLOTS],
    ghost: Ghost,
}

// SAFETY: atomic integers and a ghost (zero-sized outside the model checker, where tables are built value by value).
#[expect(unsafe_code, reason = "asserts that zero bytes are a node")]
unsafe impl<const SLOTS: usize> Zeroable for NodeOf<SLOTS> {
    fn zeroed() -> Self {
        Self {
            next: AtomicU32::new(0),
            len: Owned32::default(),
            cap: Owned32::default(),
            class: Owned32::default(),
            slots: core::array::from_fn(|_| Owned32::default()),
            ghost: Ghost::new(),
        }
    }
}

/// A node of either size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node<'a> {
    next: &'a AtomicU32,
    len: &'a Owned32,
    cap: &'a Owned32,
    class: &'a Owned32,
    /// The blocks: granule numbers, the lowest `len` of them meaningful.
    pub(crate) slots: &'a [Owned32],
    ghost: &'a Ghost,
}

impl<'a> Node<'a> {
    fn of<const SLOTS: usize>(node: &'a NodeOf<SLOTS>) -> Self {
        let NodeOf { next, len, cap, class, slots, ghost } = node;
        Self { next, len, cap, class, slots, ghost }
    }

    /// The holder begins to use the node.
    pub(crate) fn enter(self) {
        self.ghost.enter();
    }
    pub(crate) fn len(self) -> u32 {
        self.len.get()
    }
    pub(crate) fn cap(self) -> u32 {
        self.cap.get()
    }
    /// Bytes of lease that an open magazine carries (INV-depot.magazine-3).
    pub(crate) fn lease(self) -> usize {
        lease_bytes(Class::from_index(self.class()), self.cap())
    }
    pub(crate) fn class(self) -> usize {
        self.class.get() as usize
    }
    pub(crate) fn set_len(self, len: u32) {
        debug_assert!(len <= self.cap(), "INV-depot.magazine-2");
        self.len.set(len);
    }
    /// Makes an empty magazine for `cap` blocks of `class`.
    #[expect(clippy::cast_possible_truncation, reason = "there are fewer than 256 classes")]
    pub(crate) fn open(self, class: Class, cap: u32) {
        debug_assert!(cap as usize <= self.slots.len(), "INV-depot.magazine-2");
        self.len.set(0);
        self.cap.set(cap);
        self.class.set(class.index() as u32);
    }
    /// Raises the capacity of an open magazine.
    pub(crate) fn set_cap(self, cap: u32) {
        debug_assert!(cap as usize <= self.slots.len() && cap >= self.len(), "INV-depot.magazine-2");
        self.cap.set(cap);
    }
    /// Ends a magazine: no blocks, no lease.
    pub(crate) fn close(self) {
        self.len.set(0);
        self.cap.set(0);
    }
    pub(crate) fn next(self) -> NodeRef {
        // Relaxed: the exchange that takes the head re-validates it, and the head's Acquire covers it.
        NodeRef(self.next.load(Relaxed))
    }
    pub(crate) fn set_next(self, next: NodeRef) {
        // Relaxed: published by the push's Release exchange.
        self.next.store(next.0, Relaxed);
    }
}

/// All nodes of one depot.
#[derive(Debug)]
pub(crate) struct Nodes {
    small: Table<NodeOf<SMALL_SLOTS>>,
    large: Table<NodeOf<LARGE_SLOTS>>,
    /// Nodes of each size that were ever taken.
    fresh: [AtomicU32; 2],
}

impl Nodes {
    /// Reserves address space for nodes of each size that can carry `slack` bytes of lease.
    ///
    /// # Errors
    /// The operating system's or the global allocator's refusal.
    pub(crate) fn reserve(slack: usize) -> Result<Self, SystemRefusal> {
        /// A depot's nodes of one size take at most this much address space; beyond it classes run uncached.
        const MOST_BYTES: usize = 256 << 20;
        let bytes = slack.min(MOST_BYTES);
        let count = |size: NodeSize| (bytes / size.bytes()).clamp(4, (LARGE_BIT - 2) as usize);
        Ok(Self {
            small: Table::reserve(count(NodeSize::Small))?,
            large: Table::reserve(count(NodeSize::Large))?,
            fresh: [AtomicU32::new(0), AtomicU32::new(0)],
        })
    }

    /// The node that `at`, which is not none, names.
    #[inline]
    pub(crate) fn get(&self, at: NodeRef) -> Node<'_> {
        match at.size() {
            NodeSize::Small => Node::of(&self.small[at.index()]),
            NodeSize::Large => Node::of(&self.large[at.index()]),
        }
    }

    /// A node that was never used, while there are any.
    pub(crate) fn take_fresh(&self, size: NodeSize) -> Option<NodeRef> {
        let (most, bit) = match size {
            NodeSize::Small => (self.small.len(), 0),
            NodeSize::Large => (self.large.len(), LARGE_BIT),
        };
        let fresh = &self.fresh[size as usize];
        let mut taken = fresh.load(Relaxed);
        loop {
            if taken as usize >= most {
                return None;
            }
            // Relaxed: a fresh node is all zeros since the table was made; nothing is published by its number.
            match fresh.compare_exchange_weak(taken, taken + 1, Relaxed, Relaxed) {
                Ok(_) => return Some(NodeRef((taken + 1) | bit)),
                Err(seen) => taken = seen,
            }
        }
    }

    /// Bytes of nodes in memory.
    pub(crate) fn used_bytes(&self) -> usize {
        let count = |size: NodeSize| self.fresh[size as usize].load(Relaxed) as usize;
        self.small.used_bytes(count(NodeSize::Small)) + self.large.used_bytes(count(NodeSize::Large))
    }
}
