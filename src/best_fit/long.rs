//! `LongExtents`: the free extents of [`Bins::BOUND`] granules and more, ordered by length.
//!
//! A bitwise trie for each power of two, keyed by the bits of the length below the highest; equals hang in a ring on one
//! node of the trie. A search costs at most a step a bit. The form is that of the large bins of Doug Lea's malloc.
//!
//! An extent's node lies at the position `offset / 4,096`: two extents of that length cannot begin in one such stretch.
//! So it is found by its offset, and nothing is ever allocated.
//!
//! - INV-G1: slot `offset / 4,096 + 1` holds the free extent; slot 0 is none; a slot not in use has length 0.
//! - INV-G2: below child `c` of a node at depth `d` of class `k`, bit `k - 1 - d` of every length is `c`.
//! - INV-G3: equals of a node of the trie are in its ring and `AWAY` is their parent. Behind the node come its equals from
//!   the newest to the oldest.
//!
//! Not synchronised. Deliberately absent: balance; lengths have 32 bits, so depth is bounded by itself.

use super::bins::Bins;
use crate::base::error::RegionError;
use crate::memory::table::Table;

const OFFSET: usize = 0;
const LEN: usize = 1;
const PREV: usize = 2;
const NEXT: usize = 3;
const PARENT: usize = 4;
const CHILD: usize = 5;

/// `[offset, len, prev, next, parent, children…, unused]`.
type Slot = [u32; 8];

/// A slot's number; 0 is none.
pub(super) type SlotId = u32;

/// The parent of what hangs in a ring, not in the trie.
const AWAY: SlotId = u32::MAX;

/// Classes: lengths with 13 to 32 bits.
const CLASSES: usize = 20;
const LEAST_LOG: u32 = Bins::BOUND.ilog2();

/// See the module's header.
#[derive(Debug)]
pub(super) struct LongExtents {
    slots: Table<Slot>,
    /// Classes that are not empty.
    map: u32,
    roots: [SlotId; CLASSES],
}

#[inline(always)]
fn slot_of(offset: u32) -> SlotId {
    offset / Bins::BOUND + 1
}

/// The class of a length, and its bits below the highest moved to the top.
#[inline(always)]
fn class_of(len: u32) -> (usize, u32) {
    let class = len.ilog2() - LEAST_LOG;
    (class as usize, len << len.leading_zeros() << 1)
}

impl LongExtents {
    pub(super) fn new(granules: u32) -> Result<Self, RegionError> {
        let slots =
            if granules < Bins::BOUND { Table::empty() } else { Table::reserve(slot_of(granules) as usize + 1)? };
        Ok(Self { slots, map: 0, roots: [0; CLASSES] })
    }

    #[inline(always)]
    fn get(&self, slot: SlotId) -> &Slot {
        &self.slots[slot as usize]
    }

    #[inline(always)]
    fn at(&mut self, slot: SlotId) -> &mut Slot {
        &mut self.slots[slot as usize]
    }

    pub(super) fn offset(&self, slot: SlotId) -> u32 {
        self.get(slot)[OFFSET]
    }

    pub(super) fn len(&self, slot: SlotId) -> u32 {
        self.get(slot)[LEN]
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.map == 0
    }

    /// Takes note of a free extent.
    #[inline(never)]
    pub(super) fn insert(&mut self, offset: u32, len: u32) {
        let slot = slot_of(offset);
        let (class, mut key) = class_of(len);
        let mut node = self.roots[class];
        *self.at(slot) = [offset, len, slot, slot, 0, 0, 0, 0];
        if node == 0 {
            self.roots[class] = slot;
            self.map |= 1 << class;
            return;
        }
        loop {
            let here = *self.get(node);
            if here[LEN] == len {
                return self.insert_equal(slot, node, here[NEXT]);
            }
            let child = CHILD + (key >> 31) as usize;
            key <<= 1;
            if here[child] == 0 {
                self.at(node)[child] = slot;
                self.at(slot)[PARENT] = node;
                return;
            }
            node = here[child];
        }
    }

    /// Hangs `slot` into the ring of `node` as the newest.
    fn insert_equal(&mut self, slot: SlotId, node: SlotId, next: SlotId) {
        let new = self.at(slot);
        (new[PREV], new[NEXT], new[PARENT]) = (node, next, AWAY);
        self.at(node)[NEXT] = slot;
        self.at(next)[PREV] = slot;
    }

    /// Forgets the free extent at `offset`.
    #[inline(never)]
    pub(super) fn remove(&mut self, offset: u32) {
        let slot = slot_of(offset);
        let [at, len, prev, next, parent, ..] = *self.get(slot);
        debug_assert!(at == offset && len != 0, "a long free extent without a slot");
        self.at(prev)[NEXT] = next;
        self.at(next)[PREV] = prev;
        if parent != AWAY {
            // The second oldest of the ring keeps the ring's order; without a ring any leaf below may move up.
            let heir = if prev == slot { self.take_leaf(slot) } else { prev };
            self.replace(slot, heir);
        }
        self.at(slot)[LEN] = 0;
    }

    /// Detaches a leaf below `slot`; 0 when it is a leaf itself.
    fn take_leaf(&mut self, slot: SlotId) -> SlotId {
        let mut leaf = 0;
        let mut below = slot;
        while below != 0 {
            leaf = below;
            let node = self.get(below);
            below = if node[CHILD + 1] == 0 { node[CHILD] } else { node[CHILD + 1] };
        }
        if leaf == slot {
            return 0;
        }
        let parent = self.get(leaf)[PARENT];
        for child in CHILD..CHILD + 2 {
            if self.get(parent)[child] == leaf {
                self.at(parent)[child] = 0;
            }
        }
        leaf
    }

    /// Puts `heir` (0: nothing) into the trie where `slot` is.
    fn replace(&mut self, slot: SlotId, heir: SlotId) {
        let [_, len, _, _, parent, left, right, _] = *self.get(slot);
        if parent == 0 {
            let (class, _) = class_of(len);
            self.roots[class] = heir;
            self.map &= !(u32::from(heir == 0) << class);
        } else {
            let child = CHILD + usize::from(self.get(parent)[CHILD] != slot);
            self.at(parent)[child] = heir;
        }
        if heir != 0 {
            let new = self.at(heir);
            (new[PARENT], new[CHILD], new[CHILD + 1]) = (parent, left, right);
            for child in [left, right] {
                if child != 0 {
                    self.at(child)[PARENT] = heir;
                }
            }
        }
    }

    /// The newest of the shortest extents with at least `len` granules; 0 when there is none.
    #[inline(never)]
    pub(super) fn least(&self, len: u32) -> SlotId {
        let (class, mut key) = class_of(len.max(Bins::BOUND));
        let mut best = (u32::MAX, 0);
        let mut node = self.roots[class];
        let mut longer = 0;
        while node != 0 {
            let here = self.get(node);
            if here[LEN] >= len && here[LEN] < best.0 {
                best = (here[LEN], node);
            }
            let bit = (key >> 31) as usize;
            key <<= 1;
            if bit == 0 && here[CHILD + 1] != 0 {
                longer = here[CHILD + 1];
            }
            node = here[CHILD + bit];
        }
        // All of `longer` is longer than what its sibling's path can still hold; all of a higher class is longer still.
        best = self.shortest(longer, best);
        let above = self.map & (!1u32 << class);
        if best.1 == 0 && above != 0 {
            best = self.shortest(self.roots[above.trailing_zeros() as usize % CLASSES], best);
        }
        if best.1 == 0 { 0 } else { self.get(best.1)[NEXT] }
    }

    /// The shortest of `best` and what lies below `node`.
    fn shortest(&self, mut node: SlotId, mut best: (u32, SlotId)) -> (u32, SlotId) {
        while node != 0 {
            let here = self.get(node);
            if here[LEN] < best.0 {
                best = (here[LEN], node);
            }
            node = if here[CHILD] == 0 { here[CHILD + 1] } else { here[CHILD] };
        }
        best
    }

    /// The greatest length; 0 when there is none.
    pub(super) fn greatest(&self) -> u32 {
        let Some(class) = self.map.checked_ilog2() else { return 0 };
        let mut node = self.roots[class as usize];
        let mut greatest = 0;
        while node != 0 {
            let here = self.get(node);
            greatest = greatest.max(here[LEN]);
            node = if here[CHILD + 1] == 0 { here[CHILD] } else { here[CHILD + 1] };
        }
        greatest
    }

    /// The extent behind `slot` in its ring, from the newest on; 0 at the end.
    pub(super) fn older(&self, slot: SlotId) -> SlotId {
        // The trie's own node is the oldest of its ring.
        if self.get(slot)[PARENT] == AWAY { self.get(slot)[NEXT] } else { 0 }
    }

    /// Bytes reserved, and of them touched when nothing long began between granules 0 and `lowest`.
    pub(super) fn bytes(&self, lowest: u32) -> (usize, usize) {
        let all = size_of_val::<[Slot]>(&self.slots);
        (all, all - (all.min((slot_of(lowest) as usize - 1) * size_of::<Slot>())))
    }

    /// For the proof: whether the free extent has its slot, with consistent links to and fro.
    pub(super) fn holds(&self, offset: u32, len: u32) -> bool {
        let slot = slot_of(offset);
        let [at, l, prev, next, parent, ..] = *self.get(slot);
        let linked = match parent {
            AWAY => self.len(next) == len,
            0 => self.roots[class_of(len).0] == slot,
            _ => self.get(parent)[CHILD..CHILD + 2].contains(&slot),
        };
        at == offset && l == len && linked && self.get(prev)[NEXT] == slot && self.get(next)[PREV] == slot
    }

    /// For the proof: how many extents the tries and their rings hold, or `None` where a node is out of its place.
    pub(super) fn count(&self) -> Option<u32> {
        let mut sum = 0;
        for (class, &root) in self.roots.iter().enumerate() {
            if (root != 0) != (self.map >> class & 1 != 0) {
                return None;
            }
            if root != 0 {
                let log = class as u32 + LEAST_LOG;
                sum += self.count_below(root, 1 << log, 1 << log)?;
            }
        }
        Some(sum)
    }

    /// INV-G2 and INV-G3 below `node`, whose lengths are in `[low, low + width)`.
    fn count_below(&self, node: SlotId, low: u32, width: u32) -> Option<u32> {
        let [_, len, _, next, _, left, right, _] = *self.get(node);
        if len < low || len - low >= width {
            return None;
        }
        let (mut sum, mut equal) = (1, next);
        while equal != node {
            if self.get(equal)[PARENT] != AWAY || self.len(equal) != len || sum as usize > self.slots.len() {
                return None;
            }
            (sum, equal) = (sum + 1, self.get(equal)[NEXT]);
        }
        let half = width / 2;
        for (child, low) in [(left, low), (right, low + half)] {
            if child != 0 {
                sum += self.count_below(child, low, half)?;
            }
        }
        Some(sum)
    }
}
