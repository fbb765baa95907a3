//! What is asked of the operating system: addresses, memory, and how its pages are kept. Two bodies.
//!
//! On Linux and Android these are system calls. Elsewhere, and under Miri, memory comes from the global allocator,
//! and advice does nothing.
//!
//! Not synchronised: the system does that. Whose pages are acted upon is the business of `mapping.rs`.
#![expect(unsafe_code, reason = "maps, advises and unmaps memory")]

pub(super) use body::*;

#[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
mod body {
    use core::ffi::c_void;
    use core::mem::MaybeUninit;
    use core::ptr::NonNull;
    use std::io;

    use rustix::io::Errno;
    use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags};

    pub(in crate::memory) const CAN_TRIM: bool = true;
    pub(in crate::memory) const CAN_HIDE: bool = true;

    /// The whole range that was mapped, guard pages included.
    #[derive(Debug)]
    pub(in crate::memory) struct Reserved {
        start: NonNull<u8>,
        len: usize,
    }

    pub(in crate::memory) fn page_bytes() -> usize {
        rustix::param::page_size()
    }

    pub(in crate::memory) fn machine_bytes() -> usize {
        if cfg!(all(test, loom)) {
            // The models' tables are built value by value.
            return 64 * 1024;
        }
        let mut info = MaybeUninit::<libc::sysinfo>::zeroed();
        // SAFETY: `sysinfo`: the pointer is valid for one such structure.
        let told = unsafe { libc::sysinfo(info.as_mut_ptr()) };
        if told != 0 {
            // A filter of system calls may refuse it; then nothing was written.
            return usize::MAX;
        }
        // SAFETY: zeroed integers, which the system has written.
        let info = unsafe { info.assume_init() };
        let (units, unit_bytes) = (usize::try_from(info.totalram), usize::try_from(info.mem_unit));
        units.unwrap_or(usize::MAX).saturating_mul(unit_bytes.unwrap_or(1))
    }

    /// The lower one of `ulimit -v` and `ulimit -d`: private mappings count for both.
    pub(in crate::memory) fn address_limit() -> Option<u64> {
        let bound = |which| {
            let mut limit = libc::rlimit64 { rlim_cur: u64::MAX, rlim_max: u64::MAX };
            // SAFETY: `getrlimit64`: the pointer is valid for one such structure. A refusal leaves it as it is.
            unsafe { libc::getrlimit64(which, &raw mut limit) };
            Some(limit.rlim_cur).filter(|bytes| *bytes != u64::MAX)
        };
        [bound(libc::RLIMIT_AS), bound(libc::RLIMIT_DATA)].into_iter().flatten().min()
    }

    pub(in crate::memory) fn reserve(len: usize, guard: usize) -> io::Result<(Reserved, NonNull<u8>)> {
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

    pub(in crate::memory) fn release(reserved: &Reserved) {
        // SAFETY: the range was mapped by `reserve` and its owner is going; nothing refers to it any more.
        let unmapped = unsafe { rustix::mm::munmap(reserved.start.as_ptr().cast::<c_void>(), reserved.len) };
        debug_assert!(matches!(unmapped, Ok(()) | Err(Errno::NOMEM)), "munmap of an own mapping");
        if unmapped.is_err() {
            // To the system it is the middle of a mapping, and the process may have no more of them than it has: the
            // addresses are lost, the memory is not.
            discard(reserved.start, reserved.len);
        }
    }

    /// Asks for huge pages, or for none. A refusal changes nothing: a system without huge pages knows neither advice.
    pub(in crate::memory) fn advise_huge(base: NonNull<u8>, len: usize, huge: bool) {
        let advice = if huge { Advice::LinuxHugepage } else { Advice::LinuxNoHugepage };
        // SAFETY: the range is an own mapping; the advice does not change its contents.
        let _ = unsafe { rustix::mm::madvise(base.as_ptr().cast::<c_void>(), len, advice) };
    }

    pub(in crate::memory) fn lock(base: NonNull<u8>, len: usize) -> io::Result<()> {
        // SAFETY: the range is an own mapping.
        Ok(unsafe { rustix::mm::mlock(base.as_ptr().cast::<c_void>(), len) }?)
    }

    pub(in crate::memory) fn prefault(base: NonNull<u8>, len: usize) {
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

    pub(in crate::memory) fn discard(at: NonNull<u8>, len: usize) -> bool {
        // SAFETY: the pages are in an own mapping and hold nothing anybody may read: their range is out of the index.
        unsafe { rustix::mm::madvise(at.as_ptr().cast::<c_void>(), len, Advice::LinuxDontNeed) }.is_ok()
    }

    /// Bytes of these whole pages that are in memory; `None` where the system does not tell.
    pub(in crate::memory) fn resident_bytes(at: NonNull<u8>, len: usize) -> Option<usize> {
        const PAGES: usize = 4096;
        let (page, mut resident) = (page_bytes(), 0);
        for from in (0..len).step_by(PAGES * page) {
            let part = (len - from).min(PAGES * page);
            let mut pages = [0_u8; PAGES];
            // SAFETY: `NonNull::add`: from < len, inside an own mapping.
            let start = unsafe { at.add(from) };
            // SAFETY: the system looks at an own mapping, and writes a byte for each page of it: at most PAGES.
            let told = unsafe { libc::mincore(start.as_ptr().cast::<c_void>(), part, pages.as_mut_ptr().cast()) };
            if told != 0 {
                return None;
            }
            resident += pages[..part / page].iter().filter(|state| **state & 1 != 0).count();
        }
        Some(resident * page)
    }

    pub(in crate::memory) fn protect(at: NonNull<u8>, len: usize, hidden: bool) -> bool {
        let access = if hidden { MprotectFlags::empty() } else { MprotectFlags::READ | MprotectFlags::WRITE };
        // SAFETY: the pages are in an own mapping and nobody's: what hides or shows them has taken them out of use
        // before.
        unsafe { rustix::mm::mprotect(at.as_ptr().cast::<c_void>(), len, access) }.is_ok()
    }
}

#[cfg(not(all(any(target_os = "linux", target_os = "android"), not(miri))))]
mod body {
    use core::ptr::NonNull;
    use std::alloc::{Layout, alloc_zeroed, dealloc};
    use std::io;

    pub(in crate::memory) const CAN_TRIM: bool = false;
    pub(in crate::memory) const CAN_HIDE: bool = false;

    #[derive(Debug)]
    pub(in crate::memory) struct Reserved {
        start: NonNull<u8>,
        layout: Layout,
    }

    pub(in crate::memory) fn page_bytes() -> usize {
        4096
    }

    /// What is reserved here is allocated, under Miri for good.
    pub(in crate::memory) fn machine_bytes() -> usize {
        if cfg!(miri) { 4 << 20 } else { 1 << 30 }
    }

    pub(in crate::memory) fn address_limit() -> Option<u64> {
        None
    }

    pub(in crate::memory) fn reserve(len: usize, _guard: usize) -> io::Result<(Reserved, NonNull<u8>)> {
        let layout = Layout::from_size_align(len, page_bytes()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        // SAFETY: a mapping is never empty (INV-memory.mapping-2), so the layout's size is not zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok((Reserved { start, layout }, start))
    }

    pub(in crate::memory) fn release(reserved: &Reserved) {
        // SAFETY: allocated by `reserve` with this layout; its owner is going.
        unsafe { dealloc(reserved.start.as_ptr(), reserved.layout) };
    }

    pub(in crate::memory) fn advise_huge(_base: NonNull<u8>, _len: usize, _huge: bool) {}

    pub(in crate::memory) fn lock(_base: NonNull<u8>, _len: usize) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in crate::memory) fn prefault(_base: NonNull<u8>, _len: usize) {}

    pub(in crate::memory) fn discard(_at: NonNull<u8>, _len: usize) -> bool {
        false
    }

    pub(in crate::memory) fn resident_bytes(_at: NonNull<u8>, _len: usize) -> Option<usize> {
        None
    }

    pub(in crate::memory) fn protect(_at: NonNull<u8>, _len: usize, hidden: bool) -> bool {
        !hidden
    }
}
