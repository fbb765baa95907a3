//! Words that one thread at a time writes, and figures that decide nothing. Loom does not see them, but for
//! [`Counter`].

use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// A `u32` that one thread at a time writes, without a read-modify-write, and any thread may read as a hint.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Owned32(AtomicU32);

/// A `u64` that one thread at a time writes, without a read-modify-write, and any thread may read as a hint.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Owned64(AtomicU64);

/// A `usize` that one thread at a time writes, without a read-modify-write, and any thread may read as a hint.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct OwnedUsize(AtomicUsize);

/// A figure that anyone adds to and nothing is decided by; it wraps. Loom does not see it.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Figure(AtomicU64);

// Relaxed throughout: what the words describe is published by whoever hands over the right to write them (the region's
// lock, a depot's head, a token's end), never by the words themselves.
impl Owned32 {
    pub(crate) const fn zero() -> Self {
        Self::new(0)
    }

    pub(crate) const fn new(value: u32) -> Self {
        Self(AtomicU32::new(value))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> u32 {
        self.0.load(Relaxed)
    }
    #[inline(always)]
    pub(crate) fn set(&self, value: u32) {
        self.0.store(value, Relaxed);
    }
}

impl Owned64 {
    pub(crate) const fn zero() -> Self {
        Self(AtomicU64::new(0))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
    #[inline(always)]
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }
}

impl OwnedUsize {
    pub(crate) const fn new(value: usize) -> Self {
        Self(AtomicUsize::new(value))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> usize {
        self.0.load(Relaxed)
    }
    #[inline(always)]
    pub(crate) fn set(&self, value: usize) {
        self.0.store(value, Relaxed);
    }
}

// Relaxed throughout: only the number matters.
impl Figure {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
    /// Forgets everything. Whoever has exclusive use of what is counted.
    pub(crate) fn reset(&self) {
        self.0.store(0, Relaxed);
    }
    pub(crate) fn add(&self, value: u64) {
        self.0.fetch_add(value, Relaxed);
    }
}

/// Returns `more - less`, where both are wrapping sums of figures that other threads add to meanwhile; 0 where that
/// would be negative. The caller reads `less` first, so that what goes round meanwhile is rather counted twice than as
/// minus one; the loads are Relaxed, so the difference is bounded below as well.
pub(crate) fn wrapped_difference(more: u64, less: u64) -> usize {
    let difference = more.wrapping_sub(less);
    if difference > u64::MAX / 2 { 0 } else { usize::try_from(difference).unwrap_or(usize::MAX) }
}

/// A count that one thread at a time raises, without a read-modify-write, and that others decide by: loom sees their
/// reads and its stores. Not its own reads, between which and the store nobody writes, for loom would take the store's
/// place in the search for theirs (tokio-rs/loom #166).
#[derive(Debug, Default)]
pub(crate) struct Counter {
    word: super::AtomicU64,
    #[cfg(all(test, loom))]
    own: Owned64,
}

impl Counter {
    #[cfg(not(all(test, loom)))]
    pub(crate) const fn zero() -> Self {
        Self { word: super::AtomicU64::new(0) }
    }
    #[cfg(all(test, loom))]
    pub(crate) fn zero() -> Self {
        Self::default()
    }

    /// The count, to others.
    pub(crate) fn get(&self, order: super::Ordering) -> u64 {
        self.word.load(order)
    }

    /// One more, by its one writer; it wraps.
    #[inline(always)]
    pub(crate) fn raise(&self, order: super::Ordering) {
        #[cfg(not(all(test, loom)))]
        let value = self.word.load(Relaxed);
        #[cfg(all(test, loom))]
        let value = self.own.get();
        self.store(value.wrapping_add(1), order);
    }

    /// Another count, by whoever has it exclusively.
    pub(crate) fn set(&self, value: u64) {
        self.store(value, Relaxed);
    }

    #[inline(always)]
    fn store(&self, value: u64, order: super::Ordering) {
        #[cfg(all(test, loom))]
        self.own.set(value);
        self.word.store(value, order);
    }
}

/// A pointer that one thread at a time writes, without a read-modify-write, and any thread may read as a hint.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct OwnedPtr(AtomicPtr<u8>);

impl OwnedPtr {
    pub(crate) const fn null() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> *mut u8 {
        self.0.load(Relaxed)
    }
    #[inline(always)]
    pub(crate) fn set(&self, value: *mut u8) {
        self.0.store(value, Relaxed);
    }
}
