//! Owners of text.
#![expect(unsafe_code, reason = "bytes that were checked, or came from a text, are one")]

use core::ptr::NonNull;

use allocator_api2::alloc::Allocator;

use super::{Arc, Box, FromUtf8Error, ReserveError};
use crate::base::error::granted;

macro_rules! text_methods {
    ($owner:ident, $name:literal, $($bound:tt)+) => {
        /// # Text
        ///
        /// ```
        #[doc = concat!("use sharded_arena::{Heap, boxed::", $name, "};")]
        /// let heap = Heap::with_capacity(1 << 20)?;
        #[doc = concat!("let text = ", $name, "::from_str_in(\"text\", &heap);")]
        #[doc = concat!("let bytes = ", $name, "::into_bytes(text);")]
        #[doc = concat!("assert_eq!(", $name, "::from_utf8(bytes).as_deref(), Ok(\"text\"));")]
        /// # Ok::<(), sharded_arena::RegionError>(())
        /// ```
        impl<A: $($bound)+> $owner<str, A> {
            /// Copies a text.
            ///
            /// # Panics
            /// If the allocator refuses.
            #[track_caller]
            pub fn from_str_in(text: &str, alloc: A) -> Self {
                granted(Self::try_from_str_in(text, alloc))
            }

            /// Copies a text.
            ///
            /// # Errors
            /// If the allocator refuses.
            pub fn try_from_str_in(text: &str, alloc: A) -> Result<Self, ReserveError> {
                let bytes = $owner::try_copy_from_slice_in(text.as_bytes(), alloc)?;
                // SAFETY: a text's bytes.
                Ok(unsafe { Self::from_utf8_unchecked(bytes) })
            }

            /// The text that the bytes are, in their block.
            ///
            /// # Errors
            /// If they are not UTF-8; they come back.
            pub fn from_utf8(bytes: $owner<[u8], A>) -> Result<Self, FromUtf8Error<$owner<[u8], A>>> {
                match core::str::from_utf8(&bytes) {
                    // SAFETY: just checked, and what shares them does not write to them.
                    Ok(_) => Ok(unsafe { Self::from_utf8_unchecked(bytes) }),
                    Err(error) => Err(FromUtf8Error { error, bytes }),
                }
            }

            /// The text that the bytes are, in their block.
            ///
            /// # Safety
            /// They are UTF-8.
            #[inline]
            #[must_use]
            pub unsafe fn from_utf8_unchecked(bytes: $owner<[u8], A>) -> Self {
                let (ptr, alloc) = bytes.into_parts();
                // SAFETY: an owner's address is never null.
                let text = unsafe { NonNull::new_unchecked(ptr.as_ptr() as *mut str) };
                Self::from_parts((text, alloc))
            }

            /// The bytes of the text, in its block.
            #[inline]
            #[must_use]
            pub fn into_bytes(this: Self) -> $owner<[u8], A> {
                let (ptr, alloc) = this.into_parts();
                // SAFETY: an owner's address is never null.
                let bytes = unsafe { NonNull::new_unchecked(ptr.as_ptr() as *mut [u8]) };
                $owner::from_parts((bytes, alloc))
            }
        }
    };
}

text_methods! { Box, "Box", Allocator }
text_methods! { Arc, "Arc", Allocator + Clone }
