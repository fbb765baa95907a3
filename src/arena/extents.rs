//! The extents of an arena, a chunk or a large block each, as a list of nodes in their own last granules.
//!
//! A node at the end stays where it is when the extent's unused front is given back, and leaves the front, which is
//! aligned, to the block. A list needs no memory of its own, so a refused request leaves none behind.
//!
//! - INV-arena.extents-1: the extent that ends at granule `end` has its node in granule `end − 1`; `len` is its length,
//!   `next` the end of the extent taken before it, 0 for none.
//! - INV-arena.extents-2: `head` is the end of the extent taken last; it is exchanged in the critical section that
//!   takes the extent, and the node is written behind it by the same thread, before its request returns.
//!
//! So the list is whole whenever no request is under way; it is followed only by who has the arena exclusively. Loom
//! does not see the nodes. `len` is written under the lock, or exclusively.
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
    /// Not 0: a reset keeps the extent.
    kept: Owned32,
    _unused: u32,
}

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

    /// Writes the node of `extent`, taken when the list's head was `next`.
    pub(super) fn write_node(self, extent: Extent, next: u32) {
        let node =
            ExtentNode { len: Owned32::new(extent.len), next: Owned32::new(next), kept: Owned32::zero(), _unused: 0 };
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
        self.node(end).kept.set(u32::from(kept));
    }

    /// Whether a reset keeps the extent that ends at granule `end`.
    pub(super) fn is_kept(self, end: u32) -> bool {
        self.node(end).kept.get() != 0
    }

    /// The extent that ends at granule `end` is followed in its list by the one that ends at `next`.
    pub(super) fn set_next(self, end: u32, next: u32) {
        self.node(end).next.set(next);
    }
}

/// A list of extents: the end of the one taken last.
#[derive(Debug, Default)]
pub(super) struct List {
    head: Owned32,
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
        head
    }

    /// Drops what was taken after the extent that ends at granule `end`, which is on the list.
    pub(super) fn rewind(&self, end: u32) {
        self.head.set(end);
    }
}
