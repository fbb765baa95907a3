//! Memory for the contenders that manage a range they are given: mapped once, huge pages asked for, as our own
//! regions do, so that no contender wins by its pages.

use std::{ptr::NonNull, slice};

/// A mapping that lives until dropped.
pub struct Memory {
    base: NonNull<u8>,
    bytes: usize,
}

impl Memory {
    #[cfg(unix)]
    pub fn map(bytes: usize) -> Memory {
        use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};

        const WRITABLE: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);
        // SAFETY: the system chooses an address that nothing uses.
        let base = unsafe { mmap_anonymous(std::ptr::null_mut(), bytes, WRITABLE, MapFlags::PRIVATE) };
        let base = base.expect("the machine has memory for a benchmark");
        // SAFETY: advice about our own fresh mapping. A system without huge pages may refuse; nothing depends on it.
        let _ = unsafe { madvise(base, bytes, Advice::LinuxHugepage) };
        Memory { base: NonNull::new(base.cast()).expect("no mapping begins at null"), bytes }
    }

    #[cfg(not(unix))]
    pub fn map(bytes: usize) -> Memory {
        let memory = Box::leak(vec![0_u8; bytes].into_boxed_slice());
        Memory { base: NonNull::from(memory).cast(), bytes }
    }

    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes every page once, so that no contender meets a page fault.
    pub fn warm(self) -> Memory {
        // SAFETY: the mapping is `bytes` long, writable, zeroed, and nothing else refers to it yet.
        unsafe { slice::from_raw_parts_mut(self.base.as_ptr(), self.bytes) }.fill(1);
        self
    }
}

// SAFETY: plain memory with one owner.
unsafe impl Send for Memory {}
// SAFETY: a shared borrow tells where the memory is and how long, no more.
unsafe impl Sync for Memory {}

#[cfg(unix)]
impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with this length; the contender that used it is gone.
        let _ = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}
