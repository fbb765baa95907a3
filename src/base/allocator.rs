//! `allocator!`: the `Allocator` trait of each version of allocator-api2, over a handle's own methods.
#![expect(unsafe_code, reason = "implements an unsafe trait")]

use core::ptr::NonNull;

/// Fills a block with zeros from byte `from` on.
///
/// # Safety
/// The block is live, the caller's alone, and not shorter than `from`.
pub(crate) unsafe fn zero_from(block: NonNull<[u8]>, from: usize) {
    // SAFETY: `NonNull::add`: in the block or at its end, by this function's contract.
    let tail = unsafe { block.cast::<u8>().add(from) };
    // SAFETY: the rest of the block.
    unsafe { tail.write_bytes(0, block.len() - from) };
}

/// Implements `Allocator` in each version of allocator-api2.
///
/// `allocator! { [] &Arena: |arena| arena.blocks(), resize, resize }`: the expression behind the bar has `alloc`,
/// `free`, and the methods that make a block longer and shorter. A block stands until it is freed, or until what the
/// handle borrows or owns goes; copies and clones of a handle are one allocator.
macro_rules! allocator {
    ([$($generic:tt)*] $type:ty: |$this:ident| $blocks:expr, $grow:ident, $shrink:ident) => {
        allocator! { @of allocator_api2 [$($generic)*] $type: |$this| $blocks, $grow, $shrink }
        #[cfg(feature = "allocator-api2-04")]
        allocator! { @of allocator_api2_04 [$($generic)*] $type: |$this| $blocks, $grow, $shrink }
    };
    (@noted $api:ident) => {
        |error| {
            $crate::base::refusal::note(&error);
            $api::alloc::AllocError
        }
    };
    (@of $api:ident [$($generic:tt)*] $type:ty: |$this:ident| $blocks:expr, $grow:ident, $shrink:ident) => {
        // SAFETY: blocks stand as long as the macro's documentation says, for which each of its uses answers.
        unsafe impl $($generic)* $api::alloc::Allocator for $type {
            #[inline]
            fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, $api::alloc::AllocError> {
                let $this = self;
                let block = $blocks.alloc(layout).map_err(allocator!(@noted $api))?;
                Ok(NonNull::slice_from_raw_parts(block.cast(), layout.size()))
            }

            #[inline]
            unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
                let $this = self;
                // SAFETY: the trait's contract is `free`'s.
                unsafe { $blocks.free(ptr, layout) }
            }

            #[inline]
            unsafe fn grow(
                &self,
                ptr: NonNull<u8>,
                old: Layout,
                new: Layout,
            ) -> Result<NonNull<[u8]>, $api::alloc::AllocError> {
                let $this = self;
                // SAFETY: the trait's contract is that of the method which makes a block longer.
                let block = unsafe { $blocks.$grow(ptr, old, new) }.map_err(allocator!(@noted $api))?;
                Ok(NonNull::slice_from_raw_parts(block.cast(), new.size()))
            }

            unsafe fn grow_zeroed(
                &self,
                ptr: NonNull<u8>,
                old: Layout,
                new: Layout,
            ) -> Result<NonNull<[u8]>, $api::alloc::AllocError> {
                // SAFETY: the trait's contract is `grow`'s.
                let grown = unsafe { $api::alloc::Allocator::grow(self, ptr, old, new) }?;
                // SAFETY: a fresh block, and the old length is at most the new one.
                unsafe { $crate::base::allocator::zero_from(grown, old.size()) };
                Ok(grown)
            }

            #[inline]
            unsafe fn shrink(
                &self,
                ptr: NonNull<u8>,
                old: Layout,
                new: Layout,
            ) -> Result<NonNull<[u8]>, $api::alloc::AllocError> {
                let $this = self;
                // SAFETY: the trait's contract is that of the method which makes a block shorter.
                let block = unsafe { $blocks.$shrink(ptr, old, new) }.map_err(allocator!(@noted $api))?;
                Ok(NonNull::slice_from_raw_parts(block.cast(), new.size()))
            }
        }
    };
}
pub(crate) use allocator;
