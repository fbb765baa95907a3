//! Counts that no test could reach by cloning.
#![expect(unsafe_code, reason = "an allocator that panics when it is cloned")]

use core::alloc::Layout;
use core::ptr::NonNull;
use std::panic::{AssertUnwindSafe, catch_unwind};

use allocator_api2::alloc::{AllocError, Allocator, Global};

use super::arc::Counted;
use super::{Arc, ReserveError};
use crate::alloc::block::{Header, Plain};
use crate::alloc::making::Making;
use crate::sync::Relaxed;

/// A count at its greatest takes no more, however often it is asked: one that could creep on would come round to zero
/// where words are short.
#[test]
fn more_handles_than_can_be_counted() {
    let one = Arc::new_in(1, Global);
    let most = isize::MAX.unsigned_abs();
    one.count().store(most, Relaxed);
    drop(one.clone());
    assert_eq!(Arc::strong_count(&one), most);
    one.count().store(most + 1, Relaxed);
    for _ in 0..3 {
        let clone = || drop(one.clone());
        assert!(catch_unwind(AssertUnwindSafe(clone)).is_err());
        assert_eq!(Arc::strong_count(&one), most + 1);
    }
    one.count().store(1, Relaxed);
    assert_eq!(Arc::into_inner(one), Some(1));
}

/// An allocator whose handle panics when it is cloned leaves no handle behind in the count.
#[test]
fn an_allocator_that_panics_when_cloned() {
    struct Panics;
    impl Clone for Panics {
        fn clone(&self) -> Self {
            panic!("cloned")
        }
    }
    // SAFETY: the standard library's blocks.
    unsafe impl Allocator for Panics {
        fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
            Global.allocate(layout)
        }
        unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
            // SAFETY: the caller's contract.
            unsafe { Global.deallocate(ptr, layout) }
        }
    }
    let one = Arc::new_in(1, Panics);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(one.clone()))).is_err());
    assert_eq!((Arc::strong_count(&one), Arc::into_inner(one)), (1, Some(1)));
}

/// Values of no size need no room, but a slice has at most `usize::MAX` of them.
#[test]
fn more_values_of_no_size_than_can_be_counted() {
    fn one_too_many<H: Header>() {
        let mut making = Making::<(), Global, H>::new(Global);
        // SAFETY: values of no size, which need not be made.
        unsafe { making.claim(usize::MAX - 1) };
        assert!(making.push(()).is_ok());
        let refused = making.push(()).expect_err("the count is at its end");
        assert_eq!((refused, refused.requested()), (ReserveError::CapacityOverflow, usize::MAX));
        assert_eq!(making.finish().map(|made| made.into_parts().0.len()), Ok(usize::MAX));
    }
    one_too_many::<Plain>();
    one_too_many::<Counted>();
}
