//! Owners over any allocator: [`Box`], one value with one owner, and [`Arc`], one value with many; the value is
//! dropped, and its memory comes back.
//!
//! They are not the boxes of `allocator_api2`, which leak their block when the value's destructor panics. Here the
//! block goes back first in order and last in time: what frees it exists before the destructor runs, and frees while
//! the panic passes.
//!
//! Stable Rust coerces no box of a library's to a box of a slice or a trait object. Slices and texts have constructors
//! of their own (`slice.rs`, `text.rs`), and [`unsize!`](crate::unsize) is the coercion, written out (`cast.rs`).
//!
//! - INV-boxed-1: `ptr` is a live block of `alloc`, of the value's layout, that nobody else uses; the value in it is
//!   initialised. A value of no size has no block.
#![expect(unsafe_code, reason = "owns a value in a block of an allocator")]

mod arc;
pub(crate) mod cast;
mod slice;
mod source;
mod text;
mod traits;

pub use arc::Arc;

use core::alloc::Layout;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::ptr::NonNull;

use allocator_api2::alloc::Allocator;

use crate::alloc::block::{Block, Plain};
pub use crate::base::refusal::FromUtf8Error;
use crate::base::refusal::{AllocValueError, ReserveError};

/// A value that a box found no memory for, and which comes back.
///
/// ```
/// use sharded_arena::{Heap, boxed::Box};
/// let heap = Heap::with_capacity(4096)?;
/// let refused = Box::try_new_in([7u8; 5000], &heap).unwrap_err();
/// assert_eq!((refused.error.requested(), refused.into_value()), (5000, [7; 5000]));
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
pub type TryNewError<T> = AllocValueError<T, ReserveError>;

/// The former name of [`ReserveError`].
#[deprecated(since = "0.1.0", note = "`ReserveError` is the error of boxes and collections")]
pub type BlockError = ReserveError;

/// A value in a block of `A`, dropped and freed with the box.
///
/// As large as a pointer and the allocator's handle. `&Heap` is the handle to choose: it may be copied for nothing, and
/// the box may go to another thread and be dropped there. A `Heap` by value keeps the heap alive instead.
///
/// ```
/// use sharded_arena::{Heap, boxed::Box};
/// let heap = Heap::with_capacity(1 << 20)?;
/// let number = Box::new_in(41, &heap);
/// std::thread::scope(|scope| scope.spawn(move || assert_eq!(*number + 1, 42)).join()).unwrap();
/// heap.flush();
/// assert_eq!(heap.live_bytes(), 0);
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
pub struct Box<T: ?Sized, A: Allocator> {
    ptr: NonNull<T>,
    alloc: A,
    /// The box owns, and drops, a `T`.
    _owns: PhantomData<T>,
}

// SAFETY: the box is a `T` and an `A`, held by nobody else (INV-boxed-1); the pointer adds nothing of its own.
unsafe impl<T: ?Sized + Send, A: Allocator + Send> Send for Box<T, A> {}
// SAFETY: a shared box gives a shared `T` and a shared `A`, no more.
unsafe impl<T: ?Sized + Sync, A: Allocator + Sync> Sync for Box<T, A> {}

impl<T, A: Allocator> Box<T, A> {
    /// Takes the value out; its block goes back.
    #[must_use = "drop the box if the value is not wanted"]
    pub fn into_inner(this: Self) -> T {
        let (ptr, alloc) = this.into_parts();
        // SAFETY: INV-boxed-1: the value's block, which goes back behind it.
        let _block = unsafe { Block::around::<Plain>(&alloc, ptr.cast(), const { Layout::new::<T>() }) };
        // SAFETY: INV-boxed-1: the value is there, and the box that owned it is gone.
        unsafe { ptr.read() }
    }
}

impl<T: ?Sized, A: Allocator> Box<T, A> {
    /// A box of a value that [`into_raw_with_allocator`](Self::into_raw_with_allocator) gave, or that was written into
    /// a block by hand: so a slice or a trait object, which no constructor makes, comes into a box.
    ///
    /// # Safety
    /// `raw` points to an initialised value in a live block of `alloc`, whose layout is the value's, and which nobody
    /// else uses. For a value of no size, which has no block, it is not null and aligned.
    #[inline]
    pub unsafe fn from_raw_in(raw: *mut T, alloc: A) -> Self {
        // SAFETY: not null, by this function's contract.
        let ptr = unsafe { NonNull::new_unchecked(raw) };
        Self { ptr, alloc, _owns: PhantomData }
    }

    /// Gives the value's address and the allocator away; nothing is dropped or freed any more.
    #[inline]
    #[must_use = "the value would be leaked"]
    pub fn into_raw_with_allocator(this: Self) -> (*mut T, A) {
        let (ptr, alloc) = this.into_parts();
        (ptr.as_ptr(), alloc)
    }

    /// Gives the value away for as long as the allocator's memory may live; it is never dropped. The handle is leaked
    /// too: a `Heap` by value never ends.
    #[inline]
    pub fn leak<'a>(this: Self) -> &'a mut T
    where
        A: 'a,
    {
        let mut this = ManuallyDrop::new(this);
        // SAFETY: INV-boxed-1: the value is this box's alone; the allocator, valid for `'a` and never dropped, keeps
        // its memory.
        unsafe { this.ptr.as_mut() }
    }

    /// Pins the value. An allocator that lives for ever cannot be reset under a box that was forgotten.
    #[inline]
    #[must_use]
    pub fn into_pin(this: Self) -> Pin<Self>
    where
        A: 'static,
    {
        // SAFETY: the value never moves while the box stands, for only its block holds it. Its memory is not used again
        // before it was dropped: the block goes back after the destructor, and a box that is forgotten keeps a handle
        // that is `'static`, so nothing that it borrows can end.
        unsafe { Pin::new_unchecked(this) }
    }
}

impl<T: ?Sized, A: Allocator> Drop for Box<T, A> {
    #[inline]
    fn drop(&mut self) {
        // The layout is read while there is a value to read it from.
        let layout = Layout::for_value::<T>(self);
        // SAFETY: INV-boxed-1: the value's block. The guard frees it behind the value, also if its destructor panics.
        let _block = unsafe { Block::around::<Plain>(&self.alloc, self.ptr.cast(), layout) };
        // SAFETY: INV-boxed-1: the box's own value, dropped once.
        unsafe { self.ptr.drop_in_place() };
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
