//! `Allocator` for `&Arena`, `Local` and `&Scope`, in each version of allocator-api2. An arena and a scope only by
//! reference: what is had by value, or exclusively, could be reset under its blocks, or begin an inner scope. A `Local`
//! borrows its arena, so that itself may be had by value; the traits' blankets give the reference.
//!
//! Collections over `&Arena` are Send and Sync as their values are: they may be built on one thread and dropped on
//! another; one over a `Local` stays on its thread. One over `&Scope` borrows the scope as long as it stands, so no
//! inner scope, which takes `&mut`, can begin meanwhile: it cannot grow into memory that goes before it does.
#![expect(unsafe_code, reason = "implements an unsafe trait")]

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::base::allocator::allocator;
use crate::bump::blocks::Blocks;

use super::{Arena, Local, Scope};

// A block stands until the arena is reset or dropped, or the scope ends or opens another, which the borrow in every
// copy of the reference rules out.
allocator! { [] &Arena: |arena| arena.blocks(), resize, resize }
allocator! { [] Local<'_>: |local| local.blocks(), resize, resize }
allocator! { [<Outside>] &Scope<'_, Outside>: |scope| scope.blocks(), resize, resize }
