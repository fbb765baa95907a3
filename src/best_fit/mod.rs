//! `BestFit`: exact best fit over a range of granules. Numbers only: the managed memory is never touched, nor known.
//!
//! A request gets the tail of a shortest free extent that is long enough, the one freed or cut last among equals, or
//! its front if it asks for that ([`End`]); a freed extent is joined with both neighbours at once. All metadata lies in
//! tables reserved at construction, so nothing except the construction can fail for want of memory.
//!
//! One request through the files, bottom up:
//! 1. [`BestFit::take`] asks [`index`] for the shortest free extent. Below 4,096 granules that is a ring of [`bins`],
//!    found by a two-level set of [`bitmap`]; above it is a node of a trie in [`long`].
//! 2. `carve` shortens that extent in the index, and marks the new start and the new last free granule in [`lines`].
//! 3. [`BestFit::give_back`] reads the length as the distance to the next start bit, and from two free bits whether the
//!    neighbours are free. `release` clears the bits at the joints and puts the joined extent into the index.
//!
//! Off this path: [`aligned`] takes at a place that is asked for, or with room to grow; [`resize`] moves the edges of
//! used extents, [`verify`] proves the invariants, [`tables`] and [`pack`] give metadata back to the system, [`arena`]
//! is the public face in pointers and bytes.
//!
//! - INV-best_fit-1: the extents, used and free, tile `[0, granules)`; no two neighbours are both free.
//! - INV-best_fit-2: an extent is in the index, with its offset and length ⟺ its free bits are set ([`lines`]).
//! - INV-best_fit-3: `used + free = granules`, `used = Σ len` of the used extents, and the counts of both kinds are
//!   exact.
//! - INV-best_fit-4: no start bit lies between the granules `low` and `high`, and none ever did.
//!
//! Not synchronised: the caller holds it mutably, in a region by holding the lock.
//! Deliberately absent: pointers, sizes in bytes, limits, growth.
//!
//! Sources: best fit with immediate joining is Knuth, The Art of Computer Programming, volume 1, section 2.5; the
//! behaviour (best fit from the tail, figures, errors) is that of the arena in Bitcoin Core's `LockedPool`.
#![expect(
    clippy::inline_always,
    reason = "a request is a dozen steps of a few instructions; left to itself it cost 3 % more"
)]
#![expect(
    clippy::cast_possible_truncation,
    reason = "granules, and what is counted in them, are below 2^32 (`MAX_GRANULES`)"
)]

mod aligned;
mod arena;
mod bins;
mod bitmap;
mod index;
mod lines;
mod long;
mod pack;
mod resize;
mod tables;
mod verify;

#[cfg(all(test, not(loom)))]
mod tests;

pub(crate) use aligned::Search;
pub use arena::BestFitArena;
pub(crate) use tables::{Tables, Touched};

use self::bins::Found;
use self::index::FreeIndex;
use self::lines::Lines;
use crate::base::error::{FreeError, RegionError};
use crate::base::extent::Extent;

/// The end of a free extent from which a request is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Keeps short extents together at the top.
    Tail,
    /// Leaves what is free behind the taken extent, which can grow into it.
    Front,
}

/// See the module's header.
#[derive(Debug)]
pub(crate) struct BestFit {
    lines: Lines,
    index: FreeIndex,
    granules: u32,
    used: u32,
    used_extents: u32,
    free_extents: u32,
    /// The granules between which no extent ever began.
    low: u32,
    high: u32,
    /// The absolute address of granule 0, in granules.
    origin: u64,
}

impl BestFit {
    /// The greatest number of granules.
    pub(crate) const MAX_GRANULES: u32 = u32::MAX - 255;

    /// Creates an index over `granules` free granules, the first at the absolute address `origin × granule size`.
    pub(crate) fn new(granules: u32, origin: u64) -> Result<Self, RegionError> {
        if granules == 0 {
            return Err(RegionError::ZeroCapacity);
        }
        if granules > Self::MAX_GRANULES {
            return Err(RegionError::above(granules as usize, Self::MAX_GRANULES.into()));
        }
        origin.checked_add(granules.into()).ok_or(RegionError::Overflow)?;
        let (mut lines, mut index) = (Lines::new(granules)?, FreeIndex::new(granules)?);
        lines.set_free(0);
        lines.set_free(granules - 1);
        index.insert(Extent::new(0, granules));
        Ok(Self { lines, index, granules, used: 0, used_extents: 0, free_extents: 1, low: 0, high: granules, origin })
    }

    /// Takes the tail of a shortest free extent that is long enough.
    #[inline]
    pub(crate) fn take(&mut self, len: u32) -> Option<u32> {
        if len == 0 {
            return None;
        }
        let found = self.index.least(len)?;
        Some(self.carve(found, len, 1))
    }

    /// Takes up to `count` extents of `len` granules, with the same result as `count` calls of `take_aligned` at tails.
    /// Returns how many it took.
    pub(crate) fn take_run(&mut self, len: u32, align: u32, count: usize, mut sink: impl FnMut(u32)) -> usize {
        if align > 1 || len == 0 {
            return (0..count).map_while(|_| self.take_aligned(len, align, End::Tail)).map(sink).count();
        }
        let mut taken = 0;
        while taken < count
            && let Some(found) = self.index.least(len)
        {
            // What is left of the shortest that is long enough stays the shortest until it is too short.
            let pieces = ((found.extent.len / len) as usize).min(count - taken) as u32;
            let first = self.carve(found, len, pieces);
            (0..pieces).rev().for_each(|piece| sink(first + piece * len));
            taken += pieces as usize;
        }
        taken
    }

    /// Cuts `pieces` times `len` granules from the tail of a free extent; returns the lowest offset.
    #[inline(always)]
    fn carve(&mut self, found: Found, len: u32, pieces: u32) -> u32 {
        let rest = found.extent.len - len * pieces;
        let at = found.extent.offset + rest;
        self.index.cut(found, rest);
        self.make_used(rest, Extent::new(at, len * pieces), 0);
        (1..pieces).for_each(|piece| self.begin(at + piece * len));
        self.used_extents += pieces;
        at
    }

    /// Takes `part` of a free extent; what is left before and after it stays free. The caller counts the extent.
    #[inline(always)]
    fn carve_at(&mut self, whole: Extent, part: Extent) {
        let left = Extent::new(whole.offset, part.offset - whole.offset);
        let right = whole.from(part.end());
        let rest = if left.len == 0 { right } else { left };
        if rest.len == 0 {
            self.index.remove(whole);
        } else {
            self.index.replace(whole, rest);
        }
        if left.len != 0 && right.len != 0 {
            self.index.insert(right);
        }
        self.make_used(left.len, part, right.len);
    }

    /// Makes `part` of a free extent used, in all but the index and the count; `left` and `right` granules stay free.
    #[inline(always)]
    fn make_used(&mut self, left: u32, part: Extent, right: u32) {
        if right == 0 {
            self.lines.clear_free(part.end() - 1);
        } else {
            self.begin(part.end());
            self.lines.set_free(part.end());
        }
        if left == 0 {
            self.lines.clear_free(part.offset);
        } else {
            self.begin(part.offset);
            self.lines.set_free(part.offset - 1);
        }
        self.used += part.len;
        self.free_extents = self.free_extents + u32::from(left != 0) + u32::from(right != 0) - 1;
    }

    /// Lets an extent begin at `granule`, which is not 0.
    #[inline(always)]
    fn begin(&mut self, granule: u32) {
        self.lines.set_start(granule);
        if self.low < granule && granule < self.high {
            self.narrow(granule);
        }
    }

    /// Notes that an extent begins between `low` and `high`.
    #[cold]
    fn narrow(&mut self, granule: u32) {
        if granule - self.low < self.high - granule {
            self.low = granule;
        } else {
            self.high = granule;
        }
    }

    /// Divides a used extent in two: the second begins at `granule`.
    #[inline(always)]
    fn divide(&mut self, granule: u32) {
        self.begin(granule);
        self.used_extents += 1;
    }

    /// Gives back the used extent that begins at `offset`, and returns its length.
    #[inline]
    pub(crate) fn give_back_at(&mut self, offset: u32) -> Result<u32, FreeError> {
        let len = self.len_of(offset)?;
        self.release(Extent::new(offset, len));
        Ok(len)
    }

    /// Gives back a used extent.
    #[inline]
    pub(crate) fn give_back(&mut self, extent: Extent) -> Result<(), FreeError> {
        self.check(extent)?;
        self.release(extent);
        Ok(())
    }

    /// Gives back all of them that are used extents; returns how many were not. Sorts, and joins neighbours first.
    pub(crate) fn give_back_all(&mut self, extents: &mut [Extent]) -> usize {
        extents.sort_unstable();
        let mut invalid = 0;
        let mut run = Extent::new(0, 0);
        for &extent in &*extents {
            // What lies in the run has lost its start bit or is the run's own beginning.
            if extent.offset < run.end() || self.check(extent).is_err() {
                invalid += 1;
            } else if run.len != 0 && extent.offset == run.end() {
                self.lines.clear_start(extent.offset);
                self.used_extents -= 1;
                run.len += extent.len;
            } else {
                if run.len != 0 {
                    self.release(run);
                }
                run = extent;
            }
        }
        if run.len != 0 {
            self.release(run);
        }
        invalid
    }

    /// Makes a used extent free and joins it with its free neighbours.
    #[inline(always)]
    fn release(&mut self, extent: Extent) {
        let Extent { offset, len } = extent;
        let end = extent.end();
        self.used -= len;
        self.used_extents -= 1;
        let left = self.lines.is_free_before(offset);
        let right = self.lines.is_free(end);
        // Where the joined extent ends; and INV-best_fit.lines-2 at the joint, unless its granule is an end of the
        // joined one too.
        let stop = if right {
            let stop = self.lines.next_start(end);
            if stop == end + 1 {
                self.lines.clear_start(end);
            } else {
                self.lines.clear_free(end);
                self.lines.clear_start(end);
            }
            stop
        } else {
            self.lines.set_free(end - 1);
            end
        };
        if left {
            let start = self.lines.prev_start(offset);
            if start != offset - 1 {
                self.lines.clear_free(offset - 1);
            }
            self.lines.clear_start(offset);
            if right {
                self.index.remove(Extent::new(end, stop - end));
                self.free_extents -= 1;
            }
            self.index.replace(Extent::new(start, offset - start), Extent::new(start, stop - start));
        } else {
            self.lines.set_free(offset);
            let joined = Extent::new(offset, stop - offset);
            if right {
                self.index.replace(Extent::new(end, stop - end), joined);
            } else {
                self.index.insert(joined);
                self.free_extents += 1;
            }
        }
    }

    /// Returns the length of the used extent that begins at `offset`.
    #[inline]
    pub(crate) fn len_of(&self, offset: u32) -> Result<u32, FreeError> {
        let end = if offset < self.granules { self.lines.used_end(offset) } else { None };
        end.map(|end| end - offset).ok_or_else(|| self.why_not(offset))
    }

    /// Checks that `extent` is a used one.
    #[inline]
    fn check(&self, extent: Extent) -> Result<(), FreeError> {
        if self.len_of(extent.offset)? == extent.len { Ok(()) } else { Err(FreeError::WrongLayout) }
    }

    /// Returns why no used extent begins at `offset`.
    #[cold]
    fn why_not(&self, offset: u32) -> FreeError {
        match self.around(offset) {
            None => FreeError::OutOfRegion,
            Some((extent, true)) if extent.offset != offset => FreeError::Interior,
            Some(_) => FreeError::NotLive,
        }
    }

    /// Returns the extent containing `granule` and whether it is used, or `None` past the end.
    pub(crate) fn around(&self, granule: u32) -> Option<(Extent, bool)> {
        if granule >= self.granules {
            return None;
        }
        let start = self.lines.prev_start(granule + 1);
        Some((Extent::new(start, self.lines.next_start(start) - start), !self.lines.is_free(start)))
    }

    /// Returns every extent in the order of addresses, and whether it is used.
    pub(crate) fn walk(&self) -> impl Iterator<Item = (Extent, bool)> + '_ {
        core::iter::successors(self.around(0), |(extent, _)| self.around(extent.end()))
    }

    /// Returns the granules managed.
    #[inline]
    pub(crate) fn granules(&self) -> u32 {
        self.granules
    }

    /// Returns the granules handed out.
    #[inline]
    pub(crate) fn used(&self) -> u32 {
        self.used
    }

    /// Returns the granules not handed out.
    #[inline]
    pub(crate) fn free(&self) -> u32 {
        self.granules - self.used
    }

    /// Returns the number of extents handed out.
    #[inline]
    pub(crate) fn used_extents(&self) -> usize {
        self.used_extents as usize
    }

    /// Returns the number of free extents.
    #[inline]
    pub(crate) fn free_extents(&self) -> usize {
        self.free_extents as usize
    }

    /// Returns the granules of the longest free extent, in at most a step a bit.
    #[inline]
    pub(crate) fn largest_free(&self) -> u32 {
        self.index.greatest()
    }

    /// Returns the granules of the longest free extent, or `u32::MAX` if that is not one of the short ones, in a few
    /// instructions.
    #[inline]
    pub(crate) fn longest_short(&self) -> u32 {
        if self.index.long.is_empty() { self.index.bins.greatest() } else { u32::MAX }
    }
}
