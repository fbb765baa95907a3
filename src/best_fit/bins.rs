//! `Bins`: the free extents below [`Bins::BOUND`] granules, one ring for each length, found again by their offset.
//!
//! A node is 16 bytes: offset, two ring links, one chain link. Rings are last in first out. The chain of a stretch,
//! singly linked from its head, holds the nodes of the extents that begin in it: few, because a stretch is 64 granules.
//!
//! - INV-best_fit.bins-1: nodes `1 ..= max_len` are the rings' heads, by length; node 0 is none. Only the others have
//!   an offset.
//! - INV-best_fit.bins-2: `len` is in the map ⟺ ring `len` has a node besides its head.
//! - INV-best_fit.bins-3: `next(prev(n)) = prev(next(n)) = n` in every ring that ever had a node, an empty one's head
//!   included. The head of another is zero.
//! - INV-best_fit.bins-4: node `n` is in the ring of its extent's length and in the chain of its extent's stretch.
//! - INV-best_fit.bins-5: `⌈granules / 2⌉` nodes suffice, because no two free extents are neighbours; beside as many
//!   that are going (`pack.rs`).
//!
//! Not synchronised. Deliberately absent: the length in a node; its ring and the start bits both know it.

use super::bitmap::BinSet;
use super::lines::LINE_GRANULES;
use super::pack::{NO_CEILING, turn_of};
use crate::base::error::RegionError;
use crate::base::extent::Extent;
use crate::memory::span::Span;
use crate::memory::table::Table;

pub(super) const OFFSET: usize = 0;
pub(super) const PREV: usize = 1;
pub(super) const NEXT: usize = 2;
pub(super) const SIBLING: usize = 3;

/// `[offset, prev, next, sibling]`; a spare node's `next` is the next spare one.
pub(super) type FreeNode = [u32; 4];

/// A node's number; 0 is none.
pub(super) type NodeId = u32;

/// A free extent that was found in the index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) extent: Extent,
    /// Its node in the bins, 0 for a long one.
    pub(super) node: NodeId,
}

impl Found {
    pub(super) fn long(extent: Extent) -> Self {
        Self { extent, node: 0 }
    }
}

/// See the module's header.
#[derive(Debug)]
pub(super) struct Bins {
    map: BinSet,
    /// The first of the spare nodes.
    pub(super) spare: NodeId,
    /// The first node that was never used, or is not since the nodes were packed.
    pub(super) fresh: NodeId,
    /// The first node that is no ring's head.
    pub(super) first: NodeId,
    pub(super) nodes: Table<FreeNode>,
    /// The first node of each stretch's chain.
    pub(super) heads: Table<NodeId>,
    /// Nodes from here on do not become spare (`pack.rs`).
    pub(super) ceiling: NodeId,
    /// Only nodes below this one, or below `fresh`, can have been touched.
    pub(super) touched: NodeId,
    /// Nodes that go to the system now, and those that went when `fresh` passed them: ranges, empty at rest.
    pub(super) going: (NodeId, NodeId),
    pub(super) left: (NodeId, NodeId),
    /// Most nodes that may go at once.
    pub(super) turn: NodeId,
}

/// Granules whose free extents share a chain.
pub(super) const STRETCH: u32 = 64;

#[inline(always)]
pub(super) fn stretch_of(offset: u32) -> usize {
    (offset / STRETCH) as usize
}

impl Bins {
    /// Extents of this many granules and more are not binned.
    pub(super) const BOUND: u32 = BinSet::BOUND;

    pub(super) fn new(granules: u32) -> Result<Self, RegionError> {
        let first = granules.min(Self::BOUND - 1) + 1;
        let (most, turn) = (granules.div_ceil(2), turn_of(granules.div_ceil(2)));
        let nodes = Table::reserve(first as usize + most as usize + turn as usize)?;
        let heads = Table::reserve(stretch_of(granules) + 1)?;
        let (map, none, ceiling) = (BinSet::new(), (0, 0), NO_CEILING);
        Ok(Self {
            map,
            spare: 0,
            fresh: first,
            first,
            nodes,
            heads,
            ceiling,
            touched: 0,
            going: none,
            left: none,
            turn,
        })
    }

    #[inline(always)]
    fn found(&self, node: NodeId, len: u32) -> Found {
        Found { extent: Extent::new(self.nodes[node as usize][OFFSET], len), node }
    }

    /// Returns the newest of the shortest extents with at least `len` granules, which is below the bound.
    #[inline(always)]
    pub(super) fn least(&self, len: u32) -> Option<Found> {
        let len = self.map.next(len)?;
        Some(self.found(self.nodes[len as usize][NEXT], len))
    }

    /// Returns the extent after this one in its ring, from the newest on.
    #[inline(always)]
    pub(super) fn older(&self, found: Found) -> Option<Found> {
        let (next, len) = (self.nodes[found.node as usize][NEXT], found.extent.len);
        (next != len).then(|| self.found(next, len))
    }

    /// Returns the greatest length, 0 when there is none.
    #[inline]
    pub(super) fn greatest(&self) -> u32 {
        self.map.last().unwrap_or(0)
    }

    /// Puts `node` into the ring of `len` as its newest.
    #[inline(always)]
    fn link(&mut self, node: NodeId, len: u32) {
        let nodes = &mut *self.nodes;
        let newest = core::mem::replace(&mut nodes[len as usize][NEXT], node);
        // The first node that a ring ever gets makes it one.
        let next = if newest == 0 { len } else { newest };
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

    /// Returns the node of the free extent at `offset`, and the one before it in its chain (0: it is the first).
    #[inline(always)]
    pub(super) fn find(&self, offset: u32) -> (NodeId, NodeId) {
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
    pub(super) fn insert(&mut self, extent: Extent) {
        let node = if self.spare == 0 { self.fresh_node() } else { self.pop_spare() };
        self.chain(node, extent.offset);
        self.link(node, extent.len);
    }

    /// Removes the free extent at `offset`.
    #[inline(always)]
    pub(super) fn remove(&mut self, offset: u32) {
        let (before, node) = self.find(offset);
        self.unlink(node);
        self.unchain(before, node, offset);
        if node < self.ceiling {
            self.push_spare(node);
        }
    }

    /// Shortens what was found to its first `rest` granules, or removes it if that is 0.
    #[inline(always)]
    pub(super) fn cut(&mut self, found: Found, rest: u32) {
        if rest == 0 {
            self.remove(found.extent.offset);
        } else {
            self.unlink(found.node);
            self.link(found.node, rest);
        }
    }

    /// Replaces the free extent at `from` by `to`.
    #[inline(always)]
    pub(super) fn replace(&mut self, from: u32, to: Extent) {
        let (before, node) = self.find(from);
        self.unlink(node);
        if stretch_of(from) != stretch_of(to.offset) {
            self.unchain(before, node, from);
            self.chain(node, to.offset);
        } else if from != to.offset {
            self.nodes[node as usize][OFFSET] = to.offset;
        }
        self.link(node, to.len);
    }

    /// Returns where the nodes and the chains' heads are.
    pub(super) fn spans(&self) -> (Span, Span) {
        (self.nodes.span(), self.heads.span())
    }

    /// Returns how many nodes there are beside those that extents can have, and how many those are.
    pub(super) fn most_nodes(&self) -> (u32, u32) {
        let beside = self.first + self.turn;
        (beside, self.nodes.len() as u32 - beside)
    }

    /// For the proof: returns the nodes from `node` on along a link, at most one more than were ever used.
    fn along(&self, node: NodeId, link: usize) -> impl Iterator<Item = NodeId> {
        let nodes = core::iter::successors(Some(node), move |node| Some(self.nodes[*node as usize][link]));
        nodes.take_while(|node| *node != 0).take((self.fresh - self.first) as usize + 1)
    }

    /// For the proof: INV-best_fit.bins-1, INV-best_fit.bins-3 and INV-best_fit.bins-4 of a node that a ring holds.
    pub(super) fn is_in_place(&self, found: Found) -> bool {
        let Found { extent: Extent { offset, .. }, node } = found;
        let [_, prev, next, _] = self.nodes[node as usize];
        (self.first..self.fresh).contains(&node)
            && self.nodes[prev as usize][NEXT] == node
            && self.nodes[next as usize][PREV] == node
            && self.along(self.heads[stretch_of(offset)], SIBLING).find(|n| self.nodes[*n as usize][OFFSET] == offset)
                == Some(node)
    }

    /// For the proof: INV-best_fit.bitmap-1 of the map, and INV-best_fit.pack-1: all nodes ever used are spare, left or
    /// one of `count` in the chains of these lines, unless some are holes.
    pub(super) fn has_no_more_than(&self, count: u32, lines: impl Iterator<Item = usize>) -> bool {
        const STRETCHES: usize = (LINE_GRANULES / STRETCH) as usize;
        let heads = lines.flat_map(|line| self.heads.iter().skip(line * STRETCHES).take(STRETCHES));
        let chained: usize = heads.map(|head| self.along(*head, SIBLING).count()).sum();
        let spare = self.along(self.spare, NEXT).count();
        let count = count as usize;
        let known = spare + count + (self.left.1 - self.left.0) as usize;
        let ever = (self.fresh - self.first) as usize;
        let complete = if self.ceiling == NO_CEILING { known == ever } else { known <= ever };
        self.map.is_consistent() && chained == count && complete
    }
}
