//! Best fit as one would first write it on the standard collections: a map of free extents by offset, a set of
//! offsets per length, a map of the blocks in use.
//!
//! Requests are carved from the tail of the smallest extent that fits, and a freed block joins its free neighbours at
//! once. This is the algorithm that `BestFitArena` replaces, so it is judged as it is usually written.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ptr::NonNull,
};

use super::Contender;
use crate::harness::memory::Memory;

const GRANULE: usize = 16;

#[derive(Debug, Default)]
struct Extents {
    free: BTreeMap<usize, usize>,
    by_length: BTreeMap<usize, BTreeSet<usize>>,
    used: HashMap<usize, usize>,
}

impl Extents {
    fn new(bytes: usize) -> Extents {
        let mut extents = Extents::default();
        extents.add_free(0, bytes);
        extents
    }

    fn add_free(&mut self, offset: usize, length: usize) {
        self.free.insert(offset, length);
        self.by_length.entry(length).or_default().insert(offset);
    }

    fn remove_free(&mut self, offset: usize, length: usize) {
        self.free.remove(&offset);
        if let Some(offsets) = self.by_length.get_mut(&length) {
            offsets.remove(&offset);
            if offsets.is_empty() {
                self.by_length.remove(&length);
            }
        }
    }

    fn take(&mut self, size: usize) -> Option<usize> {
        let wanted = size.next_multiple_of(GRANULE);
        let (&length, offsets) = self.by_length.range(wanted..).next()?;
        let start = *offsets.first()?;
        self.remove_free(start, length);
        if length > wanted {
            self.add_free(start, length - wanted);
        }
        let offset = start + length - wanted;
        self.used.insert(offset, wanted);
        Some(offset)
    }

    fn give_back(&mut self, offset: usize) -> Option<()> {
        let mut length = self.used.remove(&offset)?;
        let mut start = offset;
        if let Some(&right) = self.free.get(&(offset + length)) {
            self.remove_free(offset + length, right);
            length += right;
        }
        let left = self.free.range(..offset).next_back().map(|(&at, &left)| (at, left));
        if let Some((at, left)) = left.filter(|(at, left)| at + left == offset) {
            self.remove_free(at, left);
            (start, length) = (at, length + left);
        }
        self.add_free(start, length);
        Some(())
    }
}

/// The algorithm over mapped memory.
pub struct BTreeFit {
    extents: Extents,
    memory: Memory,
}

impl BTreeFit {
    pub fn over(memory: Memory) -> BTreeFit {
        BTreeFit { extents: Extents::new(memory.bytes()), memory }
    }
}

impl Contender for BTreeFit {
    type Handle = usize;

    #[inline]
    fn alloc(&mut self, size: usize) -> Option<usize> {
        self.extents.take(size)
    }

    #[inline]
    fn ptr(&self, offset: usize) -> NonNull<u8> {
        // SAFETY: `take` hands out offsets below the memory's length.
        unsafe { self.memory.base().add(offset) }
    }

    #[inline]
    unsafe fn free(&mut self, offset: usize, _size: usize) {
        self.extents.give_back(offset).expect("a block in use");
    }
}

#[cfg(test)]
mod tests {
    use super::Extents;

    #[test]
    fn carves_from_the_tail_of_the_smallest_that_fits() {
        let mut extents = Extents::new(1024);
        assert_eq!(extents.take(100), Some(1024 - 112));
        let hole = extents.take(64).expect("room");
        let wall = extents.take(16).expect("room");
        assert_eq!(extents.give_back(hole), Some(()));
        assert_eq!(extents.take(32), Some(hole + 32));
        assert_eq!(extents.take(2000), None);
        assert_eq!(extents.give_back(wall), Some(()));
        assert_eq!(extents.give_back(wall), None);
    }

    #[test]
    fn coalesces_both_ways() {
        let mut extents = Extents::new(1024);
        let blocks: Vec<usize> = (0..4).map(|_| extents.take(256).expect("room")).collect();
        assert!(extents.free.is_empty() && extents.by_length.is_empty());
        for i in [0, 2, 1, 3] {
            extents.give_back(blocks[i]).expect("in use");
        }
        assert_eq!(extents.free.into_iter().collect::<Vec<_>>(), [(0, 1024)]);
        assert!(extents.used.is_empty() && extents.by_length.len() == 1);
    }
}
