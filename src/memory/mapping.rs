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
//! On systems but Linux and Android, and under Miri, the same interface stands on the global allocator and advice does
//! nothing.
#![expect(unsafe_code, reason = "maps, advises and unmaps memory")]

use core::ptr::NonNull;

use crate::base::error::RegionError;

/// From this many bytes on huge pages are asked for unless the caller says otherwise.
pub(crate) const HUGE_FROM_BYTES: usize = 4 << 20;

/// Length of a page of the operating system, in bytes.
pub(crate) fn page_bytes() -> usize {
    system::page_bytes()
}

/// Memory of the machine, in bytes; a fixed figure where the system is not asked.
pub(crate) fn machine_bytes() -> usize {
    system::machine_bytes()
}

/// What to do with the memory of a new mapping.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent options of the builder")]
pub(crate) struct Advice {
    /// Ask for huge pages.
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
    pub(crate) fn reserve(len: usize, advice: Advice) -> Result<Self, RegionError> {
        let page = page_bytes();
        let len = len.checked_next_multiple_of(page).ok_or(RegionError::Overflow)?;
        let (reserved, base) = system::reserve(len, if advice.guard_pages { page } else { 0 })?;
        let mapping = Self {
            base,
            len,
            owner: Provider::System { reserved, locked: advice.lock_memory, guarded: advice.guard_pages },
        };
        if advice.huge_pages {
            system::advise_huge(mapping.base, mapping.len);
        }
        if advice.lock_memory {
            system::lock(mapping.base, mapping.len)?;
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

    /// Returns the whole pages inside `[offset, offset + len)` to the operating system; gives the bytes returned.
    ///
    /// The contents are lost. Nothing is done, and 0 is the answer, where [`Mapping::can_trim`] says no.
    pub(crate) fn trim(&self, offset: usize, len: usize) -> usize {
        let Some((at, len)) = self.whole_pages(offset, len).filter(|_| self.can_trim()) else { return 0 };
        if system::discard(at, len) { len } else { 0 }
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

#[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
mod system {
    use core::ffi::c_void;
    use core::ptr::NonNull;
    use std::io;

    use rustix::io::Errno;
    use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags};

    pub(super) const CAN_TRIM: bool = true;
    pub(super) const CAN_HIDE: bool = true;

    /// The whole range that was mapped, guard pages included.
    #[derive(Debug)]
    pub(super) struct Reserved {
        start: NonNull<u8>,
        len: usize,
    }

    pub(super) fn page_bytes() -> usize {
        rustix::param::page_size()
    }

    pub(super) fn machine_bytes() -> usize {
        if cfg!(all(test, loom)) {
            // The models' tables are built value by value.
            return 64 * 1024;
        }
        let info = rustix::system::sysinfo();
        let (units, unit_bytes) = (usize::try_from(info.totalram), usize::try_from(info.mem_unit));
        units.unwrap_or(usize::MAX).saturating_mul(unit_bytes.unwrap_or(1))
    }

    pub(super) fn reserve(len: usize, guard: usize) -> io::Result<(Reserved, NonNull<u8>)> {
        let whole = len.checked_add(2 * guard).ok_or(io::ErrorKind::OutOfMemory)?;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no existing memory.
        let start = unsafe {
            rustix::mm::mmap_anonymous(core::ptr::null_mut(), whole, ProtFlags::READ | ProtFlags::WRITE, flags)
        }?;
        let start = NonNull::new(start.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        let reserved = Reserved { start, len: whole };
        // SAFETY: `NonNull::add`: guard <= whole, inside the mapping just made.
        let base = unsafe { start.add(guard) };
        if guard > 0 {
            for edge in [0, guard + len] {
                // SAFETY: `NonNull::add`: both edges lie inside the mapping just made.
                let at = unsafe { start.add(edge) };
                // SAFETY: the page belongs to the mapping just made; nothing refers to it.
                let made = unsafe { rustix::mm::mprotect(at.as_ptr().cast::<c_void>(), guard, MprotectFlags::empty()) };
                if let Err(error) = made {
                    release(&reserved);
                    return Err(error.into());
                }
            }
        }
        Ok((reserved, base))
    }

    pub(super) fn release(reserved: &Reserved) {
        // SAFETY: the range was mapped by `reserve` and its owner is going; nothing refers to it any more.
        let unmapped = unsafe { rustix::mm::munmap(reserved.start.as_ptr().cast::<c_void>(), reserved.len) };
        debug_assert!(matches!(unmapped, Ok(()) | Err(Errno::NOMEM)), "munmap of an own mapping");
        if unmapped.is_err() {
            // To the system it is the middle of a mapping, and the process may have no more of them than it has: the
            // addresses are lost, the memory is not.
            discard(reserved.start, reserved.len);
        }
    }

    /// Advice: a refusal changes nothing but speed.
    pub(super) fn advise_huge(base: NonNull<u8>, len: usize) {
        // SAFETY: the range is an own mapping; the advice does not change its contents.
        let _ = unsafe { rustix::mm::madvise(base.as_ptr().cast::<c_void>(), len, Advice::LinuxHugepage) };
    }

    pub(super) fn lock(base: NonNull<u8>, len: usize) -> io::Result<()> {
        // SAFETY: the range is an own mapping.
        Ok(unsafe { rustix::mm::mlock(base.as_ptr().cast::<c_void>(), len) }?)
    }

    pub(super) fn prefault(base: NonNull<u8>, len: usize) {
        // SAFETY: the range is an own mapping; populating it changes no contents.
        let done = unsafe { rustix::mm::madvise(base.as_ptr().cast::<c_void>(), len, Advice::LinuxPopulateWrite) };
        if done.is_ok() {
            return;
        }
        for offset in (0..len).step_by(page_bytes()) {
            // SAFETY: `NonNull::add`: offset < len, inside an own mapping.
            let at = unsafe { base.add(offset) };
            // SAFETY: the byte is in an own, writable mapping that nobody else has seen yet.
            unsafe { at.as_ptr().write_volatile(0) };
        }
    }

    pub(super) fn discard(at: NonNull<u8>, len: usize) -> bool {
        // SAFETY: the pages are in an own mapping and hold nothing anybody may read: their range is out of the index.
        unsafe { rustix::mm::madvise(at.as_ptr().cast::<c_void>(), len, Advice::LinuxDontNeed) }.is_ok()
    }

    pub(super) fn protect(at: NonNull<u8>, len: usize, hidden: bool) -> bool {
        let access = if hidden { MprotectFlags::empty() } else { MprotectFlags::READ | MprotectFlags::WRITE };
        // SAFETY: the pages are in an own mapping and nobody's: what hides or shows them has taken them out of use
        // before.
        unsafe { rustix::mm::mprotect(at.as_ptr().cast::<c_void>(), len, access) }.is_ok()
    }
}

#[cfg(not(all(any(target_os = "linux", target_os = "android"), not(miri))))]
mod system {
    use core::ptr::NonNull;
    use std::alloc::{Layout, alloc_zeroed, dealloc};
    use std::io;

    pub(super) const CAN_TRIM: bool = false;
    pub(super) const CAN_HIDE: bool = false;

    #[derive(Debug)]
    pub(super) struct Reserved {
        start: NonNull<u8>,
        layout: Layout,
    }

    pub(super) fn page_bytes() -> usize {
        4096
    }

    /// What is reserved here is allocated, under Miri for good.
    pub(super) fn machine_bytes() -> usize {
        if cfg!(miri) { 4 << 20 } else { 1 << 30 }
    }

    pub(super) fn reserve(len: usize, _guard: usize) -> io::Result<(Reserved, NonNull<u8>)> {
        let layout = Layout::from_size_align(len, page_bytes()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        // SAFETY: a mapping is never empty (INV-memory.mapping-2), so the layout's size is not zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok((Reserved { start, layout }, start))
    }

    pub(super) fn release(reserved: &Reserved) {
        // SAFETY: allocated by `reserve` with this layout; its owner is going.
        unsafe { dealloc(reserved.start.as_ptr(), reserved.layout) };
    }

    pub(super) fn advise_huge(_base: NonNull<u8>, _len: usize) {}

    pub(super) fn lock(_base: NonNull<u8>, _len: usize) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn prefault(_base: NonNull<u8>, _len: usize) {}

    pub(super) fn discard(_at: NonNull<u8>, _len: usize) -> bool {
        false
    }

    pub(super) fn protect(_at: NonNull<u8>, _len: usize, hidden: bool) -> bool {
        !hidden
    }
}
