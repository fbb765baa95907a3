//! [`Making`]: values that are made one behind the other in a block.
//!
//! - INV-alloc.making-1: `block` is a live block of its source. After the head it has room for `slots` values, of which
//!   the first `built` are made, and they belong to the guard.
//!
//! For values of no size `slots` is the greatest number. One more value than that is refused, so the count never wraps.
#![expect(unsafe_code, reason = "writes values into blocks of bytes")]

use core::alloc::Layout;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use super::Raw;
use super::block::{Block, Header, InArena, Source};
use crate::base::layout::dangling;

/// Values that are being made one behind the other: dropped with their block unless they are finished.
pub(crate) struct Making<T, S: Source, H: Header> {
    built: usize,
    slots: usize,
    // Dropped after the values, and even if one of them panics.
    block: Block<S>,
    _owns: PhantomData<(T, H)>,
}

/// Values that [`Making`] has finished, in a block of their length with its head, and its source.
pub(crate) struct Made<T, S: Source> {
    values: NonNull<[T]>,
    source: S,
}

impl<T, S: Source> Made<T, S> {
    #[inline]
    pub(crate) fn into_parts(self) -> (NonNull<[T]>, S) {
        (self.values, self.source)
    }
}

impl<'r, R: Raw<'r>, T> Made<T, InArena<'r, R>> {
    /// Returns the values, for `'r`.
    #[inline]
    pub(super) fn lasting(mut self) -> &'r mut [T] {
        // SAFETY: values of a block that is the caller's for `'r` (`Raw`), for the guard that would free it is gone.
        unsafe { self.values.as_mut() }
    }
}

impl<T, S: Source, H: Header> Making<T, S, H> {
    /// Slots of the first growth: a line's worth.
    const FIRST_SLOTS: usize = if size_of::<T>() == 0 || size_of::<T>() > 64 { 1 } else { 64 / size_of::<T>() };

    /// No values yet, and no block.
    #[inline]
    pub(crate) fn new(source: S) -> Self {
        let layout = const { Layout::new::<[T; 0]>() };
        Self {
            built: 0,
            slots: Self::slots(0),
            block: Block { source, ptr: dangling(layout), layout },
            _owns: PhantomData,
        }
    }

    /// No values yet, and room for `slots`.
    #[inline(always)]
    pub(crate) fn with_slots(source: S, slots: usize) -> Result<Self, S::Error> {
        let layout = Self::layout(&source, slots)?;
        let block = Block::take(source, layout)?;
        Ok(Self { built: 0, slots: Self::slots(slots), block, _owns: PhantomData })
    }

    /// Returns the guard of `built` values in a block without a head that has room for `slots`.
    ///
    /// # Safety
    /// INV-alloc.making-1 with these parts; they are the caller's alone.
    pub(crate) unsafe fn from_parts(values: NonNull<T>, built: usize, slots: usize, source: S) -> Self {
        // SAFETY: as many values are in a block of `source`, so their layout is one.
        let layout = unsafe { Layout::array::<T>(slots).unwrap_unchecked() };
        let block = Block { source, ptr: values.cast(), layout };
        Self { built, slots: Self::slots(slots), block, _owns: PhantomData }
    }

    /// How many values there is room for where `slots` were asked for.
    #[inline(always)]
    fn slots(slots: usize) -> usize {
        if size_of::<T>() == 0 { usize::MAX } else { slots }
    }

    /// The offset of the values in their block.
    #[inline(always)]
    fn offset() -> usize {
        H::around(const { Layout::new::<[T; 0]>() }).map_or(0, |(_, offset)| offset)
    }

    /// Where the first value is, or will be.
    #[inline(always)]
    fn values(&self) -> NonNull<T> {
        // A guard that has no block yet has none of its head either.
        let offset = if self.block.layout.size() == 0 { 0 } else { Self::offset() };
        // SAFETY: `NonNull::add`: the values lie in the block (INV-alloc.making-1).
        unsafe { self.block.ptr.add(offset) }.cast()
    }

    /// Makes room for exactly `slots` values, no fewer than are built. A refusal changes nothing.
    #[inline]
    pub(crate) fn resize(&mut self, slots: usize) -> Result<(), S::Error> {
        debug_assert!(slots >= self.built, "every value keeps its place");
        let layout = Self::layout(&self.block.source, slots)?;
        self.block.resize(layout)?;
        self.slots = Self::slots(slots);
        Ok(())
    }

    /// Returns the layout of a block for `slots` values, or the refusal if there is none.
    #[inline]
    fn layout(source: &S, slots: usize) -> Result<Layout, S::Error> {
        let requested = || slots.saturating_mul(size_of::<T>()).saturating_add(Self::offset());
        let around = Layout::array::<T>(slots).ok().and_then(H::around);
        Ok(around.ok_or_else(|| source.too_long(requested(), align_of::<T>()))?.0)
    }

    /// Adds a value.
    ///
    /// # Safety
    /// Fewer values were added than there are slots.
    #[inline(always)]
    pub(crate) unsafe fn put(&mut self, value: T) {
        debug_assert!(self.built < self.slots, "a slot is free");
        // SAFETY: `NonNull::add`: the slot is one of the block's, by the caller's contract and INV-alloc.making-1.
        let slot = unsafe { self.values().add(self.built) };
        // SAFETY: in the block, aligned for `T`, and empty.
        unsafe { slot.write(value) };
        self.built += 1;
    }

    /// Adds the values at `source`, which belong to the guard from now on.
    ///
    /// # Safety
    /// At `source` there are `count` values, not in the guard's block, which nothing else owns from now on, or which
    /// are `Copy`; as many slots are free.
    #[inline(always)]
    pub(crate) unsafe fn take_over(&mut self, source: *const T, count: usize) {
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
    #[inline]
    pub(crate) unsafe fn claim(&mut self, count: usize) {
        debug_assert!(self.slots - self.built >= count, "as many slots are free");
        self.built += count;
    }

    /// Adds a value; the block grows where it must. A refusal drops the value.
    #[inline]
    pub(crate) fn push(&mut self, value: T) -> Result<(), S::Error> {
        self.reserve(1)?;
        // SAFETY: a slot was reserved.
        unsafe { self.put(value) };
        Ok(())
    }

    /// Makes room for `more` values beyond those that are built.
    #[inline(always)]
    pub(super) fn reserve(&mut self, more: usize) -> Result<(), S::Error> {
        if self.slots - self.built >= more { Ok(()) } else { self.grow(more) }
    }

    #[cold]
    fn grow(&mut self, more: usize) -> Result<(), S::Error> {
        let Some(needed) = self.built.checked_add(more) else {
            return Err(self.block.source.too_long(usize::MAX, align_of::<T>()));
        };
        double(self.slots, needed, Self::FIRST_SLOTS, |slots| self.resize(slots))
    }

    /// Finishes the values, in a block of their length.
    #[inline(always)]
    pub(crate) fn finish(mut self) -> Result<Made<T, S>, S::Error> {
        self.resize(self.built)?;
        // SAFETY: resized above.
        Ok(unsafe { self.finish_resized() })
    }

    /// As [`Making::finish`], of a block that has the length already.
    ///
    /// # Safety
    /// The guard was resized, and then filled, to the number of its values.
    #[inline(always)]
    pub(crate) unsafe fn finish_resized(self) -> Made<T, S> {
        let (values, built, _, source) = self.into_parts();
        // SAFETY: the values' place in a block of the layout that their number has, the caller's own.
        unsafe { H::write(values.cast()) };
        Made { values: NonNull::slice_from_raw_parts(values, built), source }
    }

    /// Returns what [`Making::from_parts`] was given.
    #[inline(always)]
    pub(crate) fn into_parts(self) -> (NonNull<T>, usize, usize, S) {
        let this = ManuallyDrop::new(self);
        // SAFETY: the guard is forgotten, so its block is moved out of it, not copied.
        let block = unsafe { core::ptr::read(&raw const this.block) };
        (this.values(), this.built, this.slots, block.keep().1)
    }
}

impl<T, S: Source, H: Header> Drop for Making<T, S, H> {
    fn drop(&mut self) {
        let values = NonNull::slice_from_raw_parts(self.values(), self.built);
        // SAFETY: INV-alloc.making-1: the guard's own values, dropped once, for the guard is being dropped.
        unsafe { values.drop_in_place() };
    }
}

/// Doubles `slots` by `resize`, to `needed` and to `first` at least. Where that is refused, `resize` is asked for half
/// as much beyond the needed, and so on: near the end of memory this still halves what is left, so the number of moves
/// stays logarithmic.
pub(crate) fn double<E>(
    slots: usize,
    needed: usize,
    first: usize,
    mut resize: impl FnMut(usize) -> Result<(), E>,
) -> Result<(), E> {
    let mut slots = slots.saturating_mul(2).max(needed).max(first);
    loop {
        match resize(slots) {
            Err(_) if slots > needed => slots = needed + (slots - needed) / 2,
            answer => return answer,
        }
    }
}
