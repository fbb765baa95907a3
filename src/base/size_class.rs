//! Size classes: which class serves a layout, and how long its blocks are. Pure numbers.
//!
//! Plain classes (alignment up to 16): every 16 bytes to 1 KiB, 8 per doubling to 8 KiB, 4 per doubling to 32 KiB.
//! Aligned classes: alignments 32, 64 and 128, every multiple of the alignment to 1 KiB. What has no class is *large*:
//! an extent of its own, rounded up to the granule.
//!
//! - INV-base.size_class-1: `size(of(l)) >= l.size()`, and a multiple of the granule and, for aligned classes, of the
//!   alignment.
//! - INV-base.size_class-2: for every layout `m` with `l.size() <= m.size() <= size(of(l))` and the same alignment,
//!   `of(m) == of(l)`; so a block may be freed with any layout between what was asked and what is usable.
//! - INV-base.size_class-3: classes are numbered by length within each alignment, `0 <= class < COUNT`.

use core::alloc::Layout;

/// Unit of extents in a region, in bytes.
pub(crate) const GRANULE_BYTES: usize = START_ALIGN as usize;

/// Alignment of an extent's start: a granule.
pub(crate) const START_ALIGN: u8 = 16;

/// A size class: an index below [`COUNT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Class(u8);

#[cfg(not(all(test, loom)))]
mod shape {
    /// Plain classes every 16 bytes.
    pub(super) const FINE: usize = 64;
    /// Plain classes above those: 8 for each doubling from 1 to 8 KiB, then 4 for each doubling to 32 KiB. Twice as
    /// many hold half a percent more and miss their magazines more often.
    pub(super) const COARSE: usize = 24 + 8;
    /// Greatest alignment that has classes is `16 << ALIGNED`.
    pub(super) const ALIGNED: usize = 3;
    /// Slots of the two node sizes.
    pub(crate) const SMALL_SLOTS: usize = 12;
    pub(crate) const LARGE_SLOTS: usize = 60;
    /// Bytes that the first magazine of a class may hold, and that the greatest may hold.
    pub(super) const FIRST_BYTES: usize = 512;
    pub(super) const MOST_BYTES: usize = 32 * 1024;
    pub(super) const FIRST_LEAST: usize = 2;
}

/// The model checker explores every atomic word, so its classes and magazines are few and small.
#[cfg(all(test, loom))]
mod shape {
    pub(super) const FINE: usize = 2;
    pub(super) const COARSE: usize = 0;
    pub(super) const ALIGNED: usize = 0;
    pub(crate) const SMALL_SLOTS: usize = 2;
    pub(crate) const LARGE_SLOTS: usize = 4;
    pub(super) const FIRST_BYTES: usize = 16;
    pub(super) const MOST_BYTES: usize = 64;
    pub(super) const FIRST_LEAST: usize = 1;
}

use shape::{ALIGNED, COARSE, FINE, FIRST_BYTES, FIRST_LEAST, MOST_BYTES};
pub(crate) use shape::{LARGE_SLOTS, SMALL_SLOTS};

const FINE_BYTES: usize = FINE * GRANULE_BYTES;
const PLAIN: usize = FINE + COARSE;
const ALIGNED_END: usize = ALIGNED + 1;

/// Number of classes.
pub(crate) const COUNT: usize = PLAIN + aligned_before(ALIGNED);

/// Classes of alignments below `GRANULE_BYTES << (step + 1)`.
const fn aligned_before(steps: usize) -> usize {
    let mut count = 0;
    let mut step = 1;
    while step <= steps {
        count += FINE >> step;
        step += 1;
    }
    count
}

/// Block length of each class, in bytes.
const SIZES: [u32; COUNT] = sizes();

#[expect(clippy::cast_possible_truncation, reason = "class sizes are at most 32 KiB")]
const fn sizes() -> [u32; COUNT] {
    let mut sizes = [0u32; COUNT];
    let mut class = 0;
    while class < FINE {
        sizes[class] = ((class + 1) * GRANULE_BYTES) as u32;
        class += 1;
    }
    let mut size = FINE_BYTES;
    while class < PLAIN {
        let doubling = 1 << size.ilog2();
        size += if size < 8 * 1024 { doubling / 8 } else { doubling / 4 };
        sizes[class] = size as u32;
        class += 1;
    }
    let mut step = 1;
    while step < ALIGNED_END {
        let mut multiple = 1;
        while multiple <= FINE >> step {
            sizes[class] = (multiple * (GRANULE_BYTES << step)) as u32;
            multiple += 1;
            class += 1;
        }
        step += 1;
    }
    sizes
}

/// Coarse sizes are multiples of this.
const COARSE_STEP: usize = 64;

/// The coarse class of `ceil(size / 64)`.
const COARSE_CLASS: [u8; MOST_BYTES / COARSE_STEP + 1] = coarse_classes();

#[expect(clippy::cast_possible_truncation, reason = "there are fewer than 256 classes")]
const fn coarse_classes() -> [u8; MOST_BYTES / COARSE_STEP + 1] {
    let mut table = [0u8; MOST_BYTES / COARSE_STEP + 1];
    let mut step = 0;
    while step < table.len() {
        let mut class = FINE - 1;
        while class + 1 < PLAIN && (SIZES[class] as usize) < step * COARSE_STEP {
            class += 1;
        }
        table[step] = class as u8;
        step += 1;
    }
    table
}

impl Class {
    /// The class that serves `layout`, none if it is large for a heap whose longest class has `longest` bytes.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "every index below is less than COUNT, which is below 256")]
    pub(crate) fn of(layout: Layout, longest: usize) -> Option<Class> {
        let (size, align) = (layout.size(), layout.align());
        debug_assert!(size > 0, "zero-sized requests have no block");
        if align <= GRANULE_BYTES {
            if size <= FINE_BYTES {
                return Some(Class((size.wrapping_sub(1) / GRANULE_BYTES) as u8));
            }
            if size <= longest {
                return Some(Class(COARSE_CLASS[size.div_ceil(COARSE_STEP)]));
            }
            return None;
        }
        if align <= GRANULE_BYTES << ALIGNED && size <= FINE_BYTES {
            let step = (align / GRANULE_BYTES).ilog2() as usize;
            return Some(Class((PLAIN + aligned_before(step - 1) + size.wrapping_sub(1) / align) as u8));
        }
        None
    }

    /// The class with index `index`.
    #[expect(clippy::cast_possible_truncation, reason = "checked against COUNT")]
    pub(crate) fn from_index(index: usize) -> Class {
        assert!(index < COUNT, "there are {COUNT} classes");
        Class(index as u8)
    }

    #[inline(always)]
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Length of the class's blocks, in bytes.
    #[inline(always)]
    pub(crate) fn bytes(self) -> usize {
        SIZES[self.index()] as usize
    }

    /// Length of the class's blocks, in granules.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "at most 2,048")]
    pub(crate) fn granules(self) -> u32 {
        (self.bytes() / GRANULE_BYTES) as u32
    }

    /// Alignment of the class's blocks, in granules.
    pub(crate) fn align_granules(self) -> u32 {
        if self.index() < PLAIN {
            return 1;
        }
        let mut step = 1;
        while self.index() >= PLAIN + aligned_before(step) {
            step += 1;
        }
        1 << step
    }

    /// Blocks in the first magazine of the class.
    #[expect(clippy::cast_possible_truncation, reason = "at most 60")]
    pub(crate) fn first_capacity(self) -> u32 {
        ((FIRST_BYTES / self.bytes()).max(FIRST_LEAST) as u32).min(self.most_capacity())
    }

    /// Blocks in the greatest magazine of the class.
    #[expect(clippy::cast_possible_truncation, reason = "at most 60")]
    pub(crate) fn most_capacity(self) -> u32 {
        (MOST_BYTES / self.bytes()).clamp(2, LARGE_SLOTS) as u32
    }
}

/// Length of the longest class of a heap in a region of `capacity` bytes.
pub(crate) fn longest_bytes(capacity: usize) -> usize {
    if COARSE == 0 {
        FINE_BYTES
    } else if capacity >= 64 << 20 {
        MOST_BYTES
    } else {
        8 * 1024
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn layouts(align: usize) -> impl Iterator<Item = Layout> {
        (1..=40_000usize).map(move |size| Layout::from_size_align(size, align).expect("a small layout"))
    }

    #[test]
    fn a_class_fits_and_any_layout_up_to_its_size_maps_to_it() {
        for longest in [8 * 1024, 32 * 1024] {
            for align in [1, 2, 8, 16, 32, 64, 128, 256] {
                let mut last: Option<(Class, usize)> = None;
                for layout in layouts(align) {
                    let Some(class) = Class::of(layout, longest) else {
                        assert!(layout.size() > if align <= 16 { longest } else { 1024 } || align > 128);
                        continue;
                    };
                    assert!(class.bytes() >= layout.size() && class.bytes() % align.max(16) == 0, "{layout:?}");
                    assert_eq!(class.align_granules() as usize, align.div_ceil(16), "{layout:?}");
                    if let Some((previous, size)) = last {
                        if layout.size() <= size {
                            assert_eq!(class, previous, "{layout:?} is within the usable size of its predecessor");
                        } else {
                            assert_eq!(class.index(), previous.index() + 1, "{layout:?}: no class is skipped");
                        }
                    }
                    last = Some((class, class.bytes()));
                }
            }
        }
    }

    #[test]
    fn there_are_96_plain_classes_and_the_steps_are_as_documented() {
        assert_eq!((PLAIN, COUNT), (96, 152));
        let plain: Vec<u32> = SIZES[..PLAIN].to_vec();
        assert_eq!((plain[63], plain[64], plain[87], plain[95]), (1024, 1152, 8192, 32768));
        assert!(plain.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(plain[FINE..].iter().all(|size| (*size as usize).is_multiple_of(COARSE_STEP)));
    }

    #[test]
    fn capacities_are_within_a_node() {
        for index in 0..COUNT {
            let class = Class::from_index(index);
            assert!((2..=u32::try_from(LARGE_SLOTS).unwrap()).contains(&class.most_capacity()));
            assert!((1..=class.most_capacity()).contains(&class.first_capacity()));
        }
    }
}
