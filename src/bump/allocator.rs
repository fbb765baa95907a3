//! `Allocator` for `&BumpRegion`, in each version of allocator-api2, and for references alone: one that is had by value
//! could be reset under its blocks.
#![expect(unsafe_code, reason = "implements an unsafe trait")]

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::base::allocator::allocator;

use super::BumpRegion;
use super::blocks::Blocks;

// A block stands until the region is reset or dropped, which the borrow in every copy of the reference rules out.
allocator! { [] &BumpRegion: |region| region.blocks(), resize, resize }
