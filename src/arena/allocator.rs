//! `Allocator` for `&Arena` and `&Scope`, in each version of allocator-api2, and for references alone: what is had by
//! value, or exclusively, could be reset under its blocks, or begin an inner scope.
//!
//! Collections over `&Arena` are Send and Sync as their values are: they may be built on one thread and dropped on
//! another. One over `&Scope` borrows the scope as long as it stands, so no inner scope, which takes `&mut`, can begin
//! meanwhile: it cannot grow into memory that goes before it does.
#![expect(unsafe_code, reason = "implements an unsafe trait")]

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::bump::blocks::Blocks;

use super::{Arena, Scope};

/// The block at `ptr`, as long as `layout` says.
fn block(ptr: NonNull<u8>, layout: Layout) -> NonNull<[u8]> {
    NonNull::slice_from_raw_parts(ptr, layout.size())
}

/// The trait of a version of allocator-api2, over `Blocks`.
macro_rules! allocator {
    ($api:ident: [$($generic:tt)*] $type:ty) => {
        // SAFETY: a block stands until the arena is reset or dropped, or the scope ends or opens another, which the borrow
        // in every copy of the reference rules out.
        unsafe impl $($generic)* $api::alloc::Allocator for $type {
            #[inline]
            fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, $api::alloc::AllocError> {
                self.blocks().alloc(layout).map(|ptr| block(ptr, layout)).map_err(|_| $api::alloc::AllocError)
            }

            #[inline]
            unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
                // SAFETY: the trait's contract is `Blocks::free`'s.
                unsafe { self.blocks().free(ptr, layout) }
            }

            #[inline]
            unsafe fn grow(
                &self,
                ptr: NonNull<u8>,
                old: Layout,
                new: Layout,
            ) -> Result<NonNull<[u8]>, $api::alloc::AllocError> {
                // SAFETY: the trait's contract is `Blocks::resize`'s.
                let grown = unsafe { self.blocks().resize(ptr, old, new) };
                grown.map(|ptr| block(ptr, new)).map_err(|_| $api::alloc::AllocError)
            }

            unsafe fn grow_zeroed(
                &self,
                ptr: NonNull<u8>,
                old: Layout,
                new: Layout,
            ) -> Result<NonNull<[u8]>, $api::alloc::AllocError> {
                // SAFETY: the trait's contract is `grow`'s.
                let grown = unsafe { self.grow(ptr, old, new) }?;
                // SAFETY: `NonNull::add`: the old length is at most the new one.
                let tail = unsafe { grown.cast::<u8>().add(old.size()) };
                // SAFETY: the rest of the grown block.
                unsafe { tail.write_bytes(0, new.size() - old.size()) };
                Ok(grown)
            }

            #[inline]
            unsafe fn shrink(
                &self,
                ptr: NonNull<u8>,
                old: Layout,
                new: Layout,
            ) -> Result<NonNull<[u8]>, $api::alloc::AllocError> {
                // SAFETY: the trait's contract is `Blocks::resize`'s.
                let shrunk = unsafe { self.blocks().resize(ptr, old, new) };
                shrunk.map(|ptr| block(ptr, new)).map_err(|_| $api::alloc::AllocError)
            }
        }
    };
}

allocator! { allocator_api2: [] &Arena }
allocator! { allocator_api2: [<Outside>] &Scope<'_, Outside> }
#[cfg(feature = "allocator-api2-04")]
allocator! { allocator_api2_04: [] &Arena }
#[cfg(feature = "allocator-api2-04")]
allocator! { allocator_api2_04: [<Outside>] &Scope<'_, Outside> }
