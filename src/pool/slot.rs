//! `Slot`: room for one value, and the word that says who has it.
//!
//! The ghost stands for the value: its holder enters it, a guard looks at it.
#![expect(unsafe_code, reason = "writes, reads and drops the value behind the word")]

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use crate::memory::table::Zeroable;
use crate::region::Wipe;
use crate::sync::Ghost;

use super::word::Word;

/// See the module's header.
#[repr(C)]
pub(super) struct Slot<T> {
    pub(super) word: Word,
    ghost: Ghost,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: a slot hands its value to one holder at a time, on any thread (`T: Send`), and to several guards (`T: Sync`),
// as its word says (INV-pool.word-3).
unsafe impl<T: Send + Sync> Sync for Slot<T> {}
// SAFETY: a slot is a word and perhaps a `T`.
unsafe impl<T: Send> Send for Slot<T> {}

// SAFETY: an atomic integer, a ghost (zero-sized outside the model checker), and a value that may be anything.
unsafe impl<T> Zeroable for Slot<T> {
    #[inline(always)]
    fn zeroed() -> Self {
        Self { word: Word::default(), ghost: Ghost::new(), value: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// A value may be longer than a stack.
    unsafe fn write_zeroed(at: NonNull<Self>) {
        // SAFETY: `addr_of`: a field of what `at` has room for, by this function's contract.
        let word = unsafe { &raw mut (*at.as_ptr()).word };
        // SAFETY: `pointer::write`: aligned, and the caller's alone.
        unsafe { word.write(Word::default()) };
        // SAFETY: as above.
        let ghost = unsafe { &raw mut (*at.as_ptr()).ghost };
        // SAFETY: as above.
        unsafe { ghost.write(Ghost::new()) };
    }
}

impl<T> Slot<T> {
    /// Writes the value.
    ///
    /// # Safety
    /// The caller holds the slot, and no value is in it.
    #[inline(always)]
    pub(super) unsafe fn write(&self, value: T) {
        self.ghost.enter();
        // SAFETY: `pointer::write`: the cell is aligned and its holder's alone (INV-pool.word-3).
        unsafe { self.value.get().write(MaybeUninit::new(value)) };
    }

    /// Moves the value out.
    ///
    /// # Safety
    /// The caller holds the slot with the value in it, and uses the value there no more.
    #[inline(always)]
    pub(super) unsafe fn read(&self) -> T {
        self.ghost.enter();
        // SAFETY: `pointer::read`: initialised, and its holder's alone (INV-pool.word-3).
        unsafe { self.value.get().cast::<T>().read() }
    }

    /// Drops the value in place.
    ///
    /// # Safety
    /// As [`Slot::read`].
    #[inline(always)]
    pub(super) unsafe fn drop_value(&self) {
        self.ghost.enter();
        // SAFETY: `drop_in_place`: initialised, aligned, and its holder's alone (INV-pool.word-3).
        unsafe { core::ptr::drop_in_place(self.value.get().cast::<T>()) };
    }

    /// Fills what the value was.
    ///
    /// # Safety
    /// The caller holds the slot, and the value was moved out or dropped.
    #[cold]
    pub(super) unsafe fn wipe(&self, wipe: Wipe) {
        // SAFETY: `Wipe::fill`: the cell's bytes, its holder's alone (INV-pool.word-3); it may be anything.
        unsafe { wipe.fill(self.value.get().cast(), size_of::<T>()) };
    }

    /// The value, shared.
    ///
    /// # Safety
    /// A guard of the value is counted as long as the reference lives.
    #[inline(always)]
    pub(super) unsafe fn value(&self) -> &T {
        self.ghost.look();
        // SAFETY: initialised; nobody writes, moves or drops it while a guard is counted (INV-pool.word-3).
        unsafe { &*self.value.get().cast::<T>() }
    }

    /// The value, of a pool that the caller has exclusively.
    ///
    /// # Safety
    /// The word is full, and as long as the reference lives nobody else uses the pool.
    #[inline(always)]
    #[expect(clippy::mut_from_ref, reason = "the exclusive borrow is the pool's")]
    pub(super) unsafe fn value_mut(&self) -> &mut T {
        self.ghost.enter();
        // SAFETY: initialised, and the caller's alone.
        unsafe { &mut *self.value.get().cast::<T>() }
    }
}
