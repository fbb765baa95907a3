//! Address arithmetic: the checked functions through which every rounding to an alignment goes.
//!
//! Pure, and generic over the width of the word, so that the very code that runs on addresses is tested over all values
//! of an 8-bit word.
//!
//! - INV-base.layout-1: `align_up(v, a) = Some(u)` ⟺ `u` is the least multiple of `a` with `u ≥ v`, and it fits the
//!   word.
//! - INV-base.layout-2: `align_down(v, a) = Some(d)` ⟺ `d` is the greatest multiple of `a` with `d ≤ v`.
//! - INV-base.layout-3: both are `None` where `a` is not a power of two.

use core::alloc::Layout;
use core::ops::{BitAnd, Not};
use core::ptr::NonNull;

/// An unsigned word that addresses, or numbers of granules, are made of.
pub(crate) trait Unsigned: Copy + PartialOrd + From<u8> + BitAnd<Output = Self> + Not<Output = Self> {
    /// `self + other`, or `None` past the end of the word.
    fn checked_sum(self, other: Self) -> Option<Self>;
    /// `self - other`, which is not below zero.
    fn difference(self, other: Self) -> Self;
    /// `self - 1` for a power of two, else `None`.
    fn mask_below(self) -> Option<Self>;
}

macro_rules! word {
    ($($word:ty)*) => { $(
        impl Unsigned for $word {
            #[inline]
            fn checked_sum(self, other: Self) -> Option<Self> {
                self.checked_add(other)
            }
            #[inline(always)]
            fn difference(self, other: Self) -> Self {
                debug_assert!(other <= self);
                self.wrapping_sub(other)
            }
            #[inline]
            fn mask_below(self) -> Option<Self> {
                if self.is_power_of_two() { Some(self - 1) } else { None }
            }
        }
    )* };
}
word!(usize u64);
#[cfg(test)]
word!(u8);

/// The least multiple of `align` that is not below `value`; `None` past the end of the word or for a bad alignment.
#[inline]
pub(crate) fn align_up<W: Unsigned>(value: W, align: W) -> Option<W> {
    let mask = align.mask_below()?;
    Some(value.checked_sum(mask)? & !mask)
}

/// The greatest multiple of `align` that is not above `value`; `None` for a bad alignment.
#[inline]
pub(crate) fn align_down<W: Unsigned>(value: W, align: W) -> Option<W> {
    Some(value & !align.mask_below()?)
}

/// The address at which a block of `size` bytes, aligned to `align`, ends the free bytes `[start, cursor)`: the
/// greatest that leaves it room. `None` where it does not fit, or for a bad alignment. `start` is a multiple of
/// `START_ALIGN`.
///
/// - INV-base.layout-4: `start ≤ cursor` and `Some(at)` ⟹ `start ≤ at`, `at + size ≤ cursor`, and `at` is a multiple of
///   `align`.
#[inline(always)]
pub(crate) fn bump_down<W: Unsigned, const START_ALIGN: u8>(start: W, cursor: W, size: W, align: W) -> Option<W> {
    if cursor.difference(start) < size {
        return None;
    }
    // The size is at most the room, so at most the cursor.
    let at = align_down(cursor.difference(size), align)?;
    // Rounding down to a multiple that `start` is one of cannot pass it.
    (align <= W::from(START_ALIGN) || at >= start).then_some(at)
}

/// A block of a zero-sized layout: aligned, not null, no memory.
#[inline(always)]
pub(crate) fn dangling(layout: Layout) -> NonNull<u8> {
    NonNull::new(core::ptr::without_provenance_mut(layout.align())).unwrap_or(NonNull::dangling())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{align_down, align_up, bump_down};

    fn up_reference(value: u128, align: u128, max: u128) -> Option<u128> {
        let up = value.div_ceil(align) * align;
        (up <= max).then_some(up)
    }

    #[test]
    fn every_value_of_an_8_bit_word() {
        for value in 0..=u8::MAX {
            for align in 0..=u8::MAX {
                let (up, down) = (align_up(value, align), align_down(value, align));
                if !align.is_power_of_two() {
                    assert_eq!((up, down), (None, None), "{value} {align}");
                    continue;
                }
                let reference = up_reference(value.into(), align.into(), u8::MAX.into());
                assert_eq!(up.map(u128::from), reference, "{value} {align}");
                assert_eq!(down, Some(value / align * align), "{value} {align}");
            }
        }
    }

    #[test]
    fn every_free_range_size_and_alignment_of_an_8_bit_word() {
        fn check<const START_ALIGN: u8>(step: usize) {
            for start in (0..=u8::MAX).step_by(step) {
                for cursor in start..=u8::MAX {
                    for size in 0..=u8::MAX {
                        for bit in 0..8 {
                            let align = 1u8 << bit;
                            let at = bump_down::<u8, START_ALIGN>(start, cursor, size, align);
                            // The greatest multiple that leaves room, in wider arithmetic.
                            let most =
                                (i32::from(cursor) - i32::from(size)).div_euclid(align.into()) * i32::from(align);
                            let reference = (most >= start.into()).then_some(most);
                            assert_eq!(at.map(i32::from), reference, "[{start}, {cursor}) {size} {align}");
                        }
                    }
                }
            }
        }
        check::<1>(13);
        check::<16>(16);
        assert_eq!(bump_down::<u8, 1>(0, 9, 3, 3), None);
    }

    #[test]
    fn boundaries_of_the_real_word_match_wider_arithmetic() {
        let mut values = vec![0usize];
        for bit in 0..usize::BITS {
            for near in [-65i32, -64, -63, -1, 0, 1, 63, 64] {
                values.push((1usize << bit).wrapping_add_signed(near as isize));
            }
        }
        for &value in &values {
            for bit in 0..usize::BITS {
                let align = 1usize << bit;
                let reference = up_reference(value as u128, align as u128, usize::MAX as u128);
                assert_eq!(align_up(value, align).map(|up| up as u128), reference, "{value:#x} {align:#x}");
                assert_eq!(align_down(value, align), Some(value / align * align), "{value:#x} {align:#x}");
                assert_eq!(align_up(value as u64, align as u64).map(u128::from), reference);
            }
            assert_eq!(align_up(value, 0), None);
            assert_eq!(align_up(value, 3), None);
        }
    }
}
