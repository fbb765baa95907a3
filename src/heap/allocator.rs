//! `Allocator` for `Heap` and `LocalHeap`, in each version of allocator-api2; the traits' blankets give the references.
//!
//! A collection over `Heap` keeps a handle, so it may outlive the name it was made from; one over `&Heap` clones for
//! nothing. Either may be dropped on any thread; one over a `LocalHeap` stays on its own.
#![expect(unsafe_code, reason = "implements an unsafe trait")]

use core::alloc::Layout;
use core::ptr::NonNull;

use super::{Heap, LocalHeap};

/// The trait of a version of allocator-api2, over the handle's own methods.
macro_rules! allocator {
    ($api:ident: $type:ident$(<$life:lifetime>)?) => {
        // SAFETY: a block stands until it is freed or the last handle of the heap goes, which a `LocalHeap` borrows; clones
        // of a handle are one heap.
        unsafe impl $api::alloc::Allocator for $type$(<$life>)? {
            #[inline]
            fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, $api::alloc::AllocError> {
                self.alloc(layout).map_err(|_| $api::alloc::AllocError)
            }

            #[inline]
            fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, $api::alloc::AllocError> {
                self.alloc_zeroed(layout).map_err(|_| $api::alloc::AllocError)
            }

            #[inline]
            unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
                // SAFETY: the trait's contract is `free`'s.
                unsafe { self.free(ptr, layout) }
            }

            unsafe fn grow(
                &self,
                ptr: NonNull<u8>,
                old: Layout,
                new: Layout,
            ) -> Result<NonNull<[u8]>, $api::alloc::AllocError> {
                // SAFETY: the trait's contract is `grow`'s.
                unsafe { $type::grow(self, ptr, old, new) }.map_err(|_| $api::alloc::AllocError)
            }

            unsafe fn grow_zeroed(
                &self,
                ptr: NonNull<u8>,
                old: Layout,
                new: Layout,
            ) -> Result<NonNull<[u8]>, $api::alloc::AllocError> {
                // SAFETY: the trait's contract is `grow`'s.
                let grown = unsafe { $type::grow(self, ptr, old, new) }.map_err(|_| $api::alloc::AllocError)?;
                // SAFETY: `NonNull::add`: the old length is at most the new one.
                let tail = unsafe { grown.cast::<u8>().add(old.size()) };
                // SAFETY: the rest of the grown block.
                unsafe { tail.write_bytes(0, new.size() - old.size()) };
                Ok(grown)
            }

            unsafe fn shrink(
                &self,
                ptr: NonNull<u8>,
                old: Layout,
                new: Layout,
            ) -> Result<NonNull<[u8]>, $api::alloc::AllocError> {
                // SAFETY: the trait's contract is `shrink`'s.
                unsafe { $type::shrink(self, ptr, old, new) }.map_err(|_| $api::alloc::AllocError)
            }
        }
    };
}

allocator! { allocator_api2: Heap }
allocator! { allocator_api2: LocalHeap<'_> }
#[cfg(feature = "allocator-api2-04")]
allocator! { allocator_api2_04: Heap }
#[cfg(feature = "allocator-api2-04")]
allocator! { allocator_api2_04: LocalHeap<'_> }
