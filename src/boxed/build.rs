//! Blocks that values are made in: [`Block`], which goes back when it is dropped, and [`Making`], values that are made one
//! behind the other.
//!
//! [`Head`] is what stands in a block before the values: nothing in a box's, the count in an `Arc`'s.
//!
//! - INV-X3: `block` is a live block of `alloc` and of `layout`, unless `layout` has no size; behind the head it holds
//!   `slots` values' places, of which the first `built` hold values, and they are the guard's own.
//!
//! For values of no size `slots` is the greatest number; one more value than that is refused, so that the count never wraps.
#![expect(unsafe_code, reason = "writes values into blocks of an allocator")]

use core::alloc::Layout;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use allocator_api2::alloc::Allocator;

use super::error::BlockError;

/// What stands in a block before its value, or its slice of values.
pub(super) trait Head {
    /// The layout of a block for a value of layout `value`, and how far into it the value stands, which depends on its
    /// alignment only. None if there is no such layout.
    fn around(value: Layout) -> Option<(Layout, usize)>;

    /// Writes the head.
    ///
    /// # Safety
    /// `place` is where a value stands in a block that is the caller's alone, of the layout [`Head::around`] gave.
    unsafe fn write(place: NonNull<u8>);
}

/// Nothing stands before the value.
pub(super) struct Plain;

impl Head for Plain {
    #[inline(always)]
    fn around(value: Layout) -> Option<(Layout, usize)> {
        Some((value, 0))
    }

    #[inline(always)]
    unsafe fn write(_: NonNull<u8>) {}
}

/// A block that goes back when this is dropped.
pub(super) struct Block<'a, A: Allocator> {
    alloc: &'a A,
    ptr: NonNull<u8>,
    layout: Layout,
}

impl<'a, A: Allocator> Block<'a, A> {
    /// The block around the place of a value, which may still be there.
    ///
    /// # Safety
    /// The block is live, of `alloc` and of the layout [`Head::around`] gives for `value`, unless that has no size; nobody
    /// uses it when this is dropped.
    #[inline]
    pub(super) unsafe fn around<H: Head>(alloc: &'a A, place: NonNull<u8>, value: Layout) -> Self {
        // SAFETY: a block of that layout exists, by this function's contract.
        let (layout, offset) = unsafe { H::around(value).unwrap_unchecked() };
        // SAFETY: `NonNull::sub`: the block begins so far before the value.
        let ptr = unsafe { place.sub(offset) };
        Self { alloc, ptr, layout }
    }
}

impl<A: Allocator> Drop for Block<'_, A> {
    #[inline]
    fn drop(&mut self) {
        if self.layout.size() != 0 {
            // SAFETY: whoever made this guard owns a live block of `alloc` and of `layout`, and uses it no more.
            unsafe { self.alloc.deallocate(self.ptr, self.layout) };
        }
    }
}

/// Values that are being made one behind the other: dropped, and their block given back, unless they are finished.
pub(super) struct Making<T, A: Allocator, H: Head> {
    alloc: A,
    block: NonNull<u8>,
    layout: Layout,
    built: usize,
    slots: usize,
    _owns: PhantomData<(T, H)>,
}

impl<T, A: Allocator, H: Head> Making<T, A, H> {
    /// Slots of the first growth: a line's worth.
    const FIRST_SLOTS: usize = if size_of::<T>() == 0 || size_of::<T>() > 64 { 1 } else { 64 / size_of::<T>() };

    /// No values yet, and no block.
    #[inline]
    pub(super) fn new(alloc: A) -> Self {
        let (block, layout) = (NonNull::<T>::dangling().cast(), const { Layout::new::<[T; 0]>() });
        let slots = if size_of::<T>() == 0 { usize::MAX } else { 0 };
        Self { alloc, block, layout, built: 0, slots, _owns: PhantomData }
    }

    /// `built` values in a block without a head that has `slots` places.
    ///
    /// # Safety
    /// INV-X3 with these parts; they are the caller's alone.
    pub(super) unsafe fn from_parts(values: NonNull<T>, built: usize, slots: usize, alloc: A) -> Self {
        // SAFETY: as many values are in a block of `alloc`, so their layout is one.
        let layout = unsafe { Layout::array::<T>(slots).unwrap_unchecked() };
        let slots = if size_of::<T>() == 0 { usize::MAX } else { slots };
        Self { alloc, block: values.cast(), layout, built, slots, _owns: PhantomData }
    }

    /// The first value's place.
    #[inline]
    fn values(&self) -> NonNull<T> {
        if self.layout.size() == 0 {
            return self.block.cast();
        }
        // SAFETY: `NonNull::add`: the values stand in the block (INV-X3).
        unsafe { self.block.add(Self::offset()) }.cast()
    }

    /// How far into a block its values stand.
    #[inline]
    fn offset() -> usize {
        H::around(const { Layout::new::<[T; 0]>() }).map_or(0, |(_, offset)| offset)
    }

    /// Makes room for exactly `slots` values, no fewer than are built. A refusal changes nothing.
    pub(super) fn resize(&mut self, slots: usize) -> Result<(), BlockError> {
        debug_assert!(slots >= self.built, "every value keeps its place");
        let around = Layout::array::<T>(slots).ok().and_then(H::around);
        let requested = || slots.saturating_mul(size_of::<T>()).saturating_add(Self::offset());
        let (new, _) = around.ok_or_else(|| BlockError { requested: requested(), align: align_of::<T>() })?;
        let old = self.layout;
        let moved = if new.size() == old.size() {
            return Ok(());
        } else if old.size() == 0 {
            self.alloc.allocate(new)
        } else if new.size() == 0 {
            // SAFETY: INV-X3: a live block without values, of this layout.
            unsafe { self.alloc.deallocate(self.block, old) };
            Ok(NonNull::slice_from_raw_parts(NonNull::<T>::dangling().cast(), 0))
        } else if new.size() > old.size() {
            // SAFETY: INV-X3: a live block of the old layout; the new one is longer and aligned alike.
            unsafe { self.alloc.grow(self.block, old, new) }
        } else {
            // SAFETY: INV-X3: a live block of the old layout; the new one is shorter and aligned alike.
            unsafe { self.alloc.shrink(self.block, old, new) }
        };
        self.block = moved.map_err(|_| BlockError::of(new))?.cast();
        self.layout = new;
        self.slots = if size_of::<T>() == 0 { usize::MAX } else { slots };
        Ok(())
    }

    /// Adds a value.
    ///
    /// # Safety
    /// Fewer values were added than there are slots.
    #[inline]
    pub(super) unsafe fn put(&mut self, value: T) {
        debug_assert!(self.built < self.slots, "a slot is free");
        // SAFETY: `NonNull::add`: the slot is one of the block's, by the caller's contract and INV-X3.
        let slot = unsafe { self.values().add(self.built) };
        // SAFETY: in the block, aligned for `T`, and empty.
        unsafe { slot.write(value) };
        self.built += 1;
    }

    /// Adds the values at `source`, which are the guard's from now on.
    ///
    /// # Safety
    /// At `source` stand `count` values, not in the guard's block, which are nobody else's from now on, or are `Copy`; as
    /// many slots are free.
    pub(super) unsafe fn take_over(&mut self, source: *const T, count: usize) {
        // SAFETY: `NonNull::add`: a slot of the block, or its end.
        let slot = unsafe { self.values().add(self.built) };
        // SAFETY: this function's contract.
        unsafe { slot.as_ptr().copy_from_nonoverlapping(source, count) };
        // SAFETY: the values were copied into free slots.
        unsafe { self.claim(count) };
    }

    /// The next `count` slots hold values.
    ///
    /// # Safety
    /// They do, and are slots.
    pub(super) unsafe fn claim(&mut self, count: usize) {
        debug_assert!(self.slots - self.built >= count, "as many slots are free");
        self.built += count;
    }

    /// Adds a value; the block grows where it must. A refusal drops the value.
    pub(super) fn push(&mut self, value: T) -> Result<(), BlockError> {
        if self.built == self.slots {
            self.grow()?;
        }
        // SAFETY: a slot is free.
        unsafe { self.put(value) };
        Ok(())
    }

    /// Makes room for one more value: twice the slots if they fit, else half of what was asked for beyond the one, and so
    /// on, so that the number of moves stays logarithmic.
    #[cold]
    fn grow(&mut self) -> Result<(), BlockError> {
        let Some(needed) = self.built.checked_add(1) else {
            return Err(BlockError { requested: usize::MAX, align: align_of::<T>() });
        };
        let mut slots = self.slots.saturating_mul(2).max(needed).max(Self::FIRST_SLOTS);
        loop {
            match self.resize(slots) {
                Ok(()) => return Ok(()),
                Err(error) if slots <= needed => return Err(error),
                Err(_) => slots = needed + (slots - needed) / 2,
            }
        }
    }

    /// The values, in a block of their length with its head, and the allocator.
    #[inline]
    pub(super) fn finish(mut self) -> Result<(NonNull<[T]>, A), BlockError> {
        self.resize(self.built)?;
        // SAFETY: resized above.
        Ok(unsafe { self.finish_resized() })
    }

    /// As [`Making::finish`], of a block that is right already.
    ///
    /// # Safety
    /// The guard was resized, and then filled, to the number of its values.
    #[inline]
    pub(super) unsafe fn finish_resized(self) -> (NonNull<[T]>, A) {
        let values = self.values();
        // SAFETY: the values' place in a block of the layout that their number has, the guard's own.
        unsafe { H::write(values.cast()) };
        let (built, alloc) = self.into_alloc();
        (NonNull::slice_from_raw_parts(values, built), alloc)
    }

    /// What [`Making::from_parts`] was given.
    pub(super) fn into_parts(self) -> (NonNull<T>, usize, usize, A) {
        let (values, slots) = (self.values(), self.slots);
        let (built, alloc) = self.into_alloc();
        (values, built, slots, alloc)
    }

    fn into_alloc(self) -> (usize, A) {
        let this = ManuallyDrop::new(self);
        // SAFETY: the guard is forgotten, so its allocator is moved out of it, not copied.
        (this.built, unsafe { core::ptr::read(&raw const this.alloc) })
    }
}

impl<T, A: Allocator, H: Head> Drop for Making<T, A, H> {
    fn drop(&mut self) {
        let values = NonNull::slice_from_raw_parts(self.values(), self.built);
        let _block = Block { alloc: &self.alloc, ptr: self.block, layout: self.layout };
        // SAFETY: INV-X3: the guard's own values, dropped once. The block goes back behind them, also if one panics.
        unsafe { values.drop_in_place() };
    }
}
