//! Placing: objects, or copies of bytes, one after the other into an arena; each place is shown to code that the
//! compiler cannot see through, so that every contender must have written it there and then.
//!
//! The loops are functions of their own for each contender, with its fast path in them. They own their handle, as a
//! program's loop does, and get its arena from outside: none is compiled with more knowledge of its arena than another.

#[cfg(target_arch = "x86_64")]
use std::arch::asm;
use std::{hint::black_box, ptr::NonNull, slice};

use crate::peers::bulk::{CopyIn, Object, Place};

/// How many times each loop is compiled: see [`stand_at`].
pub const STANDS: usize = 4;

/// Places so many objects; frees them again where no reset does. The handle comes back, to be dropped off the clock.
pub fn place<P: Place>(handle: P, objects: usize, stand: usize) -> P {
    let stands = [place_at::<P, 0>, place_at::<P, 1>, place_at::<P, 2>, place_at::<P, 3>];
    stands[stand % STANDS](handle, objects)
}

#[inline(never)]
fn place_at<P: Place, const STAND: usize>(mut handle: P, objects: usize) -> P {
    stand_at::<STAND>();
    for i in 0..objects as u64 {
        black_box(handle.place([i; 3]));
    }
    handle.finish();
    handle
}

/// Copies every slice.
pub fn copy<P: CopyIn>(handle: P, slices: &[&[u8]], stand: usize) -> P {
    let stands = [copy_at::<P, 0>, copy_at::<P, 1>, copy_at::<P, 2>, copy_at::<P, 3>];
    stands[stand % STANDS](handle, slices)
}

#[inline(never)]
fn copy_at<P: CopyIn, const STAND: usize>(mut handle: P, slices: &[&[u8]]) -> P {
    stand_at::<STAND>();
    for slice in slices {
        black_box(handle.copy_in(slice));
    }
    handle
}

/// Puts the loop that follows a quarter of a cache line further than the stand before would.
///
/// A loop of three cycles runs up to a quarter slower where its code happens to lie badly in the lines that the
/// processor fetches, and where it lies changes with every build. So each loop is compiled at all the places that the
/// compiler would give it, and each round runs them all.
#[cfg(target_arch = "x86_64")]
#[inline]
fn stand_at<const STAND: usize>() {
    // SAFETY: a few instructions that do nothing.
    unsafe {
        asm!(".p2align 6", ".skip {}, 0x90", const STAND * 16, options(nomem, nostack, preserves_flags));
    };
}

#[cfg(not(target_arch = "x86_64"))]
fn stand_at<const STAND: usize>() {}

/// Objects that were placed, and what they must still hold.
pub struct Placed(Vec<(NonNull<Object>, Object)>);

impl Placed {
    /// So many objects that no other `mark` has.
    pub fn new(handle: &mut impl Place, objects: usize, mark: usize) -> Placed {
        let object = |i: usize| [i as u64, mark as u64, !i as u64];
        Placed((0..objects).map(|i| (handle.place(object(i)), object(i))).collect())
    }

    /// Panics unless all of them hold what they held: two that overlap do not.
    pub fn check(&self) {
        // SAFETY: placed, and neither reset nor finished since.
        let whole = |&(place, object): &(NonNull<Object>, Object)| unsafe { place.read() } == object;
        assert!(self.0.iter().all(whole), "two live objects overlap");
    }
}

/// Copies every slice, and panics unless all copies are whole at the end.
pub fn check_copies(handle: &mut impl CopyIn, slices: &[&[u8]]) {
    let copies: Vec<NonNull<u8>> = slices.iter().map(|slice| handle.copy_in(slice)).collect();
    for (slice, copy) in slices.iter().zip(copies) {
        // SAFETY: a copy of as many bytes, and no reset since.
        let copy = unsafe { slice::from_raw_parts(copy.as_ptr(), slice.len()) };
        assert!(copy == *slice, "two live copies overlap");
    }
}
