//! The index against its definition: a shadow map of every extent, kept by the standard collections.

mod aligned;
mod edges;
mod runs;

use std::collections::{BTreeMap, BTreeSet};

use super::{BestFit, End};
use crate::base::error::FreeError;
use crate::base::extent::Extent;

/// The dice, splitmix64: every failure repeats.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, range: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((u64::from(range) * ((z ^ (z >> 31)) >> 32)) >> 32) as u32
    }

    /// Mostly short, sometimes as long as `longest`.
    pub(super) fn len(&mut self, longest: u32) -> u32 {
        let bits = self.below(longest.ilog2() + 1);
        (1 << bits).min(longest - 1) + self.below(1 << bits).min(longest - (1 << bits).min(longest - 1))
    }
}

/// The index and, beside it, what it ought to hold.
struct Shadow {
    index: BestFit,
    granules: u32,
    origin: u64,
    /// Length and use of every extent.
    extents: BTreeMap<u32, (u32, bool)>,
    free: BTreeSet<(u32, u32)>,
    /// Beginnings of used extents, in no order.
    used: Vec<u32>,
    used_granules: u32,
    /// Whether nodes are going, and how often some went.
    going: bool,
    went: u32,
}

impl Shadow {
    fn new(granules: u32, origin: u64) -> Self {
        let index = BestFit::new(granules, origin).expect("address space for the metadata");
        let extents = BTreeMap::from([(0, (granules, false))]);
        let free = BTreeSet::from([(granules, 0)]);
        Self { index, granules, origin, extents, free, used: Vec::new(), used_granules: 0, going: false, went: 0 }
    }

    fn shortest_for(&self, len: u32) -> Option<u32> {
        self.free.range((len, 0)..).next().map(|&(len, _)| len)
    }

    fn free_around(&self, granule: u32) -> Extent {
        let (&offset, &(len, used)) = self.extents.range(..=granule).next_back().expect("granule 0 begins an extent");
        assert!(!used && granule < offset + len, "{granule} was handed out already");
        Extent::new(offset, len)
    }

    fn set(&mut self, extent: Extent, used: bool) {
        if extent.len != 0 {
            self.extents.insert(extent.offset, (extent.len, used));
            if !used {
                self.free.insert((extent.len, extent.offset));
            }
        }
    }

    fn unset(&mut self, offset: u32) -> Extent {
        let (len, used) = self.extents.remove(&offset).expect("an extent begins here");
        if !used {
            self.free.remove(&(len, offset));
        }
        Extent::new(offset, len)
    }

    /// Notes that `[offset, offset + len)` was handed out.
    fn took(&mut self, offset: u32, len: u32) {
        let around = self.free_around(offset);
        assert!(offset + len <= around.end(), "{offset} + {len} reaches past the free extent");
        self.unset(around.offset);
        self.set(Extent::new(around.offset, offset - around.offset), false);
        self.set(Extent::new(offset, len), true);
        self.set(Extent::new(offset + len, around.end() - offset - len), false);
        self.used.push(offset);
        self.used_granules += len;
    }

    /// Notes that a used extent, already out of `used`, became free.
    fn gave(&mut self, offset: u32) {
        let mut joined = self.unset(offset);
        self.used_granules -= joined.len;
        let left = self.extents.range(..offset).next_back().filter(|(_, (_, used))| !used).map(|(&at, _)| at);
        if let Some(at) = left {
            joined = Extent::new(at, self.unset(at).len + joined.len);
        }
        if self.extents.get(&joined.end()).is_some_and(|(_, used)| !used) {
            joined.len += self.unset(joined.end()).len;
        }
        self.set(joined, false);
    }

    fn take(&mut self, len: u32) {
        let expected = self.shortest_for(len);
        let got = self.index.take(len);
        assert_eq!(got.is_some(), expected.is_some(), "take({len})");
        if let (Some(offset), Some(expected)) = (got, expected) {
            let from = self.free_around(offset);
            assert_eq!(from.len, expected, "not a shortest that fits {len}");
            assert_eq!(offset + len, from.end(), "not the tail");
            self.took(offset, len);
        }
    }

    /// Whether any free extent holds `len` granules at an aligned address.
    fn has_place(&self, len: u32, align: u64) -> bool {
        self.free.range((len, 0)..).any(|&(whole, offset)| {
            let first = (self.origin + u64::from(offset)).checked_next_multiple_of(align);
            first.is_some_and(|first| first - self.origin + u64::from(len) <= u64::from(offset + whole))
        })
    }

    fn take_aligned(&mut self, len: u32, align: u32, end: End) {
        let got = self.index.take_at_multiple(len, align.into(), end);
        assert_eq!(got.is_some(), self.has_place(len, align.into()), "take_aligned({len}, {align})");
        if let Some(offset) = got {
            assert_eq!((self.origin + u64::from(offset)) % u64::from(align), 0);
            let from = self.free_around(offset);
            let beside = if end == End::Tail { from.end() - offset - len } else { offset - from.offset };
            assert!(beside < align, "not at the {end:?}");
            self.took(offset, len);
        }
    }

    fn take_roomy(&mut self, len: u32, align: u32) {
        let expected = self.shortest_for(2 * len);
        let Some(offset) = self.index.take_roomy(len, align) else {
            return assert!(align > 1 || expected.is_none(), "take_roomy({len})");
        };
        let from = self.free_around(offset);
        assert_eq!(((self.origin + u64::from(offset)) % u64::from(align), Some(from.len)), (0, expected));
        let (before, behind) = (offset - from.offset, from.end() - offset - len);
        assert!(behind + align > len - len / 4 && before < len + align && (before < align || from.offset != 0));
        self.took(offset, len);
    }

    fn take_run(&mut self, dice: &mut Dice, len: u32) {
        let count = dice.below(20) as usize;
        let mut got = Vec::new();
        let taken = self.index.take_run(len, 1, count, |offset| got.push(offset));
        assert_eq!(taken, got.len());
        for offset in got {
            self.took(offset, len);
        }
        assert!(taken == count || self.shortest_for(len).is_none(), "fewer than could be had");
    }

    /// A random used extent, out of `used`.
    fn draw(&mut self, dice: &mut Dice) -> Option<Extent> {
        if self.used.is_empty() {
            return None;
        }
        let offset = self.used.swap_remove(dice.below(self.used.len() as u32) as usize);
        Some(Extent::new(offset, self.extents[&offset].0))
    }

    fn give_back(&mut self, dice: &mut Dice) {
        let Some(extent) = self.draw(dice) else { return };
        self.refuse(extent, dice);
        if dice.below(2) == 0 {
            assert_eq!(self.index.give_back(extent), Ok(()));
        } else {
            assert_eq!(self.index.give_back_at(extent.offset), Ok(extent.len));
        }
        self.gave(extent.offset);
        assert_eq!(self.index.give_back_at(extent.offset), Err(FreeError::NotLive));
    }

    /// Every way to give back `extent` wrongly is refused.
    fn refuse(&mut self, extent: Extent, dice: &mut Dice) {
        let Extent { offset, len } = extent;
        assert_eq!(self.index.give_back(Extent::new(offset, len + 1)), Err(FreeError::WrongLayout));
        assert_eq!(self.index.split(Extent::new(offset, len - 1), 1), Err(FreeError::WrongLayout));
        if len > 1 {
            let inside = offset + 1 + dice.below(len - 1);
            assert_eq!(self.index.give_back_at(inside), Err(FreeError::Interior));
        }
        if let Some(&(len, offset)) = self.free.first() {
            let inside = offset + dice.below(len);
            assert_eq!(self.index.give_back(Extent::new(inside, len)), Err(FreeError::NotLive));
        }
        let outside = self.granules + dice.below(u32::MAX - self.granules);
        assert_eq!(self.index.give_back_at(outside), Err(FreeError::OutOfRegion));
    }

    fn give_back_all(&mut self, dice: &mut Dice) {
        let mut extents: Vec<Extent> = (0..dice.below(30)).filter_map(|_| self.draw(dice)).collect();
        let valid = extents.clone();
        // Twice the same, one of a wrong length, one outside.
        let wrong: Vec<Extent> =
            valid.first().map(|e| [*e, Extent::new(e.offset, e.len + 1)]).into_iter().flatten().collect();
        extents.extend(&wrong);
        extents.push(Extent::new(self.granules, 1));
        assert_eq!(self.index.give_back_all(&mut extents), wrong.len() + 1);
        for extent in valid {
            self.gave(extent.offset);
        }
    }

    fn resize(&mut self, dice: &mut Dice) {
        let Some(extent) = self.draw(dice) else { return };
        let Extent { offset, len } = extent;
        let left = self.extents.range(..offset).next_back().filter(|(_, e)| !e.1).map_or(0, |(_, e)| e.0);
        let right = self.extents.get(&extent.end()).filter(|e| !e.1).map_or(0, |e| e.0);
        assert_eq!((self.index.free_left(offset), self.index.free_right(extent)), (left, right));
        assert_eq!(self.index.len_of(offset), Ok(len));
        let (kept, grown) = match dice.below(4) {
            0 => {
                let keep = 1 + dice.below(len);
                assert_eq!(self.index.split(extent, 0), Err(FreeError::WrongLayout));
                assert_eq!(self.index.split(extent, keep), Ok(()));
                if keep < len {
                    self.extents.insert(offset, (keep, true));
                    self.extents.insert(offset + keep, (len - keep, true));
                    self.gave(offset + keep);
                }
                (offset, None)
            }
            1 => {
                let cut = dice.below(len);
                assert_eq!(self.index.cut_front(extent, len), Err(FreeError::WrongLayout));
                assert_eq!(self.index.cut_front(extent, cut), Ok(()));
                if cut > 0 {
                    self.extents.insert(offset, (cut, true));
                    self.extents.insert(offset + cut, (len - cut, true));
                    self.gave(offset);
                }
                (offset + cut, None)
            }
            2 => {
                let more = dice.below(right + 2);
                assert_eq!(self.index.extend(extent, more), Ok(more <= right));
                (offset, (more <= right).then_some((extent.end(), more)))
            }
            _ => {
                let more = dice.below(left + 2);
                assert_eq!(self.index.extend_left(extent, more), Ok(more <= left));
                let fits = more <= left;
                (offset - if fits { more } else { 0 }, fits.then_some((offset - more.min(left), more)))
            }
        };
        if let Some((at, more)) = grown.filter(|(_, more)| *more != 0) {
            self.took(at, more);
            self.used.pop();
            self.extents.remove(&at.max(offset));
            self.extents.insert(kept, (len + more, true));
        }
        self.used.push(kept);
    }

    /// A part of some free extent, or of a used one, which is refused.
    fn take_at(&mut self, dice: &mut Dice) {
        let from = dice.below(self.granules);
        let Some((&start, &(len, used))) = self.extents.range(..=from).next_back() else { return };
        let wanted = Extent::new(from, 1 + dice.below(2 * len));
        let free = !used && wanted.end() <= start + len;
        assert_eq!(self.index.take_at(wanted), free);
        if free {
            self.took(wanted.offset, wanted.len);
        }
    }

    fn check(&self) {
        assert_eq!(self.index.used(), self.used_granules);
        assert_eq!(self.index.free(), self.granules - self.used_granules);
        assert_eq!(self.index.used_extents(), self.used.len());
        assert_eq!(self.index.free_extents(), self.free.len());
        assert_eq!(self.index.largest_free(), self.free.last().map_or(0, |e| e.0));
    }

    fn check_all(&self) {
        self.index.check_invariants().expect("the invariants hold");
        let shadow = self.extents.iter().map(|(&offset, &(len, used))| (Extent::new(offset, len), used));
        assert!(self.index.walk().eq(shadow));
    }

    /// Packs some of the nodes, and lets some go, or be there again.
    fn pack(&mut self, dice: &mut Dice) {
        if self.index.begin_pack() {
            self.index.pack(dice.below(300) as usize);
        }
        if dice.below(2) == 0 {
            return;
        }
        if core::mem::take(&mut self.going) {
            self.index.end_discard();
        } else if let Some(nodes) = self.index.begin_discard() {
            self.index.tables().discard_nodes(nodes);
            self.going = true;
            self.went += 1;
        }
    }

    /// `steps` random steps that fill and empty the range in turns.
    fn run(&mut self, steps: u32, longest: u32, seed: u64) {
        let mut dice = Dice(seed);
        let mut bias = 60;
        for step in 0..steps {
            if step % (steps / 16).max(1) == 0 {
                bias = 20 + dice.below(60);
                self.check_all();
            }
            let len = dice.len(longest);
            if dice.below(40) == 0 {
                self.pack(&mut dice);
            }
            match dice.below(100) {
                0..6 => self.resize(&mut dice),
                6 => self.take_run(&mut dice, len),
                7 => self.give_back_all(&mut dice),
                8 if bias < 40 => self.take_at(&mut dice),
                9..14 => {
                    let end = [End::Tail, End::Front][dice.below(2) as usize];
                    self.take_aligned(len, 1 << dice.below(longest.ilog2() + 2), end);
                }
                14 => self.take_roomy(len, 1 << dice.below(5)),
                roll if roll < bias => self.take(len),
                _ => self.give_back(&mut dice),
            }
            self.check();
        }
        while let Some(extent) = self.draw(&mut dice) {
            assert_eq!(self.index.give_back(extent), Ok(()));
            self.gave(extent.offset);
        }
        if self.going {
            self.index.end_discard();
        }
        while self.index.begin_pack() {
            self.index.pack(60);
        }
        self.check_all();
        assert_eq!(self.index.walk().collect::<Vec<_>>(), [(Extent::new(0, self.granules), false)]);
    }
}

#[test]
fn a_million_random_steps_agree_with_the_shadow() {
    let steps = if cfg!(miri) { 400 } else { 200_000 };
    Shadow::new(700, 3).run(steps, 40, 1);
    Shadow::new(256, 0).run(steps, 256, 2);
    Shadow::new(40_000, 0x7FFF_FFFF_FF61).run(steps, 300, 3);
    // Long extents, equals among them.
    Shadow::new(3_000_000, 12_345).run(steps, 70_000, 4);
    Shadow::new(1 << 27, u64::MAX - (1 << 27)).run(steps, 1 << 23, 5);
}

/// So many free extents that their nodes are worth it, beside changes at every stage.
#[cfg(not(miri))]
#[test]
fn nodes_are_packed_and_go() {
    let (mut shadow, mut dice) = (Shadow::new(60_000, 7), Dice(7));
    for _ in 0..3 {
        while shadow.used_granules < shadow.granules {
            shadow.take(1);
        }
        for step in 0..90_000 {
            if dice.below(100) < 30 {
                shadow.take(1 + dice.below(2));
            } else {
                shadow.give_back(&mut dice);
            }
            if step > 30_000 && step % 8 == 0 {
                shadow.pack(&mut dice);
            }
            if step % 3_000 == 0 {
                shadow.check_all();
            }
        }
    }
    shadow.run(1_000, 2, 7);
    assert!(shadow.went > 6, "nodes went {} times", shadow.went);
}

#[test]
fn long_extents_of_few_lengths_are_taken_newest_first() {
    let mut shadow = Shadow::new(1 << 22, 0);
    let mut dice = Dice(9);
    for step in 0..20_000 {
        let len = 4096 + (dice.below(5) << dice.below(8));
        if dice.below(100) < if step % 4000 < 2000 { 65 } else { 35 } {
            shadow.take(len);
        } else {
            shadow.give_back(&mut dice);
        }
        shadow.check();
        if step % 1000 == 0 {
            shadow.check_all();
        }
    }
}
