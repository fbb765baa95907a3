//! `LongExtents`: the free extents of [`Bins::BOUND`] granules and more, ordered by length.
//!
//! A bitwise trie for each power of two, keyed by the bits of the length below the highest; equals hang in a ring on
//! one node of the trie. A search takes at most a step a bit. The form is that of the large bins of Doug Lea's malloc.
//!
//! An extent's node lies at the position `offset / 4,096`: two extents of that length cannot begin in one such stretch.
//! So the node is found by its offset, and nothing is ever allocated.
//!
//! - INV-best_fit.long-1: node `offset / 4,096 + 1` holds the free extent; node 0 is none; a node not in use has length
//!   0.
//! - INV-best_fit.long-2: below child `c` of a node at depth `d` of class `k`, bit `k - 1 - d` of every length is `c`.
//!   A class is in the map ⟺ it has a root.
//! - INV-best_fit.long-3: equals of a node of the trie are in its ring and `AWAY` is their parent. After the node come
//!   its equals from the newest to the oldest.
//!
//! Not synchronised. Deliberately absent: balance; lengths have 32 bits, so depth is bounded by itself.

use super::bins::Bins;
use crate::base::error::RegionError;
use crate::base::extent::Extent;
use crate::memory::span::Span;
use crate::memory::table::Table;

const OFFSET: usize = 0;
const LEN: usize = 1;
const PREV: usize = 2;
const NEXT: usize = 3;
const PARENT: usize = 4;
const LEFT: usize = 5;
const RIGHT: usize = 6;

/// `[offset, len, prev, next, parent, left, right, unused]`.
pub(super) type LongNode = [u32; 8];

/// A node's number; 0 is none.
type LongId = u32;

/// The parent of what hangs in a ring, not in the trie.
const AWAY: LongId = u32::MAX;

/// Classes: lengths with 13 to 32 bits.
const CLASSES: usize = 20;
const LEAST_LOG: u32 = Bins::BOUND.ilog2();

/// See the module's header.
#[derive(Debug)]
pub(super) struct LongExtents {
    nodes: Table<LongNode>,
    /// Classes that are not empty.
    map: u32,
    roots: [LongId; CLASSES],
}

#[inline(always)]
fn node_of(offset: u32) -> LongId {
    offset / Bins::BOUND + 1
}

/// Returns the class of a length, and its bits below the highest moved to the top.
#[inline(always)]
fn class_of(len: u32) -> (usize, u32) {
    let class = len.ilog2() - LEAST_LOG;
    (class as usize, len << len.leading_zeros() << 1)
}

impl LongExtents {
    pub(super) fn new(granules: u32) -> Result<Self, RegionError> {
        let nodes =
            if granules < Bins::BOUND { Table::empty() } else { Table::reserve(node_of(granules) as usize + 1)? };
        Ok(Self { nodes, map: 0, roots: [0; CLASSES] })
    }

    #[inline(always)]
    fn get(&self, node: LongId) -> &LongNode {
        &self.nodes[node as usize]
    }

    #[inline(always)]
    fn at(&mut self, node: LongId) -> &mut LongNode {
        &mut self.nodes[node as usize]
    }

    #[inline(always)]
    fn extent(&self, node: LongId) -> Extent {
        Extent::new(self.get(node)[OFFSET], self.get(node)[LEN])
    }

    /// Adds a free extent.
    #[inline(never)]
    pub(super) fn insert(&mut self, extent: Extent) {
        let Extent { offset, len } = extent;
        let new = node_of(offset);
        let (class, mut key) = class_of(len);
        let mut node = self.roots[class];
        *self.at(new) = [offset, len, new, new, 0, 0, 0, 0];
        if node == 0 {
            self.roots[class] = new;
            self.map |= 1 << class;
            return;
        }
        while self.get(node)[LEN] != len {
            let side = LEFT + (key >> 31) as usize;
            key <<= 1;
            let child = self.get(node)[side];
            if child == 0 {
                self.at(node)[side] = new;
                self.at(new)[PARENT] = node;
                return;
            }
            node = child;
        }
        let next = core::mem::replace(&mut self.at(node)[NEXT], new);
        self.at(next)[PREV] = new;
        *self.at(new) = [offset, len, node, next, AWAY, 0, 0, 0];
    }

    /// Removes the free extent at `offset`.
    #[inline(never)]
    pub(super) fn remove(&mut self, offset: u32) {
        let node = node_of(offset);
        let [at, len, prev, next, parent, ..] = *self.get(node);
        debug_assert!(at == offset && len != 0, "a long free extent without a node");
        self.at(prev)[NEXT] = next;
        self.at(next)[PREV] = prev;
        if parent != AWAY {
            // The second oldest of the ring keeps the ring's order; without a ring any leaf below may move up.
            let heir = if prev == node { self.take_leaf(node) } else { prev };
            self.displace(node, heir);
        }
        self.at(node)[LEN] = 0;
    }

    /// Detaches a leaf below `node`; returns 0 when that is a leaf itself.
    fn take_leaf(&mut self, node: LongId) -> LongId {
        let (mut leaf, mut below) = (0, node);
        while below != 0 {
            leaf = below;
            let here = self.get(below);
            below = if here[RIGHT] == 0 { here[LEFT] } else { here[RIGHT] };
        }
        if leaf == node {
            return 0;
        }
        self.displace(leaf, 0);
        leaf
    }

    /// Puts `heir`, or nothing if that is 0, into the trie in the place of `node`.
    #[inline(always)]
    fn displace(&mut self, node: LongId, heir: LongId) {
        let [_, len, _, _, parent, left, right, _] = *self.get(node);
        if parent == 0 {
            let (class, _) = class_of(len);
            self.roots[class] = heir;
            self.map &= !(u32::from(heir == 0) << class);
        } else {
            let side = LEFT + usize::from(self.get(parent)[LEFT] != node);
            self.at(parent)[side] = heir;
        }
        if heir != 0 {
            let new = self.at(heir);
            (new[PARENT], new[LEFT], new[RIGHT]) = (parent, left, right);
            // Node 0 takes what is meant for no child.
            self.at(left)[PARENT] = heir;
            self.at(right)[PARENT] = heir;
        }
    }

    /// Returns the newest of the shortest extents with at least `len` granules.
    #[inline(never)]
    pub(super) fn least(&self, len: u32) -> Option<Extent> {
        let (class, mut key) = class_of(len.max(Bins::BOUND));
        let (mut best, mut node, mut longer) = ((u32::MAX, 0), self.roots[class], 0);
        while node != 0 {
            let here = self.get(node);
            if here[LEN] >= len && here[LEN] < best.0 {
                best = (here[LEN], node);
            }
            let bit = (key >> 31) as usize;
            key <<= 1;
            if bit == 0 && here[RIGHT] != 0 {
                longer = here[RIGHT];
            }
            node = here[LEFT + bit];
        }
        // All of `longer` is longer than what its sibling's path can still hold; all of a higher class is longer still.
        best = self.shortest(longer, best);
        let above = self.map & (!1u32 << class);
        if best.1 == 0 && above != 0 {
            best = self.shortest(self.roots[above.trailing_zeros() as usize % CLASSES], best);
        }
        (best.1 != 0).then(|| self.extent(self.get(best.1)[NEXT]))
    }

    /// Returns the shortest of `best` and what lies below `node`.
    fn shortest(&self, mut node: LongId, mut best: (u32, LongId)) -> (u32, LongId) {
        while node != 0 {
            let here = self.get(node);
            if here[LEN] < best.0 {
                best = (here[LEN], node);
            }
            node = if here[LEFT] == 0 { here[RIGHT] } else { here[LEFT] };
        }
        best
    }

    /// Returns the extent after this one in its ring, from the newest on.
    pub(super) fn older(&self, extent: Extent) -> Option<Extent> {
        let here = self.get(node_of(extent.offset));
        // The trie's own node is the oldest of its ring.
        (here[PARENT] == AWAY).then(|| self.extent(here[NEXT]))
    }

    /// Returns whether there is none.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.map == 0
    }

    /// Returns the greatest length, 0 when there is none.
    pub(super) fn greatest(&self) -> u32 {
        let Some(class) = self.map.checked_ilog2() else { return 0 };
        let (mut node, mut greatest) = (self.roots[class as usize], 0);
        while node != 0 {
            let here = self.get(node);
            greatest = greatest.max(here[LEN]);
            node = if here[RIGHT] == 0 { here[LEFT] } else { here[RIGHT] };
        }
        greatest
    }

    /// Returns where the nodes are.
    pub(super) fn span(&self) -> Span {
        self.nodes.span()
    }

    /// For the proof: returns how many extents the tries and their rings hold, or `None` where a node is out of place.
    pub(super) fn count(&self, is_free: &impl Fn(Extent) -> bool) -> Option<u32> {
        let below = |(class, &root): (usize, &LongId)| {
            let low = 1 << (class as u32 + LEAST_LOG);
            let is_mapped = self.map >> class & 1 != 0;
            if is_mapped == (root != 0) { self.count_below(root, 0, low, low, is_free) } else { None }
        };
        self.roots.iter().enumerate().map(below).sum()
    }

    /// INV-best_fit.long-1 to INV-best_fit.long-3 from `node` down, where lengths are in `[low, low + width)`.
    fn count_below(
        &self,
        node: LongId,
        above: LongId,
        low: u32,
        width: u32,
        is_free: &impl Fn(Extent) -> bool,
    ) -> Option<u32> {
        if node == 0 {
            return Some(0);
        }
        let [_, len, _, _, parent, left, right, _] = *self.get(node);
        if parent != above || len < low || len - low >= width {
            return None;
        }
        let (mut sum, mut equal) = (0, node);
        loop {
            let [offset, equal_len, _, next, parent, ..] = *self.get(equal);
            let in_ring = equal_len == len && (parent == AWAY) == (equal != node) && self.get(next)[PREV] == equal;
            if !in_ring || node_of(offset) != equal || !is_free(Extent::new(offset, len)) {
                return None;
            }
            (sum, equal) = (sum + 1, next);
            if equal == node {
                break;
            }
        }
        sum += self.count_below(left, node, low, width / 2, is_free)?;
        Some(sum + self.count_below(right, node, low + width / 2, width / 2, is_free)?)
    }
}
