//! `Span`: where a table's bytes are, for calls of the system outside the lock under which the table is used.
//!
//! - INV-memory.span-1: a span is used while its table stands, which does not move.
//!
//! Nothing here reads or writes the bytes.
#![expect(unsafe_code, reason = "derives addresses inside a table; an address is sent to other threads")]

use core::ops::Range;
use core::ptr::NonNull;

use super::mapping::page_bytes;
use super::system;

/// See the module's header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    base: NonNull<u8>,
    len: usize,
    /// Whether the bytes are a mapping of their own, page by page.
    mapped: bool,
}

/// Has the processor fetch the cache line at `address`, without waiting for it.
#[inline(always)]
pub(crate) fn prefetch(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a hint, which never faults.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

// SAFETY: an address.
unsafe impl Send for Span {}
// SAFETY: an address.
unsafe impl Sync for Span {}

impl Span {
    /// Whether [`Span::discard`] does anything here.
    pub(crate) const CAN_DISCARD: bool = system::CAN_TRIM;

    #[cfg_attr(all(test, loom), expect(dead_code, reason = "the model checker's tables have no addresses"))]
    pub(super) fn new(base: NonNull<u8>, len: usize, mapped: bool) -> Self {
        Self { base, len, mapped }
    }

    /// No bytes.
    pub(super) fn empty() -> Self {
        Self { base: NonNull::dangling(), len: 0, mapped: false }
    }

    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// Has the processor fetch the cache line of byte `at`, without waiting for it. A hint, where there is a way to say
    /// it.
    #[inline(always)]
    pub(crate) fn prefetch(self, at: usize) {
        if at < self.len {
            prefetch(self.base.as_ptr().wrapping_add(at));
        }
    }

    /// The bytes that are in memory, of whole pages but those inside `gap`, which were never touched; all of them where
    /// the system does not tell. A table from the global allocator counts as a whole, for it was zeroed.
    pub(crate) fn resident_bytes(self, gap: Range<usize>) -> usize {
        if !self.mapped {
            return self.len;
        }
        let page = page_bytes();
        let front = gap.start.max(1).next_multiple_of(page).min(self.len);
        let behind = (gap.end / page * page).clamp(front, self.len);
        self.resident_in(0, front) + self.resident_in(behind, self.len)
    }

    /// The bytes of whole pages that are in memory.
    fn resident_in(self, from: usize, to: usize) -> usize {
        if from >= to {
            return 0;
        }
        // SAFETY: `NonNull::add`: from < to <= len, in the table, which stands (INV-memory.span-1).
        let at = unsafe { self.base.add(from) };
        system::resident_bytes(at, to - from).unwrap_or(to - from)
    }

    /// Returns the whole pages inside `[from, to)` but the table's first to the operating system: they become zero. For
    /// bytes whose contents are not needed, and which are unused meanwhile.
    pub(crate) fn discard(self, from: usize, to: usize) {
        let page = page_bytes();
        let (from, to) = (from.max(1).next_multiple_of(page), to.min(self.len) / page * page);
        if system::CAN_TRIM && self.mapped && from < to {
            // SAFETY: `NonNull::add`: from < to <= len, in the table, which stands (INV-memory.span-1).
            system::discard(unsafe { self.base.add(from) }, to - from);
        }
    }
}
