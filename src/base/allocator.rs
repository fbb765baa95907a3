//! `allocator!`: the `Allocator` trait of each version of allocator-api2, over a handle's own methods.

/// Implements `Allocator` in each version of allocator-api2.
///
/// `allocator! { [] &Arena: |arena| arena.blocks(), resize, resize }`: the expression behind the bar has `alloc`, `free`,
/// and the methods that make a block longer and shorter. A block stands until it is freed, or until what the handle borrows
/// or owns goes; copies and clones of a handle are one allocator.
macro_rules! allocator {
    ([$($generic:tt)*] $type:ty: |$this:ident| $blocks:expr, $grow:ident, $shrink:ident) => {
        allocator! { @of allocator_api2 [$($generic)*] $type: |$this| $blocks, $grow, $shrink }
        #[cfg(feature = "allocator-api2-04")]
        allocator! { @of allocator_api2_04 [$($generic)*] $type: |$this| $blocks, $grow, $shrink }
    };
    (@of $api:ident [$($generic:tt)*] $type:ty: |$this:ident| $blocks:expr, $grow:ident, $shrink:ident) => {
        // SAFETY: blocks stand as long as the macro's documentation says, for which each of its uses answers.
        unsafe impl $($generic)* $api::alloc::Allocator for $type {
            #[inline]
            fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, $api::alloc::AllocError> {
                let $this = self;
                let block = $blocks.alloc(layout).map_err(|_| $api::alloc::AllocError)?;
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
                let block = unsafe { $blocks.$grow(ptr, old, new) }.map_err(|_| $api::alloc::AllocError)?;
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
                let $this = self;
                // SAFETY: the trait's contract is that of the method which makes a block shorter.
                let block = unsafe { $blocks.$shrink(ptr, old, new) }.map_err(|_| $api::alloc::AllocError)?;
                Ok(NonNull::slice_from_raw_parts(block.cast(), new.size()))
            }
        }
    };
}
pub(crate) use allocator;
