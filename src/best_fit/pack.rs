//! How the nodes of the bins are packed, so that those beyond go back to the system.
//!
//! Packing forgets the list of spare nodes: each that is in no chain is then a *hole*. From below, holes become
//! spare again, from above, nodes in use move to spare ones and `fresh` falls, until both meet at the *ceiling*. A node
//! that is given back meanwhile is spare below the ceiling, and a hole above it.
//!
//! - INV-best_fit.pack-1: outside of packing every node of `[first, fresh)` is in use, spare, or one of `left`. While
//!   it is under way those of `[ceiling, fresh)` are in use or holes.
//! - INV-best_fit.pack-2: nodes of `going` are in no chain, and are not given out. There are [`turn_of`] nodes more
//!   than can be in use, and no more are going at once, so others suffice.

use super::bins::{Bins, FreeNode, NEXT, NodeId, OFFSET, PREV, SIBLING, stretch_of};
use crate::memory::mapping::page_bytes;
use crate::memory::span::Span;

/// Steps of packing that go with each new node, so that holes are used before the table is.
const STEPS_A_NODE: usize = 8;
/// Most nodes of one call of the system.
const MOST_GOING: u32 = 1 << 16;
/// The ceiling when no packing is under way.
pub(super) const NO_CEILING: NodeId = NodeId::MAX;

/// Nodes of a page.
fn page_nodes() -> NodeId {
    NodeId::try_from(page_bytes() / size_of::<FreeNode>()).unwrap_or(MOST_GOING)
}

/// Returns how many nodes of a table for `most` in use may go at once; 0 for a short table.
pub(super) fn turn_of(most: u32) -> u32 {
    if cfg!(all(test, loom)) || !Span::CAN_DISCARD {
        return 0;
    }
    (most / 8 / page_nodes() * page_nodes()).min(MOST_GOING)
}

impl Bins {
    /// A node that was never used, or has gone since.
    #[cold]
    #[inline(never)]
    pub(super) fn fresh_node(&mut self) -> NodeId {
        let (from, to) = self.left;
        if from < to && self.going.0 == self.going.1 {
            self.left.0 += 1;
            return from;
        }
        if self.fresh == self.going.0 && self.going.0 < self.going.1 {
            self.left = self.going;
            self.fresh = self.going.1;
        }
        if self.ceiling != NO_CEILING {
            self.pack(STEPS_A_NODE);
            // Where all are in use, except holes, one of those is found (INV-best_fit.bins-5).
            while self.spare == 0 && self.fresh as usize == self.nodes.len() && !self.pack(1) {}
            if self.spare != 0 {
                return self.pop_spare();
            }
        }
        self.fresh += 1;
        self.fresh - 1
    }

    /// Takes the first of the spare nodes, of which there is one.
    #[inline(always)]
    pub(super) fn pop_spare(&mut self) -> NodeId {
        let node = self.spare;
        self.spare = self.nodes[node as usize][NEXT];
        node
    }

    #[inline(always)]
    pub(super) fn push_spare(&mut self, node: NodeId) {
        self.nodes[node as usize][NEXT] = self.spare;
        self.spare = node;
    }

    /// Nodes that can have been touched: those below.
    pub(super) fn touched(&self) -> NodeId {
        self.touched.max(self.fresh)
    }

    /// See [`BestFit::begin_pack`](super::BestFit::begin_pack); `in_use` nodes or fewer are in use.
    pub(super) fn begin_pack(&mut self, in_use: u32) -> bool {
        if self.ceiling != NO_CEILING {
            return true;
        }
        let is_quiet = self.going.0 == self.going.1;
        let worth = self.turn > 0 && self.fresh - self.first >= in_use.saturating_add(2 * page_nodes());
        if is_quiet && worth {
            // What is left becomes holes too.
            (self.spare, self.left, self.ceiling) = (0, (0, 0), self.first);
        }
        self.ceiling != NO_CEILING
    }

    /// See [`BestFit::pack`](super::BestFit::pack).
    pub(super) fn pack(&mut self, steps: usize) -> bool {
        for _ in 0..steps {
            if self.ceiling == NO_CEILING {
                return true;
            }
            if self.ceiling == self.fresh {
                self.ceiling = NO_CEILING;
                return true;
            }
            let top = self.fresh - 1;
            if !self.is_chained(top) {
                self.lower(top);
            } else if self.spare != 0 {
                let to = self.pop_spare();
                self.relocate(top, to);
                self.lower(top);
            } else {
                let low = self.ceiling;
                self.ceiling += 1;
                if !self.is_chained(low) {
                    self.push_spare(low);
                }
            }
        }
        self.ceiling == NO_CEILING
    }

    fn lower(&mut self, fresh: NodeId) {
        (self.touched, self.fresh) = (self.touched(), fresh);
    }

    /// Whether `node` is in use: in the chain of the stretch that its offset names.
    fn is_chained(&self, node: NodeId) -> bool {
        let mut at = self.heads[stretch_of(self.nodes[node as usize][OFFSET])];
        while at != 0 && at != node {
            at = self.nodes[at as usize][SIBLING];
        }
        at == node
    }

    /// Puts node `to`, which is unused, in the place of `node`.
    fn relocate(&mut self, node: NodeId, to: NodeId) {
        let moved = self.nodes[node as usize];
        let (before, found) = self.find(moved[OFFSET]);
        debug_assert!(found == node, "a node in use is found by its offset");
        self.nodes[to as usize] = moved;
        self.nodes[moved[PREV] as usize][NEXT] = to;
        self.nodes[moved[NEXT] as usize][PREV] = to;
        if before == 0 {
            self.heads[stretch_of(moved[OFFSET])] = to;
        } else {
            self.nodes[before as usize][SIBLING] = to;
        }
    }

    /// See [`BestFit::begin_discard`](super::BestFit::begin_discard).
    pub(super) fn begin_discard(&mut self) -> Option<(NodeId, NodeId)> {
        let is_quiet = self.going.0 == self.going.1 && self.left.0 == self.left.1 && self.ceiling == NO_CEILING;
        // Whole pages, one beyond what is in use.
        let page = page_nodes();
        let keep = self.fresh.next_multiple_of(page) + page;
        let to = self.touched().next_multiple_of(page).min(self.nodes.len() as NodeId);
        if !is_quiet || self.turn == 0 || keep >= to {
            return None;
        }
        self.going = (to.saturating_sub(self.turn).max(keep), to);
        Some(self.going)
    }

    /// See [`BestFit::end_discard`](super::BestFit::end_discard).
    pub(super) fn end_discard(&mut self) {
        if self.fresh <= self.going.0 {
            self.touched = self.going.0;
        }
        self.going = (0, 0);
    }
}
