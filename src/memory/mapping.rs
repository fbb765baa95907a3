//! `Mapping`: a contiguous range of memory from the operating system or from the caller.
//!
//! What is reserved is address space; a page becomes memory when it is first touched. Addresses never move.
//!
//! - INV-memory.mapping-1: `[base, base + len)` is one allocated object, readable and writable but for hidden pages,
//!   valid as long as the mapping lives.
//! - INV-memory.mapping-2: `len` is not zero and `base + len` does not wrap.
//!
//! Not synchronised, for nothing changes after construction. The advice calls act on whole pages inside the mapping.
//! Pages may be hidden, which is to say unreadable: see `region/quarantine.rs` for whose they are then.
//! The calls themselves are in `system.rs`.
#![expect(unsafe_code, reason = "derives addresses inside the mapping")]

use core::ptr::NonNull;

use super::system;
use crate::base::system::SystemRefusal;

/// From this many bytes on huge pages are asked for unless the caller says otherwise.
pub(crate) const HUGE_FROM_BYTES: usize = 4 << 20;

/// Length of a page of the operating system, in bytes.
pub(crate) fn page_bytes() -> usize {
    system::page_bytes()
}

/// Memory of the machine, in bytes; a fixed figure where the system is not asked, `usize::MAX` where it does not tell.
pub(crate) fn machine_bytes() -> usize {
    system::machine_bytes()
}

/// Bytes of addresses that the process may map, if that is limited.
pub(crate) fn address_limit() -> Option<u64> {
    system::address_limit()
}

/// What to do with the memory of a new mapping.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent options of the builder")]
pub(crate) struct Advice {
    /// Ask for huge pages, or else for none: where the system gives them to all, it is told not to.
    pub(crate) huge_pages: bool,
    /// Touch every page now.
    pub(crate) prefault: bool,
    /// Lock the pages in memory.
    pub(crate) lock_memory: bool,
    /// An unreadable page before and behind, and pages that may be hidden.
    pub(crate) guard_pages: bool,
}

/// A contiguous range of memory.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    len: usize,
    owner: Provider,
}

#[derive(Debug)]
enum Provider {
    /// The caller's memory: never unmapped, never trimmed.
    Caller,
    /// Ours: what to unmap, and whether it is locked in memory.
    System { reserved: system::Reserved, locked: bool, guarded: bool },
    /// A model's, which is told whether a range of bytes is hidden or shown.
    #[cfg(all(test, loom))]
    Model(Model),
}

/// What a model does in the place of the system.
#[cfg(all(test, loom))]
pub(crate) struct Model(Box<dyn Fn(bool, usize, usize) + Send + Sync>);

#[cfg(all(test, loom))]
impl core::fmt::Debug for Model {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Model")
    }
}

// SAFETY: a mapping is a range of addresses that it alone unmaps; it has no thread affinity.
unsafe impl Send for Mapping {}
// SAFETY: nothing behind `&Mapping` changes; reading and writing the memory is its users' business.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Reserves `len` bytes (rounded up to the page), committed when touched, zero at first.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn reserve(len: usize, advice: Advice) -> Result<Self, SystemRefusal> {
        let page = page_bytes();
        let len = len.checked_next_multiple_of(page).ok_or(SystemRefusal::of_allocator(usize::MAX))?;
        let refusal = |error| SystemRefusal::of(len, &error);
        let (reserved, base) = system::reserve(len, if advice.guard_pages { page } else { 0 }).map_err(refusal)?;
        let mapping = Self {
            base,
            len,
            owner: Provider::System { reserved, locked: advice.lock_memory, guarded: advice.guard_pages },
        };
        // Before the first page is touched.
        system::advise_huge(mapping.base, mapping.len, advice.huge_pages);
        if advice.lock_memory {
            system::lock(mapping.base, mapping.len).map_err(refusal)?;
        } else if advice.prefault {
            system::prefault(mapping.base, mapping.len);
        }
        Ok(mapping)
    }

    /// The caller's memory.
    ///
    /// # Safety
    /// `[base, base + len)` stays valid, and nobody else's, as long as the mapping lives; `base + len` does not wrap.
    pub(crate) unsafe fn from_caller(base: NonNull<u8>, len: usize) -> Self {
        Self { base, len, owner: Provider::Caller }
    }

    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether pages may be returned to the operating system.
    pub(crate) fn can_trim(&self) -> bool {
        system::CAN_TRIM && matches!(self.owner, Provider::System { locked: false, .. })
    }

    /// Returns the whole pages inside `[offset, offset + len)` to the operating system; gives the bytes of them that
    /// were in memory, or all where the system does not tell.
    ///
    /// The contents are lost. Nothing is done, and 0 is the answer, where [`Mapping::can_trim`] says no.
    pub(crate) fn trim(&self, offset: usize, len: usize) -> usize {
        let Some((at, len)) = self.whole_pages(offset, len).filter(|_| self.can_trim()) else { return 0 };
        // Nobody touches the pages between the two calls: their range is out of the index. Those in the swap are
        // discarded too, but not counted.
        let resident = system::resident_bytes(at, len).unwrap_or(len);
        if system::discard(at, len) { resident } else { 0 }
    }

    /// Where the whole pages inside `[offset, offset + len)` begin, and their length, which is not zero.
    fn whole_pages(&self, offset: usize, len: usize) -> Option<(NonNull<u8>, usize)> {
        let page = page_bytes();
        let end = offset.saturating_add(len).min(self.len) & !(page - 1);
        let start = offset.next_multiple_of(page);
        if start >= end {
            return None;
        }
        // SAFETY: `NonNull::add`: start < end <= len, one allocated object (INV-memory.mapping-1).
        Some((unsafe { self.base.add(start) }, end - start))
    }

    /// Whether pages may be hidden: asked for, and known to the system.
    pub(crate) fn can_hide(&self) -> bool {
        match self.owner {
            Provider::System { guarded, .. } => system::CAN_HIDE && guarded,
            Provider::Caller => false,
            #[cfg(all(test, loom))]
            Provider::Model(_) => true,
        }
    }

    /// Makes the whole pages inside `[offset, offset + len)` unreadable, which are nobody's. `discard`: their contents
    /// may be lost, and their memory goes to the operating system where [`Mapping::can_trim`] says yes.
    ///
    /// `false` if all of them are readable: the system could not do it, as when a process has as many mappings as it
    /// may have. Where it did a part only, and could not undo that, the answer is `true`.
    pub(crate) fn hide(&self, offset: usize, len: usize, discard: bool) -> bool {
        #[cfg(all(test, loom))]
        if let Provider::Model(model) = &self.owner {
            (model.0)(true, offset, len);
            return true;
        }
        let Some((at, len)) = self.whole_pages(offset, len).filter(|_| self.can_hide()) else { return false };
        if !system::protect(at, len, true) {
            return !system::protect(at, len, false);
        }
        // Hidden first, so that a stale read meanwhile does not make the page come back.
        if discard && self.can_trim() {
            system::discard(at, len);
        }
        true
    }

    /// Makes the whole pages inside `[offset, offset + len)` readable again; `false` if the system could not, and some
    /// of them may still be hidden.
    pub(crate) fn show(&self, offset: usize, len: usize) -> bool {
        #[cfg(all(test, loom))]
        if let Provider::Model(model) = &self.owner {
            (model.0)(false, offset, len);
            return true;
        }
        self.whole_pages(offset, len).is_none_or(|(at, len)| system::protect(at, len, false))
    }

    /// A model's memory, which is never touched here: `told` is called with `true` for a range of bytes that is hidden,
    /// with `false` for one that is shown.
    ///
    /// # Safety
    /// As for [`Mapping::from_caller`].
    #[cfg(all(test, loom))]
    pub(crate) unsafe fn from_model(
        base: NonNull<u8>,
        len: usize,
        told: Box<dyn Fn(bool, usize, usize) + Send + Sync>,
    ) -> Self {
        Self { base, len, owner: Provider::Model(Model(told)) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if let Provider::System { reserved, .. } = &self.owner {
            system::release(reserved);
        }
    }
}
