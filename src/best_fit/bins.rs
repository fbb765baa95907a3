//! `Bins`: the free extents below [`Bins::BOUND`] granules, one ring for each length, found again by their offset.
//!
//! A node is 16 bytes: offset, two ring links, one chain link. Rings are last in first out. The chain of a stretch, singly
//! linked from its head, holds the nodes of the extents that begin in it: few, for a stretch is 64 granules.
//!
//! - INV-B1: nodes `1 ..= max_len` are the rings' heads, by length; node 0 is none. Only the others have an offset.
//! - INV-B2: `len` is in the map ⟺ ring `len` has a node besides its head.
//! - INV-B3: `next(prev(n)) = prev(next(n)) = n` in every ring, an empty one's head included.
//! - INV-B4: node `n` is in the ring of its extent's length and in the chain of its extent's stretch.
//! - INV-B5: `⌈granules / 2⌉` nodes suffice, for no two free extents are neighbours; so a node is never wanting.
//!
//! Not synchronised. Deliberately absent: the length in a node; its ring and the start bits both know it.

use super::bitmap::BinSet;
use super::lines::LINE_GRANULES;
use crate::base::error::RegionError;
use crate::memory::table::Table;

const OFFSET: usize = 0;
const PREV: usize = 1;
const NEXT: usize = 2;
const SIBLING: usize = 3;

/// `[offset, prev, next, sibling]`; a spare node's `next` is the next spare one.
type Node = [u32; 4];

/// A node's number; 0 is none.
pub(super) type NodeId = u32;

/// See the module's header.
#[derive(Debug)]
pub(super) struct Bins {
    map: BinSet,
    /// The first of the spare nodes.
    spare: NodeId,
    /// The first node that was never used.
    fresh: NodeId,
    /// The first node that is no ring's head.
    first: NodeId,
    nodes: Table<Node>,
    /// The first node of each stretch's chain.
    heads: Table<NodeId>,
}

/// Granules whose free extents share a chain.
const STRETCH: u32 = 64;

#[inline(always)]
fn stretch_of(offset: u32) -> usize {
    (offset / STRETCH) as usize
}

impl Bins {
    /// Extents of this many granules and more are not binned.
    pub(super) const BOUND: u32 = BinSet::BOUND;

    pub(super) fn new(granules: u32) -> Result<Self, RegionError> {
        let first = granules.min(Self::BOUND - 1) + 1;
        let mut nodes = Table::<Node>::reserve(first as usize + granules.div_ceil(2) as usize)?;
        for len in 1..first {
            nodes[len as usize] = [0, len, len, 0];
        }
        let heads = Table::reserve(stretch_of(granules) + 1)?;
        Ok(Self { map: BinSet::new(), spare: 0, fresh: first, first, nodes, heads })
    }

    #[inline(always)]
    pub(super) fn offset(&self, node: NodeId) -> u32 {
        self.nodes[node as usize][OFFSET]
    }

    /// The least length with a free extent that is not below `len`, which is below the bound.
    #[inline(always)]
    pub(super) fn least(&self, len: u32) -> Option<u32> {
        self.map.next(len)
    }

    /// The greatest length with a free extent.
    #[inline]
    pub(super) fn greatest(&self) -> Option<u32> {
        self.map.last()
    }

    /// The newest node of a ring that is not empty.
    #[inline(always)]
    pub(super) fn newest(&self, len: u32) -> NodeId {
        self.nodes[len as usize][NEXT]
    }

    /// The node behind `node` in the ring of `len`; 0 at the end.
    pub(super) fn older(&self, node: NodeId, len: u32) -> NodeId {
        let next = self.nodes[node as usize][NEXT];
        if next == len { 0 } else { next }
    }

    /// Puts `node` into the ring of `len` as its newest.
    #[inline(always)]
    fn link(&mut self, node: NodeId, len: u32) {
        let nodes = &mut *self.nodes;
        let next = core::mem::replace(&mut nodes[len as usize][NEXT], node);
        nodes[next as usize][PREV] = node;
        let node = &mut nodes[node as usize];
        (node[PREV], node[NEXT]) = (len, next);
        self.map.insert(len);
    }

    /// Takes `node` out of its ring.
    #[inline(always)]
    fn unlink(&mut self, node: NodeId) {
        let nodes = &mut *self.nodes;
        let [_, prev, next, _] = nodes[node as usize];
        nodes[prev as usize][NEXT] = next;
        nodes[next as usize][PREV] = prev;
        // Only the head is both neighbours of one node, and its number is the length.
        self.map.remove_if(prev == next, prev);
    }

    /// The node of the free extent at `offset`, and the one before it in its chain (0: it is the first).
    #[inline(always)]
    fn find(&self, offset: u32) -> (NodeId, NodeId) {
        let nodes = &*self.nodes;
        let (mut before, mut node) = (0, self.heads[stretch_of(offset)]);
        // Node 0 ends a chain, and a search for an offset that is in none.
        while node != 0 && nodes[node as usize][OFFSET] != offset {
            (before, node) = (node, nodes[node as usize][SIBLING]);
        }
        debug_assert!(node != 0, "a free extent without a node");
        (before, node)
    }

    #[inline(always)]
    fn chain(&mut self, node: NodeId, offset: u32) {
        let sibling = core::mem::replace(&mut self.heads[stretch_of(offset)], node);
        let node = &mut self.nodes[node as usize];
        (node[OFFSET], node[SIBLING]) = (offset, sibling);
    }

    #[inline(always)]
    fn unchain(&mut self, before: NodeId, node: NodeId, offset: u32) {
        let sibling = self.nodes[node as usize][SIBLING];
        if before == 0 {
            self.heads[stretch_of(offset)] = sibling;
        } else {
            self.nodes[before as usize][SIBLING] = sibling;
        }
    }

    #[inline(always)]
    pub(super) fn insert(&mut self, offset: u32, len: u32) {
        let node = if self.spare != 0 {
            let node = self.spare;
            self.spare = self.nodes[node as usize][NEXT];
            node
        } else {
            self.fresh += 1;
            self.fresh - 1
        };
        self.chain(node, offset);
        self.link(node, len);
    }

    /// Forgets the free extent at `offset`.
    #[inline(always)]
    pub(super) fn remove(&mut self, offset: u32) {
        let (before, node) = self.find(offset);
        self.unlink(node);
        self.unchain(before, node, offset);
        self.nodes[node as usize][NEXT] = self.spare;
        self.spare = node;
    }

    /// Gives the free extent at `offset` another length.
    #[inline(always)]
    pub(super) fn resize(&mut self, offset: u32, len: u32) {
        let (_, node) = self.find(offset);
        self.resize_node(node, len);
    }

    /// Gives the free extent of `node` another length.
    #[inline(always)]
    pub(super) fn resize_node(&mut self, node: NodeId, len: u32) {
        self.unlink(node);
        self.link(node, len);
    }

    /// Moves the free extent at `from` to `to`, with another length.
    #[inline(always)]
    pub(super) fn shift(&mut self, from: u32, to: u32, len: u32) {
        let (before, node) = self.find(from);
        self.unlink(node);
        if stretch_of(from) == stretch_of(to) {
            self.nodes[node as usize][OFFSET] = to;
        } else {
            self.unchain(before, node, from);
            self.chain(node, to);
        }
        self.link(node, len);
    }

    /// Bytes reserved for nodes, and of them touched.
    pub(super) fn node_bytes(&self) -> (usize, usize) {
        (size_of_val::<[Node]>(&self.nodes), size_of::<Node>() * self.fresh as usize)
    }

    pub(super) fn head_bytes(&self) -> usize {
        size_of_val::<[NodeId]>(&self.heads)
    }

    /// For the proof: INV-B4 of the free extent at `offset`, as far as its chain and its own links go.
    pub(super) fn holds(&self, offset: u32) -> bool {
        let mut node = self.heads[stretch_of(offset)];
        let mut steps = 0;
        while node != 0 && steps <= STRETCH {
            let [at, prev, next, sibling] = self.nodes[node as usize];
            if at == offset {
                return self.nodes[prev as usize][NEXT] == node && self.nodes[next as usize][PREV] == node;
            }
            (node, steps) = (sibling, steps + 1);
        }
        false
    }

    /// For the proof: the number of nodes in rings, or the number of one that does not belong where it is.
    /// `is_free_of` says whether a free extent of that offset and length exists.
    pub(super) fn count(&self, is_free_of: impl Fn(u32, u32) -> bool) -> Result<u32, NodeId> {
        let mut count = 0;
        let mut from = 0;
        while let Some(len) = if from < Self::BOUND { self.map.next(from) } else { None } {
            let mut node = self.newest(len);
            while node != 0 {
                let offset = self.offset(node);
                if node < self.first || node >= self.fresh || !is_free_of(offset, len) || !self.holds(offset) {
                    return Err(node);
                }
                count += 1;
                if count > self.fresh - self.first {
                    return Err(node);
                }
                node = self.older(node, len);
            }
            from = len + 1;
        }
        Ok(count)
    }

    /// For the proof: `(nodes ever used, spare nodes, nodes in the chains of the lines given)`, and the map's INV-S1.
    pub(super) fn census(&self, lines: impl Iterator<Item = usize>) -> Option<(u32, u32, u32)> {
        const STRETCHES: usize = (LINE_GRANULES / STRETCH) as usize;
        let used = self.fresh - self.first;
        let walk = |mut node: NodeId, link: usize, sum: &mut u32| {
            while node != 0 && *sum <= used {
                *sum += 1;
                node = self.nodes[node as usize][link];
            }
        };
        let (mut spare, mut chained) = (0, 0);
        walk(self.spare, NEXT, &mut spare);
        for line in lines {
            let heads = self.heads.iter().skip(line * STRETCHES).take(STRETCHES);
            heads.for_each(|head| walk(*head, SIBLING, &mut chained));
        }
        self.map.is_consistent().then_some((used, spare, chained))
    }
}
