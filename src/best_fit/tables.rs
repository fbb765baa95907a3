//! `Tables`: what the index's tables have in memory, and how it goes back to the system.
//!
//! The calls of the system run outside the caller's lock, on parts of the tables that are not written meanwhile: those
//! of granules that lie inside one used extent, where no extent begins, so that they hold zeros and stay so; and nodes
//! of the bins that are out of use ([`Bins::begin_discard`]). The nodes are packed before, a few under one hold of the
//! lock.
//!
//! Deliberately absent: the summary of the lines, a 2,048th of them.

use super::BestFit;
use super::bins::{Bins, FreeNode, NodeId, STRETCH};
use super::lines::{LINE_BYTES, LINE_GRANULES};
use super::long::LongNode;
use crate::base::extent::Extent;
use crate::memory::mapping::page_bytes;
use crate::memory::span::Span;

/// Where the tables are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tables {
    lines: Span,
    summary: Span,
    nodes: Span,
    heads: Span,
    long: Span,
    /// Nodes that may be in memory beside those in use.
    beside: u32,
    /// Nodes that can be in use.
    most: u32,
}

/// As far as the tables can have been touched, in their units.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Touched {
    /// The granules between which no extent ever began.
    low: u32,
    high: u32,
    /// Nodes of the bins.
    nodes: NodeId,
}

/// Returns the bytes of a table with an entry of `bytes` for `each` granules that belong to granules after `first` and
/// before `end` alone.
fn inside((first, end): (usize, usize), each: u32, bytes: usize) -> (usize, usize) {
    ((first / each as usize + 1) * bytes, end / each as usize * bytes)
}

impl Tables {
    /// Returns the bytes in memory. Some system calls.
    pub(crate) fn resident_bytes(self, touched: Touched) -> usize {
        let Self { lines, summary, nodes, heads, long, .. } = self;
        // The entries of both granules, and one more of each side for a node that stands one place further up.
        let gap = |each: u32, bytes: usize| {
            let (first, end) = (touched.low / each + 2, (touched.high / each).saturating_sub(1));
            first as usize * bytes..end as usize * bytes
        };
        lines.resident_bytes(gap(LINE_GRANULES, LINE_BYTES))
            + summary.resident_bytes(0..0)
            + nodes.resident_bytes(touched.nodes as usize * size_of::<FreeNode>()..usize::MAX)
            + heads.resident_bytes(gap(STRETCH, size_of::<NodeId>()))
            + long.resident_bytes(gap(Bins::BOUND, size_of::<LongNode>()))
    }

    /// Returns the most bytes that are ever in memory while they and the used extents are `limit` bytes together, where
    /// a granule has `granule` bytes. There is one free extent more than used ones at most.
    pub(crate) fn worst_bytes(self, limit: usize, granule: usize) -> usize {
        const NODE_BYTES: usize = size_of::<FreeNode>();
        let Self { lines, summary, heads, long, beside, .. } = self;
        // The last page of the nodes, and one that stays beyond it.
        let fixed = lines.len() + summary.len() + heads.len() + long.len() + 2 * page_bytes();
        let fixed = fixed + beside as usize * NODE_BYTES;
        let in_use = limit.saturating_sub(fixed) / (granule + NODE_BYTES) + 1;
        fixed + in_use.min(self.most as usize) * NODE_BYTES
    }

    /// Returns what the tables hold for granules after `first` and before `end` to the system. Both are in or at the
    /// end of one used extent, which stays so meanwhile.
    pub(crate) fn discard_inside(self, first: usize, end: usize) {
        let (from, to) = inside((first, end), LINE_GRANULES, LINE_BYTES);
        self.lines.discard(from, to);
        let (from, to) = inside((first, end), STRETCH, size_of::<NodeId>());
        self.heads.discard(from, to);
        // A node stands one place further up.
        let (from, to) = inside((first, end), Bins::BOUND, size_of::<LongNode>());
        self.long.discard(from + size_of::<LongNode>(), to + size_of::<LongNode>());
    }

    /// Has the processor fetch what [`BestFit::give_back`] of `extent` looks at first. Without the lock.
    #[inline]
    pub(crate) fn prefetch(&self, extent: Extent) {
        let lines = |granule: u32| (granule / LINE_GRANULES) as usize * LINE_BYTES;
        self.lines.prefetch(lines(extent.offset));
        // Of a wrong block, which the index refuses later, the end may be anywhere.
        self.lines.prefetch(lines(extent.offset.wrapping_add(extent.len)));
        self.heads.prefetch((extent.offset / STRETCH) as usize * size_of::<NodeId>());
    }

    /// Returns nodes that [`BestFit::begin_discard`] has named to the system.
    pub(crate) fn discard_nodes(self, (from, to): (NodeId, NodeId)) {
        self.nodes.discard(from as usize * size_of::<FreeNode>(), to as usize * size_of::<FreeNode>());
    }
}

impl BestFit {
    pub(crate) fn tables(&self) -> Tables {
        let (lines, summary) = self.lines.spans();
        let (nodes, heads) = self.index.bins.spans();
        let (beside, most) = self.index.bins.most_nodes();
        Tables { lines, summary, nodes, heads, long: self.index.long.span(), beside, most }
    }

    pub(crate) fn touched(&self) -> Touched {
        Touched { low: self.low, high: self.high, nodes: self.index.bins.touched() }
    }

    /// Begins to pack the nodes, if that is worth it, or goes on with it: whether [`BestFit::pack`] is to be called.
    pub(crate) fn begin_pack(&mut self) -> bool {
        self.index.bins.begin_pack(self.free_extents)
    }

    /// Packs the nodes further, by `steps` steps; `true` once it is done.
    pub(crate) fn pack(&mut self, steps: usize) -> bool {
        self.index.bins.pack(steps)
    }

    /// Takes some nodes beyond those in use out of use, for a call of the system.
    pub(crate) fn begin_discard(&mut self) -> Option<(NodeId, NodeId)> {
        self.index.bins.begin_discard()
    }

    /// They may be used again.
    pub(crate) fn end_discard(&mut self) {
        self.index.bins.end_discard();
    }
}
