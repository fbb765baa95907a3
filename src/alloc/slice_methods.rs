//! The methods that make several values, and those that give bytes without values.

/// The second half of [`typed_methods!`](super::methods::typed_methods).
macro_rules! slice_methods {
    ($vis:vis for $r:lifetime) => {
        /// Copies a slice.
        ///
        /// # Panics
        /// If there is no memory for it.
        #[inline(always)]
        #[track_caller]
        $vis fn alloc_slice_copy<T: Copy>(&self, src: &[T]) -> &$r mut [T] {
            $crate::alloc::value::granted_copy(self, src)
        }

        /// Copies a slice.
        ///
        /// # Errors
        /// If there is no memory for it.
        #[inline(always)]
        $vis fn try_alloc_slice_copy<T: Copy>(&self, src: &[T]) -> Result<&$r mut [T], $crate::AllocError> {
            $crate::alloc::value::copy(self, src)
        }

        /// Clones every value of a slice.
        ///
        /// # Panics
        /// If there is no memory for them, or a `Clone` panics.
        #[inline]
        #[track_caller]
        $vis fn alloc_slice_clone<T: Clone>(&self, src: &[T]) -> &$r mut [T] {
            $crate::alloc::granted($crate::alloc::slice::fill(self, src.len(), |index| src[index].clone()))
        }

        /// Clones every value of a slice.
        ///
        /// # Errors
        /// If there is no memory for them.
        #[inline]
        $vis fn try_alloc_slice_clone<T: Clone>(&self, src: &[T]) -> Result<&$r mut [T], $crate::AllocError> {
            $crate::alloc::slice::fill(self, src.len(), |index| src[index].clone())
        }

        /// Fills a slice with copies of `value`.
        ///
        /// # Panics
        /// If there is no memory for it.
        #[inline]
        #[track_caller]
        $vis fn alloc_slice_fill_copy<T: Copy>(&self, len: usize, value: T) -> &$r mut [T] {
            $crate::alloc::granted($crate::alloc::slice::fill_copy(self, len, value))
        }

        /// Fills a slice with copies of `value`.
        ///
        /// # Errors
        /// If there is no memory for it.
        #[inline]
        $vis fn try_alloc_slice_fill_copy<T: Copy>(
            &self,
            len: usize,
            value: T,
        ) -> Result<&$r mut [T], $crate::AllocError> {
            $crate::alloc::slice::fill_copy(self, len, value)
        }

        /// Fills a slice with clones of `value`.
        ///
        /// # Panics
        /// If there is no memory for it, or a `Clone` panics.
        #[inline]
        #[track_caller]
        $vis fn alloc_slice_fill_clone<T: Clone>(&self, len: usize, value: &T) -> &$r mut [T] {
            $crate::alloc::granted($crate::alloc::slice::fill(self, len, |_| value.clone()))
        }

        /// Fills a slice with clones of `value`.
        ///
        /// # Errors
        /// If there is no memory for it.
        #[inline]
        $vis fn try_alloc_slice_fill_clone<T: Clone>(
            &self,
            len: usize,
            value: &T,
        ) -> Result<&$r mut [T], $crate::AllocError> {
            $crate::alloc::slice::fill(self, len, |_| value.clone())
        }

        /// Fills a slice with default values.
        ///
        /// # Panics
        /// If there is no memory for it, or a `Default` panics.
        #[inline]
        #[track_caller]
        $vis fn alloc_slice_fill_default<T: Default>(&self, len: usize) -> &$r mut [T] {
            $crate::alloc::granted($crate::alloc::slice::fill(self, len, |_| T::default()))
        }

        /// Fills a slice with default values.
        ///
        /// # Errors
        /// If there is no memory for it.
        #[inline]
        $vis fn try_alloc_slice_fill_default<T: Default>(&self, len: usize) -> Result<&$r mut [T], $crate::AllocError> {
            $crate::alloc::slice::fill(self, len, |_| T::default())
        }

        /// Fills a slice with what `f` makes of every index.
        ///
        /// # Panics
        /// If there is no memory for it, or `f` panics.
        #[inline]
        #[track_caller]
        $vis fn alloc_slice_fill_with<T>(&self, len: usize, f: impl FnMut(usize) -> T) -> &$r mut [T] {
            $crate::alloc::granted($crate::alloc::slice::fill(self, len, f))
        }

        /// Fills a slice with what `f` makes of every index.
        ///
        /// # Errors
        /// If there is no memory for it; `f` is not called then.
        #[inline]
        $vis fn try_alloc_slice_fill_with<T>(
            &self,
            len: usize,
            f: impl FnMut(usize) -> T,
        ) -> Result<&$r mut [T], $crate::AllocError> {
            $crate::alloc::slice::fill(self, len, f)
        }

        /// Fills a slice with what an iterator yields: as many values as it says it has. What it has beyond that
        /// number is not asked for.
        ///
        /// # Panics
        /// If there is no memory for it, or the iterator panics, or yields fewer values than it said.
        #[inline]
        #[track_caller]
        $vis fn alloc_slice_fill_iter<T>(
            &self,
            it: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
        ) -> &$r mut [T] {
            $crate::alloc::granted($crate::alloc::slice::fill_iter(self, it.into_iter()))
        }

        /// Fills a slice with what an iterator yields: as many values as it says it has. What it has beyond that
        /// number is not asked for.
        ///
        /// # Errors
        /// If there is no memory for it; nothing is asked of the iterator then.
        ///
        /// # Panics
        /// If the iterator yields fewer values than it said.
        #[inline]
        #[track_caller]
        $vis fn try_alloc_slice_fill_iter<T>(
            &self,
            it: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
        ) -> Result<&$r mut [T], $crate::AllocError> {
            $crate::alloc::slice::fill_iter(self, it.into_iter())
        }

        /// Fills a slice with what `f` makes of every index, which can fail; then all of it goes back.
        ///
        /// # Panics
        /// If there is no memory for it, or `f` panics.
        ///
        /// # Errors
        /// What `f` first fails with.
        #[inline]
        #[track_caller]
        $vis fn alloc_slice_try_fill_with<T, E>(
            &self,
            len: usize,
            f: impl FnMut(usize) -> Result<T, E>,
        ) -> Result<&$r mut [T], E> {
            $crate::alloc::granted_or_init($crate::alloc::slice::try_fill(self, len, f))
        }

        /// Fills a slice with what `f` makes of every index, which can fail; then all of it goes back.
        ///
        /// # Errors
        /// `Alloc` if there is no memory for it; `f` is not called then. `Init` with what `f` first fails with.
        #[inline]
        $vis fn try_alloc_slice_try_fill_with<T, E>(
            &self,
            len: usize,
            f: impl FnMut(usize) -> Result<T, E>,
        ) -> Result<&$r mut [T], $crate::AllocOrInitError<E>> {
            $crate::alloc::slice::try_fill(self, len, f)
        }

        /// Fills a slice with what an iterator yields, which can fail; then all of it goes back. As many values as
        /// the iterator says it has; what it has beyond is not asked for.
        ///
        /// # Panics
        /// If there is no memory for it, or the iterator panics, or yields fewer values than it said.
        ///
        /// # Errors
        /// What the iterator first fails with.
        #[inline]
        #[track_caller]
        $vis fn alloc_slice_try_fill_iter<T, E>(
            &self,
            it: impl IntoIterator<Item = Result<T, E>, IntoIter: ExactSizeIterator>,
        ) -> Result<&$r mut [T], E> {
            $crate::alloc::granted_or_init($crate::alloc::slice::try_fill_iter(self, it.into_iter()))
        }

        /// Fills a slice with what an iterator yields, which can fail; then all of it goes back. As many values as
        /// the iterator says it has; what it has beyond is not asked for.
        ///
        /// # Errors
        /// `Alloc` if there is no memory for it; nothing is asked of the iterator then. `Init` with what the
        /// iterator first fails with.
        ///
        /// # Panics
        /// If the iterator yields fewer values than it said.
        #[inline]
        #[track_caller]
        $vis fn try_alloc_slice_try_fill_iter<T, E>(
            &self,
            it: impl IntoIterator<Item = Result<T, E>, IntoIter: ExactSizeIterator>,
        ) -> Result<&$r mut [T], $crate::AllocOrInitError<E>> {
            $crate::alloc::slice::try_fill_iter(self, it.into_iter())
        }

        /// Collects an iterator of any length. The slice doubles as it grows, and what it did not need goes back;
        /// in one step if the iterator's lower bound is its length and nothing else is allocated meanwhile.
        ///
        /// # Panics
        /// If there is no memory for it, or the iterator panics.
        #[inline]
        #[track_caller]
        $vis fn alloc_from_iter<T>(&self, it: impl IntoIterator<Item = T>) -> &$r mut [T] {
            $crate::alloc::granted($crate::alloc::slice::from_iter(self, it.into_iter()))
        }

        /// Collects an iterator of any length. The slice doubles as it grows, and what it did not need goes back.
        ///
        /// # Errors
        /// If there is no memory for it; what was yielded is dropped then.
        #[inline]
        $vis fn try_alloc_from_iter<T>(
            &self,
            it: impl IntoIterator<Item = T>,
        ) -> Result<&$r mut [T], $crate::AllocError> {
            $crate::alloc::slice::from_iter(self, it.into_iter())
        }

        /// Takes a place for one `T`, to be written later.
        ///
        /// # Panics
        /// If there is no memory for it.
        #[inline(always)]
        #[track_caller]
        $vis fn alloc_uninit<T>(&self) -> &$r mut core::mem::MaybeUninit<T> {
            $crate::alloc::value::TypedBlock::granted(self).keep()
        }

        /// Takes a place for one `T`, to be written later.
        ///
        /// # Errors
        /// If there is no memory for it.
        #[inline(always)]
        $vis fn try_alloc_uninit<T>(&self) -> Result<&$r mut core::mem::MaybeUninit<T>, $crate::AllocError> {
            Ok($crate::alloc::value::TypedBlock::take(self)?.keep())
        }

        /// Takes places for `len` values, to be written later.
        ///
        /// # Panics
        /// If there is no memory for them.
        #[inline]
        #[track_caller]
        $vis fn alloc_slice_uninit<T>(&self, len: usize) -> &$r mut [core::mem::MaybeUninit<T>] {
            $crate::alloc::granted($crate::alloc::slice::uninit(self, len))
        }

        /// Takes places for `len` values, to be written later.
        ///
        /// # Errors
        /// If there is no memory for them.
        #[inline]
        $vis fn try_alloc_slice_uninit<T>(
            &self,
            len: usize,
        ) -> Result<&$r mut [core::mem::MaybeUninit<T>], $crate::AllocError> {
            $crate::alloc::slice::uninit(self, len)
        }

        /// Takes bytes as `layout` says, which stay as long as other results would. None are taken for a size of
        /// zero: the pointer is aligned, and dangles.
        ///
        /// # Panics
        /// If there is no memory for them.
        #[inline(always)]
        #[track_caller]
        $vis fn alloc_layout(&self, layout: core::alloc::Layout) -> core::ptr::NonNull<u8> {
            $crate::bump::blocks::Blocks::alloc_or_panic($crate::alloc::Raw::blocks(self), layout)
        }

        /// Takes bytes as `layout` says, which stay as long as other results would. None are taken for a size of
        /// zero: the pointer is aligned, and dangles.
        ///
        /// # Errors
        /// If there is no memory for them.
        #[inline(always)]
        $vis fn try_alloc_layout(
            &self,
            layout: core::alloc::Layout,
        ) -> Result<core::ptr::NonNull<u8>, $crate::AllocError> {
            $crate::bump::blocks::Blocks::alloc($crate::alloc::Raw::blocks(self), layout)
        }
    };
}
pub(crate) use slice_methods;
