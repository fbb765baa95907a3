//! `Allocator` for `Heap` and `LocalHeap`, in each version of allocator-api2; the traits' blankets give the references.
//!
//! A collection over `Heap` keeps a handle, so it may outlive the name it was made from; one over `&Heap` clones for
//! nothing. Either may be dropped on any thread; one over a `LocalHeap` stays on its own.
#![expect(unsafe_code, reason = "implements an unsafe trait")]

use core::alloc::Layout;
use core::ptr::NonNull;

use super::{Heap, LocalHeap};
use crate::base::allocator::allocator;

// A block stands until it is freed or the last handle of the heap goes, which a `LocalHeap` borrows; clones of a handle
// are one heap.
allocator! { [] Heap: |heap| heap, grow, shrink }
allocator! { [] LocalHeap<'_>: |heap| heap, grow, shrink }
