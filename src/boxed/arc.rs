//! A value that many handles own, on any threads, in one block with the count of them.
//!
//! - INV-boxed.arc-1: `ptr` is where a value stands behind a count, in one live block of `alloc` that [`Counted`] laid
//!   out; the count is the number of handles, those that were forgotten too; while it is not zero the value is
//!   initialised.
//!
//! The count is the only word that threads meet at. Whoever takes it to zero is alone with the block. There is no weak
//! count: a value cannot refer to its own handle and be dropped, and a count of one is an owner who is alone.
#![expect(unsafe_code, reason = "shares a value in a block of an allocator")]

use core::alloc::Layout;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use allocator_api2::alloc::Allocator;

use super::TryNewError;
use crate::alloc::block::{Block, Header};
use crate::base::error::granted;
use crate::sync::{Acquire, AtomicUsize, Relaxed, Release};

/// A value in a block of `A`, shared by the handles that were cloned from one another; the last one to go drops the
/// value and frees the block, on whatever thread.
///
/// One block holds the count and the value, and nothing else; there are no weak handles. A handle is as large as a
/// pointer and the allocator's handle. Cloning one adds to the count and clones the allocator's handle: `&Heap` for
/// nothing, a `Heap` by value at the cost of another count.
///
/// ```
/// use sharded_arena::{Heap, boxed::Arc};
/// let heap = Heap::with_capacity(1 << 20)?;
/// let number = Arc::new_in(41, &heap);
/// std::thread::scope(|scope| {
///     let other = number.clone();
///     scope.spawn(move || assert_eq!(*other + 1, 42)).join().unwrap();
/// });
/// assert_eq!(Arc::into_inner(number), Some(41));
/// heap.flush();
/// assert_eq!(heap.live_bytes(), 0);
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
pub struct Arc<T: ?Sized, A: Allocator + Clone> {
    pub(super) ptr: NonNull<T>,
    pub(super) alloc: A,
    /// The last handle drops a `T`.
    pub(super) _owns: PhantomData<T>,
}

// SAFETY: handles of one value on two threads share it (`T: Sync`), either may drop it or take it out (`T: Send`), and
// each uses and drops its own handle of the allocator (`A: Send`); the count is atomic.
unsafe impl<T: ?Sized + Sync + Send, A: Allocator + Clone + Send> Send for Arc<T, A> {}
// SAFETY: a shared handle can be cloned, through a shared allocator (`A: Sync`), on a thread where the clone may then
// be the last: `T: Send`. That thread frees with the clone what it could free through the shared allocator.
unsafe impl<T: ?Sized + Sync + Send, A: Allocator + Clone + Sync> Sync for Arc<T, A> {}

/// The count stands before the value, next to it.
pub(super) struct Counted;

impl Header for Counted {
    #[inline(always)]
    fn around(value: Layout) -> Option<(Layout, usize)> {
        Layout::new::<AtomicUsize>().extend(value).ok()
    }

    #[inline(always)]
    unsafe fn write(place: NonNull<u8>) {
        // SAFETY: the block is the caller's, and has room for a count before the value.
        let count = unsafe { Self::count(place) };
        // SAFETY: as above; the value's offset, and with it the count's, is a multiple of the count's alignment.
        unsafe { count.write(AtomicUsize::new(1)) };
    }
}

impl Counted {
    /// Where the count of the value at `place` stands.
    ///
    /// # Safety
    /// `place` is where a value stands in a block of this layout.
    #[inline(always)]
    unsafe fn count(place: NonNull<u8>) -> NonNull<AtomicUsize> {
        // SAFETY: `NonNull::sub`: a count's size lies between the block's start and the value.
        unsafe { place.cast::<AtomicUsize>().sub(1) }
    }
}

impl<T, A: Allocator + Clone> Arc<T, A> {
    /// Gives this handle up and takes the value out if it was the last; the block goes back then. Of handles that are
    /// given up so, on however many threads, exactly one gets the value.
    ///
    /// ```
    /// use sharded_arena::{Heap, boxed::Arc};
    /// let heap = Heap::with_capacity(1 << 20)?;
    /// let one = Arc::new_in("shared", heap);
    /// let two = one.clone();
    /// assert_eq!((Arc::into_inner(one), Arc::into_inner(two)), (None, Some("shared")));
    /// # Ok::<(), sharded_arena::RegionError>(())
    /// ```
    pub fn into_inner(this: Self) -> Option<T> {
        let last = this.release();
        let (ptr, alloc) = this.into_parts();
        // SAFETY: INV-boxed.arc-1, and no other handle is left.
        last.then(|| unsafe { Self::take_out(ptr, &alloc) })
    }

    /// Takes the value out if this is the only handle; the block goes back then.
    ///
    /// # Errors
    /// If there are others; the handle comes back.
    pub fn try_unwrap(this: Self) -> Result<T, Self> {
        if !this.is_only() {
            return Err(this);
        }
        let (ptr, alloc) = this.into_parts();
        // SAFETY: INV-boxed.arc-1, and there is no other handle.
        Ok(unsafe { Self::take_out(ptr, &alloc) })
    }

    /// # Safety
    /// The value at `ptr` is initialised, in a block that [`Counted`] laid out in `alloc`, and no handle is left.
    unsafe fn take_out(ptr: NonNull<T>, alloc: &A) -> T {
        // SAFETY: the value's block, which goes back behind it.
        let _block = unsafe { Block::around::<Counted>(alloc, ptr.cast(), const { Layout::new::<T>() }) };
        // SAFETY: the caller's value, which nobody reads any more.
        unsafe { ptr.read() }
    }

    /// The value, exclusively: where other handles share it, a clone of it comes into this one, in a block of a clone
    /// of the allocator.
    ///
    /// # Panics
    /// If the allocator refuses the clone.
    #[track_caller]
    pub fn make_mut(this: &mut Self) -> &mut T
    where
        T: Clone,
    {
        granted(Self::try_make_mut(this))
    }

    /// The value, exclusively: where other handles share it, a clone of it comes into this one, in a block of a clone
    /// of the allocator.
    ///
    /// # Errors
    /// If the allocator refuses the clone, which comes back; this handle is as it was.
    pub fn try_make_mut(this: &mut Self) -> Result<&mut T, TryNewError<T>>
    where
        T: Clone,
    {
        if !this.is_only() {
            *this = Self::try_new_in((**this).clone(), this.alloc.clone())?;
        }
        // SAFETY: INV-boxed.arc-1, and this handle, which is borrowed exclusively, is the only one.
        Ok(unsafe { this.ptr.as_mut() })
    }
}

impl<T: ?Sized, A: Allocator + Clone> Arc<T, A> {
    /// How many handles there are, those that were forgotten too. Other threads may have changed it already.
    #[inline]
    #[must_use]
    pub fn strong_count(this: &Self) -> usize {
        // Relaxed: a hint, nothing is decided by it.
        this.count().load(Relaxed)
    }

    /// Whether two handles share one value.
    #[inline]
    #[must_use]
    pub fn ptr_eq(this: &Self, other: &Self) -> bool {
        core::ptr::addr_eq(this.ptr.as_ptr(), other.ptr.as_ptr())
    }

    /// The value, exclusively, if this is the only handle.
    #[inline]
    pub fn get_mut(this: &mut Self) -> Option<&mut T> {
        if !this.is_only() {
            return None;
        }
        // SAFETY: INV-boxed.arc-1, and this handle, which is borrowed exclusively, is the only one.
        Some(unsafe { this.ptr.as_mut() })
    }

    /// A handle that [`into_raw_with_allocator`](Self::into_raw_with_allocator) gave away.
    ///
    /// # Safety
    /// `raw` and `alloc` are what that gave, once for each time that it did. `raw` may have been cast since, or coerced
    /// to a slice or a trait object, if what it points to now is a value of `T` at the same address and of the same
    /// layout; it was not made from a reference, which reaches the value only.
    #[inline]
    pub unsafe fn from_raw_in(raw: *const T, alloc: A) -> Self {
        // SAFETY: not null, by this function's contract.
        Self::from_parts((unsafe { NonNull::new_unchecked(raw.cast_mut()) }, alloc))
    }

    /// Gives the value's address and the allocator away; the handle still counts.
    #[inline]
    #[must_use = "the value would be leaked"]
    pub fn into_raw_with_allocator(this: Self) -> (*const T, A) {
        let (ptr, alloc) = this.into_parts();
        (ptr.as_ptr().cast_const(), alloc)
    }

    /// Shares the value for as long as the allocator's memory may live; it is never dropped, for this handle counts for
    /// ever. The allocator's handle is leaked too: a `Heap` by value never ends.
    #[inline]
    pub fn leak<'a>(this: Self) -> &'a T
    where
        A: 'a,
    {
        let this = ManuallyDrop::new(this);
        // SAFETY: INV-boxed.arc-1: the count stays above zero; the allocator, valid for `'a` and never dropped, keeps
        // its memory.
        unsafe { this.ptr.as_ref() }
    }

    #[inline]
    pub(super) fn count(&self) -> &AtomicUsize {
        // SAFETY: INV-boxed.arc-1: the value stands behind its count.
        let count = unsafe { Counted::count(self.ptr.cast()) };
        // SAFETY: INV-boxed.arc-1: the block is live as long as a handle is.
        unsafe { count.as_ref() }
    }

    /// Whether this is the only handle. It stays the only one while it is borrowed exclusively or owned.
    #[inline]
    fn is_only(&self) -> bool {
        // ORDERING(Acquire): what those did who had the other handles precedes what the only one does to the value.
        //   pairs: `release`'s Release.  loom: m17_only_sees; Relaxed fails it.
        self.count().load(Acquire) == 1
    }

    /// Takes this handle out of the count; whether it was the last. Afterwards the block is another's, or this
    /// caller's.
    #[inline]
    fn release(&self) -> bool {
        // ORDERING(Release): what this thread did with the value precedes what the last handle does to it.
        //   pairs: the Acquire below and `is_only`'s.  loom: m17_last_sees; Relaxed fails it.
        let last = self.count().fetch_sub(1, Release) == 1;
        if last {
            // ORDERING(Acquire): what all others did precedes what the last does to the value. The load reads its own
            // exchange, which goes on with the release sequence of every other; only the last pays for it.
            //   pairs: the Release above.  loom: m17_last_sees; Relaxed fails it.
            self.count().load(Acquire);
        }
        last
    }
}

/// Another handle of the same value, with a clone of the allocator's; lock-free.
///
/// # Panics
/// If there are more than `isize::MAX` handles.
impl<T: ?Sized, A: Allocator + Clone> Clone for Arc<T, A> {
    #[inline]
    fn clone(&self) -> Self {
        // First, for it may panic.
        let alloc = self.alloc.clone();
        // Relaxed: who clones has a handle, by which the value was seen; the new one goes to another thread by what
        // orders it there.
        let before = self.count().fetch_add(1, Relaxed);
        if before > isize::MAX.unsigned_abs() {
            // Taken back, or panics that are caught could bring the count round to zero where words are short;
            // meanwhile it is too high by no more than the number of threads.
            // Relaxed: this thread's own handle keeps it from being the last.
            self.count().fetch_sub(1, Relaxed);
            too_many();
        }
        Self { ptr: self.ptr, alloc, _owns: PhantomData }
    }
}

#[cold]
#[inline(never)]
fn too_many() -> ! {
    panic!("more than {} handles of one value", isize::MAX)
}

impl<T: ?Sized, A: Allocator + Clone> Drop for Arc<T, A> {
    #[inline]
    fn drop(&mut self) {
        if !self.release() {
            return;
        }
        // The layout is read while there is a value to read it from.
        let layout = Layout::for_value::<T>(self);
        // SAFETY: INV-boxed.arc-1: the value's block. The guard frees it behind the value, also if its destructor
        // panics.
        let _block = unsafe { Block::around::<Counted>(&self.alloc, self.ptr.cast(), layout) };
        // SAFETY: INV-boxed.arc-1: the last handle's value, dropped once.
        unsafe { self.ptr.drop_in_place() };
    }
}
