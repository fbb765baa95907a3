//! Counts that no test could reach by cloning.
#![expect(unsafe_code, reason = "an allocator that panics when it is cloned")]

use core::alloc::Layout;
use core::ptr::NonNull;
use std::panic::{AssertUnwindSafe, catch_unwind};

use allocator_api2::alloc::{AllocError, Allocator, Global};

use super::Arc;
use crate::sync::ord;

/// A count at its greatest takes no more; beyond it the handle that was not made is counted for ever.
#[test]
fn more_handles_than_can_be_counted() {
    let one = Arc::new_in(1, Global);
    let most = isize::MAX.unsigned_abs();
    one.count().store(most, ord!(Relaxed));
    drop(one.clone());
    assert_eq!(Arc::strong_count(&one), most);
    one.count().store(most + 1, ord!(Relaxed));
    for panics in 1..3 {
        let clone = || drop(one.clone());
        assert!(catch_unwind(AssertUnwindSafe(clone)).is_err());
        assert_eq!(Arc::strong_count(&one), most + 1 + panics);
    }
    one.count().store(1, ord!(Relaxed));
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
