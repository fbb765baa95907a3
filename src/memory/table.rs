//! `Table`: a slice of zeroed values in memory reserved at construction and touched as used.
//!
//! The out-of-band metadata of the crate (the best-fit index, the depot's nodes) lives in tables: they have their full
//! length from the start, so nothing that runs later can fail for want of metadata, and cost only the pages touched.
//!
//! - INV-memory.table-1: `[base, base + len × size_of::<T>())` is one allocated object, aligned for `T`, that began as
//!   zero bytes, a valid `T` by [`Zeroable`]'s contract.
//!
//! Not synchronised: `&Table` gives `&[T]`, `&mut Table` gives `&mut [T]`, and what `T` allows decides the rest.
#![expect(unsafe_code, reason = "a zero byte pattern is read as T")]

use core::ops::{Deref, DerefMut};
use std::alloc::{Layout, alloc_zeroed};

use crate::base::system::SystemRefusal;

/// Types for which zero bytes are a valid value, without a destructor.
///
/// # Safety
/// Every byte of `T` may be zero, `zeroed()` gives that same value, and `T` needs no drop.
pub(crate) unsafe trait Zeroable: Sized {
    /// The value whose bytes are all zero.
    #[allow(dead_code, reason = "only the model checker builds its tables by value")]
    fn zeroed() -> Self;

    /// Makes such a value at `at`; for a long one, of which not every byte matters, without a copy of it anywhere.
    ///
    /// # Safety
    /// `at` is aligned, and room for a value that is the caller's alone.
    #[allow(dead_code, reason = "the model checker builds its values elsewhere")]
    unsafe fn write_zeroed(at: core::ptr::NonNull<Self>) {
        // SAFETY: this function's contract.
        unsafe { at.write(Self::zeroed()) };
    }
}

// SAFETY: an integer.
unsafe impl Zeroable for u32 {
    fn zeroed() -> Self {
        0
    }
}

// SAFETY: an integer.
unsafe impl Zeroable for u64 {
    fn zeroed() -> Self {
        0
    }
}

// SAFETY: an array of values for which zero bytes are valid.
unsafe impl<T: Zeroable, const N: usize> Zeroable for [T; N] {
    fn zeroed() -> Self {
        core::array::from_fn(|_| T::zeroed())
    }
}

pub(crate) use body::Table;

/// `Box::new` that gives an error where the global allocator has no memory.
pub(crate) fn try_box<T>(value: T) -> Result<Box<T>, SystemRefusal> {
    let layout = Layout::new::<T>();
    if layout.size() == 0 {
        return Ok(Box::new(value));
    }
    // Zeroed, as all of the crate's fallible requests are.
    // SAFETY: the layout's size is not zero.
    let memory = unsafe { alloc_zeroed(layout) }.cast::<T>();
    if memory.is_null() {
        return Err(SystemRefusal::of_allocator(layout.size()));
    }
    // SAFETY: fresh memory for a `T`.
    unsafe { memory.write(value) };
    // SAFETY: from the global allocator, with `T`'s layout, and now a `T`.
    Ok(unsafe { Box::from_raw(memory) })
}

impl<T: Zeroable> Deref for Table<T> {
    type Target = [T];
    #[inline(always)]
    fn deref(&self) -> &[T] {
        self.as_slice()
    }
}

impl<T: Zeroable> DerefMut for Table<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        self.as_mut_slice()
    }
}

#[cfg(not(all(test, loom)))]
mod body {
    use core::marker::PhantomData;
    use core::ptr::NonNull;
    use std::alloc::{Layout, alloc_zeroed, dealloc};

    use super::super::mapping::{Advice, Mapping, page_bytes};
    use super::super::span::Span;
    use super::Zeroable;
    use crate::base::system::SystemRefusal;

    /// Tables up to this many bytes come from the global allocator, which zeroes and so touches all of them; longer
    /// ones are mappings of their own.
    const SMALL_BYTES: usize = 16 * 1024;

    /// Every table begins on a cache line, so that values of 16, 32 or 64 bytes do not straddle two.
    const LINE_BYTES: usize = 64;

    /// See the module's header.
    #[derive(Debug)]
    pub(crate) struct Table<T> {
        base: NonNull<T>,
        len: usize,
        owner: Backing,
        values: PhantomData<T>,
    }

    #[derive(Debug)]
    enum Backing {
        Empty,
        Allocator(Layout),
        Mapping(Mapping),
    }

    // SAFETY: a table owns its values like a boxed slice.
    unsafe impl<T: Send> Send for Table<T> {}
    // SAFETY: a table owns its values like a boxed slice.
    unsafe impl<T: Sync> Sync for Table<T> {}

    impl<T: Zeroable> Table<T> {
        /// A table of no values.
        pub(crate) const fn empty() -> Self {
            Self { base: NonNull::dangling(), len: 0, owner: Backing::Empty, values: PhantomData }
        }

        /// Reserves `len` zeroed values.
        ///
        /// # Errors
        /// The operating system's or the global allocator's refusal.
        pub(crate) fn reserve(len: usize) -> Result<Self, SystemRefusal> {
            let layout = Layout::array::<T>(len).and_then(|layout| layout.align_to(LINE_BYTES));
            let layout = layout.map_err(|_| SystemRefusal::of_allocator(usize::MAX))?;
            if layout.size() == 0 {
                return Ok(Self::empty());
            }
            if layout.size() <= SMALL_BYTES {
                // SAFETY: the layout's size is not zero.
                let memory = unsafe { alloc_zeroed(layout) };
                let base = NonNull::new(memory.cast::<T>()).ok_or(SystemRefusal::of_allocator(layout.size()))?;
                return Ok(Self { base, len, owner: Backing::Allocator(layout), values: PhantomData });
            }
            let mapping = Mapping::reserve(layout.size(), Advice::default())?;
            // A page is aligned for every `T` of this crate: no type here asks for more.
            debug_assert!(mapping.base().cast::<T>().is_aligned());
            Ok(Self { base: mapping.base().cast(), len, owner: Backing::Mapping(mapping), values: PhantomData })
        }

        /// Where the bytes are.
        pub(crate) fn span(&self) -> Span {
            match &self.owner {
                Backing::Empty => Span::empty(),
                Backing::Allocator(layout) => Span::new(self.base.cast(), layout.size(), false),
                Backing::Mapping(mapping) => Span::new(mapping.base(), mapping.len(), true),
            }
        }

        /// Bytes in memory when the first `used` values were used: whole pages, or all that the global allocator gave.
        pub(crate) fn used_bytes(&self, used: usize) -> usize {
            let touched = used.saturating_mul(size_of::<T>());
            match &self.owner {
                Backing::Empty => 0,
                Backing::Allocator(layout) => layout.size(),
                Backing::Mapping(mapping) => touched.next_multiple_of(page_bytes()).min(mapping.len()),
            }
        }

        #[inline(always)]
        pub(super) fn as_slice(&self) -> &[T] {
            // SAFETY: INV-memory.table-1; what began as zeros is a `T` (`Zeroable`), and every later write went through
            // `&mut` or `T`.
            unsafe { core::slice::from_raw_parts(self.base.as_ptr(), self.len) }
        }

        #[inline(always)]
        pub(super) fn as_mut_slice(&mut self) -> &mut [T] {
            // SAFETY: as in `as_slice`; `&mut self` makes it exclusive.
            unsafe { core::slice::from_raw_parts_mut(self.base.as_ptr(), self.len) }
        }
    }

    impl<T> Drop for Table<T> {
        fn drop(&mut self) {
            if let Backing::Allocator(layout) = self.owner {
                // SAFETY: allocated in `reserve` with this layout; the values need no drop (`Zeroable`).
                unsafe { dealloc(self.base.as_ptr().cast(), layout) };
            }
        }
    }
}

#[cfg(all(test, loom))]
mod body {
    use super::Zeroable;
    use crate::base::system::SystemRefusal;

    /// Loom's atomics are not zero bytes, so its tables are built value by value.
    #[derive(Debug)]
    pub(crate) struct Table<T>(Vec<T>);

    impl<T: Zeroable> Table<T> {
        pub(crate) const fn empty() -> Self {
            Self(Vec::new())
        }
        #[expect(clippy::unnecessary_wraps, reason = "the other body can fail")]
        pub(crate) fn reserve(len: usize) -> Result<Self, SystemRefusal> {
            Ok(Self((0..len).map(|_| T::zeroed()).collect()))
        }
        #[expect(clippy::unused_self, reason = "the other body has an address")]
        pub(crate) fn span(&self) -> super::super::span::Span {
            super::super::span::Span::empty()
        }
        #[expect(clippy::unused_self, reason = "the other body is all used, or page by page")]
        pub(crate) fn used_bytes(&self, used: usize) -> usize {
            used * size_of::<T>()
        }
        pub(super) fn as_slice(&self) -> &[T] {
            &self.0
        }
        pub(super) fn as_mut_slice(&mut self) -> &mut [T] {
            &mut self.0
        }
    }
}
