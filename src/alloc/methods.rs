//! The methods that every arena has, those of one value here: inherent, so that users import no trait, and those of the
//! trait [`Bump`](crate::Bump). The names are bumpalo's.

/// Gives an arena [`Raw`](super::Raw) and the typed methods.
///
/// `typed_methods! { impl BumpRegion }`: results live as long as the borrow of the arena.
/// `typed_methods! { impl<'a> Local<'a> -> 'a }`: results live for `'a`. A type parameter may stand behind the
/// lifetime.
///
/// The type has an inherent `blocks`.
macro_rules! typed_methods {
    (impl $type:ident) => {
        raw! { ['r] 'r [&'r $type] $type }
        typed_methods! { @methods '_ [impl $type] }
    };
    (impl<$life:lifetime> $type:ident<$own:lifetime $(, $other:ident)?> -> $result:lifetime) => {
        raw! { [$life $(, $other)?] $result [&$type<$own $(, $other)?>] $type }
        typed_methods! { @methods $result [impl<$life $(, $other)?> $type<$own $(, $other)?>] }
    };
    (@methods $r:lifetime [$($head:tt)+]) => {
        /// # Typed allocation
        ///
        /// Results are exclusive, aligned, and never dropped. A method without `try_` panics with the text of the
        /// [`AllocError`](crate::AllocError) where its twin returns it; a refusal changes nothing. Values that were
        /// made in vain, because a later one panicked or failed, are dropped, and their memory is given back if it was
        /// taken last or, in an arena or a stack, is too long for a chunk. What makes values may allocate from the same
        /// arena.
        #[allow(clippy::mut_from_ref, reason = "every call hands out memory of its own")]
        #[allow(clippy::must_use_candidate, reason = "a value may be put in for its address to stand, or for a test")]
        $($head)+ {
            typed_methods! { @each pub for $r }
            slice_methods! { pub for $r }
        }
    };
    (@each $vis:vis for $r:lifetime) => {
        /// Moves `value` in.
        ///
        /// # Panics
        /// If there is no memory for it.
        #[inline(always)]
        #[track_caller]
        $vis fn alloc<T>(&self, value: T) -> &$r mut T {
            $crate::alloc::value::TypedBlock::granted(self).keep().write(value)
        }

        /// Moves `value` in.
        ///
        /// # Errors
        /// If there is no memory for it; the value comes back in the error.
        #[inline(always)]
        $vis fn try_alloc<T>(&self, value: T) -> Result<&$r mut T, $crate::AllocValueError<T>> {
            $crate::alloc::value::moved(self, value)
        }

        /// Makes a value: its memory is taken before `f` runs, so that it may be made where it stays.
        ///
        /// # Panics
        /// If there is no memory for it, or `f` panics.
        #[inline(always)]
        #[track_caller]
        $vis fn alloc_with<T>(&self, f: impl FnOnce() -> T) -> &$r mut T {
            $crate::alloc::value::TypedBlock::granted(self).with(f)
        }

        /// Makes a value: its memory is taken before `f` runs, so that it may be made where it stays.
        ///
        /// # Errors
        /// If there is no memory for it; `f` is not called then.
        #[inline(always)]
        $vis fn try_alloc_with<T>(&self, f: impl FnOnce() -> T) -> Result<&$r mut T, $crate::AllocError> {
            Ok($crate::alloc::value::TypedBlock::take(self)?.with(f))
        }

        /// Makes a value that can fail: its memory is taken before `f` runs, and goes back if `f` fails.
        ///
        /// # Panics
        /// If there is no memory for it, or `f` panics.
        ///
        /// # Errors
        /// What `f` fails with.
        #[inline(always)]
        #[track_caller]
        $vis fn alloc_try_with<T, E>(&self, f: impl FnOnce() -> Result<T, E>) -> Result<&$r mut T, E> {
            $crate::alloc::value::TypedBlock::granted(self).try_with(f)
        }

        /// Makes a value that can fail: its memory is taken before `f` runs, and goes back if `f` fails.
        ///
        /// # Errors
        /// `Alloc` if there is no memory for it; `f` is not called then. `Init` with what `f` fails with.
        #[inline(always)]
        $vis fn try_alloc_try_with<T, E>(
            &self,
            f: impl FnOnce() -> Result<T, E>,
        ) -> Result<&$r mut T, $crate::AllocOrInitError<E>> {
            $crate::alloc::value::TypedBlock::take(self)?.try_with(f).map_err($crate::AllocOrInitError::Init)
        }

        /// Copies a string.
        ///
        /// # Panics
        /// If there is no memory for it.
        #[inline(always)]
        #[track_caller]
        $vis fn alloc_str(&self, s: &str) -> &$r mut str {
            $crate::alloc::value::granted_str(self, s)
        }

        /// Copies a string.
        ///
        /// # Errors
        /// If there is no memory for it.
        #[inline(always)]
        $vis fn try_alloc_str(&self, s: &str) -> Result<&$r mut str, $crate::AllocError> {
            $crate::alloc::value::str(self, s)
        }

        /// Copies a C string, with its zero byte.
        ///
        /// # Panics
        /// If there is no memory for it.
        #[inline]
        #[track_caller]
        $vis fn alloc_cstr(&self, s: &core::ffi::CStr) -> &$r core::ffi::CStr {
            $crate::alloc::granted($crate::alloc::value::cstr(self, s))
        }

        /// Copies a C string, with its zero byte.
        ///
        /// # Errors
        /// If there is no memory for it.
        #[inline]
        $vis fn try_alloc_cstr(&self, s: &core::ffi::CStr) -> Result<&$r core::ffi::CStr, $crate::AllocError> {
            $crate::alloc::value::cstr(self, s)
        }

        /// Formats a text, as `format!` does: `alloc_fmt(format_args!("{n} blocks"))`. It grows as it is written,
        /// and what it did not need goes back.
        ///
        /// # Panics
        /// If there is no memory for it, or a `Display` panics or fails.
        #[inline]
        #[track_caller]
        $vis fn alloc_fmt(&self, args: core::fmt::Arguments<'_>) -> &$r mut str {
            $crate::alloc::granted($crate::alloc::slice::format(self, args))
        }

        /// Formats a text, as `format!` does. It grows as it is written, and what it did not need goes back.
        ///
        /// # Errors
        /// If there is no memory for it.
        ///
        /// # Panics
        /// If a `Display` panics or fails.
        #[inline]
        #[track_caller]
        $vis fn try_alloc_fmt(&self, args: core::fmt::Arguments<'_>) -> Result<&$r mut str, $crate::AllocError> {
            $crate::alloc::slice::format(self, args)
        }
    };
}
pub(crate) use typed_methods;
