//! The extents of an arena, a chunk or a block alone each, as lists of nodes in their own last granules.
//!
//! A node at the end stays where it is when the extent's unused front is given back, and leaves the front, which is
//! aligned, to the block. A list needs no memory of its own, so a refused request leaves none behind.
//!
//! - INV-arena.extents-1: the extent that ends at granule `end` has its node in granule `end − 1`; `len` is its length,
//!   `next` the end of the extent before which it was put on its list, 0 for none.
//! - INV-arena.extents-2: `head` of a list of chunks is the end of the extent taken last; it is exchanged in the
//!   critical section that takes the extent, and the node is written behind it by the same thread, before its request
//!   returns.
//! - INV-arena.extents-3: every node of a list of blocks alone is written; its `previous` is the end of the extent
//!   whose `next` it is, 0 for the list's head. Such a list is changed under the lock, and an extent is put on
//!   it after its node was written, in a section of its own. The list of a scratch stack, with chunks on it too, is its
//!   user's, and the same holds of it between two calls.
//! - INV-arena.extents-4: an extent whose node says `ALONE` begins with the one block it holds, which no chunk has.
//! - INV-arena.extents-5: `alone` counts the list's blocks alone by the order of their length, which is one granule
//!   less than their extent's.
//!
//! So a list of chunks is whole whenever no request is under way; it is followed only by who has the arena exclusively.
//! Loom does not see the nodes. `len` is written under the lock, or exclusively.
#![expect(unsafe_code, reason = "nodes lie in the region's memory")]

use core::ptr::NonNull;

use crate::base::extent::Extent;
use crate::base::size_class::GRANULE_BYTES;
use crate::region::Memory;
use crate::sync::Owned32;

/// Bytes that a node takes of each extent.
pub(super) const NODE_BYTES: usize = GRANULE_BYTES;

/// The last granule of an extent.
#[repr(C, align(16))]
struct ExtentNode {
    len: Owned32,
    next: Owned32,
    /// What the extent is: `KEPT` or `ALONE`, or neither.
    is: Owned32,
    previous: Owned32,
}

/// A chunk that a reset keeps.
const KEPT: u32 = 1;
/// One block's own extent.
const ALONE: u32 = 2;

/// The nodes of an arena's extents.
impl Memory {
    /// Where the node of the extent that ends at granule `end` begins: the end of what the extent may hand out.
    pub(super) fn top(self, end: u32) -> NonNull<u8> {
        self.granule(end - 1)
    }

    fn node<'a>(self, end: u32) -> &'a ExtentNode {
        // SAFETY: the last granule of a live extent of an arena holds its node and nothing else (INV-arena.extents-1):
        // written before it is read (INV-arena.extents-2), atomics only, and it stands until the extent is given back,
        // after the last look at it.
        unsafe { self.top(end).cast::<ExtentNode>().as_ref() }
    }

    /// Writes the node of `extent`, a chunk taken when the list's head was `next`.
    pub(super) fn write_node(self, extent: Extent, next: u32) {
        self.write_as(extent, next, 0);
    }

    /// As [`Memory::write_node`], on a list with blocks alone, which the caller has exclusively.
    pub(super) fn write_linked(self, extent: Extent, next: u32) {
        self.write_node(extent, next);
        self.set_previous(next, extent.end());
    }

    /// Writes the node of `extent`, which one block has alone, and which is on no list yet.
    pub(super) fn write_alone(self, extent: Extent) {
        self.write_as(extent, 0, ALONE);
    }

    fn write_as(self, extent: Extent, next: u32, is: u32) {
        let (len, next, is) = (Owned32::new(extent.len), Owned32::new(next), Owned32::new(is));
        let node = ExtentNode { len, next, is, previous: Owned32::zero() };
        let at = self.top(extent.end()).cast::<ExtentNode>();
        // SAFETY: the last granule of an extent just taken, aligned, and nobody else's (INV-arena.extents-1).
        unsafe { at.write(node) };
    }

    /// The extent that ends at granule `end`, and the end of the next one in its list.
    pub(super) fn read_node(self, end: u32) -> (Extent, u32) {
        let node = self.node(end);
        let len = node.len.get();
        (Extent::new(end - len, len), node.next.get())
    }

    /// The extent that ends at granule `end` has `len` granules now.
    pub(super) fn set_len(self, end: u32, len: u32) {
        self.node(end).len.set(len);
    }

    /// A reset keeps the extent that ends at granule `end`, or no longer does.
    pub(super) fn set_kept(self, end: u32, kept: bool) {
        self.node(end).is.set(if kept { KEPT } else { 0 });
    }

    /// Whether a reset keeps the extent that ends at granule `end`.
    pub(super) fn is_kept(self, end: u32) -> bool {
        self.node(end).is.get() == KEPT
    }

    /// Whether one block has the extent that ends at granule `end` alone.
    pub(super) fn is_alone(self, end: u32) -> bool {
        self.node(end).is.get() == ALONE
    }

    /// The extent that ends at granule `end` is followed in its list by the one that ends at `next`.
    pub(super) fn set_next(self, end: u32, next: u32) {
        self.node(end).next.set(next);
    }

    /// The extent that ends at granule `next`, if there is one, comes behind the one that ends at `previous`.
    pub(super) fn set_previous(self, next: u32, previous: u32) {
        if next != 0 {
            self.node(next).previous.set(previous);
        }
    }
}

/// Orders of length: block lengths in granules, by their highest bit.
const ORDERS: usize = u32::BITS as usize;

/// A list of extents: the end of the one taken last, and what is known of the blocks that are alone in theirs.
#[derive(Debug)]
pub(super) struct List {
    head: Owned32,
    alone: [Owned32; ORDERS],
}

impl Default for List {
    fn default() -> Self {
        Self { head: Owned32::zero(), alone: [const { Owned32::zero() }; ORDERS] }
    }
}

impl List {
    /// Puts the extent that ends at granule `end` in front; gives what its node must name as the next. In the section
    /// that took it, or exclusively.
    pub(super) fn push(&self, end: u32) -> u32 {
        let next = self.head.get();
        self.head.set(end);
        next
    }

    /// The end of the extent taken last, 0 for none.
    pub(super) fn head(&self) -> u32 {
        self.head.get()
    }

    /// Forgets all that it names; gives the former head.
    pub(super) fn take(&self) -> u32 {
        let head = self.head.get();
        self.head.set(0);
        self.alone.iter().for_each(|count| count.set(0));
        head
    }

    /// Puts the extent of a block alone, which ends at granule `end`, in front. Its node is written.
    pub(super) fn link(&self, memory: Memory, end: u32) {
        let next = self.push(end);
        memory.set_next(end, next);
        memory.set_previous(next, end);
        let count = self.alone_like(memory.node(end).len.get());
        count.set(count.get() + 1);
    }

    /// Takes the extent of a block alone, which ends at granule `end`, off the list that it is on.
    pub(super) fn unlink(&self, memory: Memory, end: u32) {
        let (next, previous) = (memory.node(end).next.get(), memory.node(end).previous.get());
        if previous == 0 {
            debug_assert_eq!(self.head.get(), end, "INV-arena.extents-3");
            self.head.set(next);
        } else {
            memory.set_next(previous, next);
        }
        memory.set_previous(next, previous);
        self.forget(memory.node(end).len.get());
    }

    /// A block alone in an extent of `len` granules is not on the list any more.
    pub(super) fn forget(&self, len: u32) {
        let count = self.alone_like(len);
        debug_assert!(count.get() > 0, "INV-arena.extents-5");
        count.set(count.get() - 1);
    }

    /// How many blocks are alone in an extent like one of `len` granules.
    fn alone_like(&self, len: u32) -> &Owned32 {
        &self.alone[(len - 1).ilog2() as usize]
    }

    /// Whether a block of `size` bytes, which is not zero, may be one of those alone. Without the lock: the block's own
    /// request is ordered before, and counts it until it is off the list (INV-arena.extents-5).
    #[inline(always)]
    pub(super) fn may_have(&self, size: usize) -> bool {
        let order = size.div_ceil(GRANULE_BYTES).ilog2() as usize;
        self.alone.get(order).is_some_and(|count| count.get() > 0)
    }

    /// Drops what was taken after the extent that ends at granule `end`, which is on the list, or 0.
    pub(super) fn rewind(&self, memory: Memory, end: u32) {
        self.head.set(end);
        memory.set_previous(end, 0);
    }
}
