//! What boxes and collections are refused with: kind and figures of the allocator that refused, and of no other.
#![expect(unsafe_code, reason = "implements an unsafe trait")]

use std::alloc::Layout;
use std::error::Error;
use std::ptr::NonNull;

use crate::support::{self, panic_text};
use sharded_arena::allocator_api2::alloc::{AllocError as Unit, Allocator};
use sharded_arena::boxed;
use sharded_arena::collections::{self, HashMap, HashSet, String, Vec};
use sharded_arena::{AllocError, Arena, Heap, Region, Scratch};

/// More than anything here has.
const BYTES: usize = 10_000;

/// Refuses everything.
#[derive(Clone)]
struct Empty;

// SAFETY: hands out nothing.
unsafe impl Allocator for Empty {
    fn allocate(&self, _: Layout) -> Result<NonNull<[u8]>, Unit> {
        Err(Unit)
    }
    unsafe fn deallocate(&self, _: NonNull<u8>, _: Layout) {}
}

/// What each way to ask `alloc` for `BYTES` bytes or more is refused with.
fn refusals<A: Allocator + Clone>(alloc: &A) -> std::vec::Vec<Box<dyn Error>> {
    let bytes = std::iter::repeat_n(7_u8, BYTES);
    let text = "x".repeat(BYTES);
    let mut table: HashMap<u64, u64, A> = collections::hash_map_in(alloc.clone());
    let mut set: HashSet<u64, A> = collections::hash_set_in(alloc.clone());
    let (mut string, mut vec) = (String::new_in(alloc.clone()), Vec::<u8, A>::new_in(alloc.clone()));
    let found: [Option<Box<dyn Error>>; 12] = [
        boxed::Box::try_new_in([7_u8; BYTES], alloc.clone()).err().map(|refused| refused.error.into()),
        boxed::Box::try_copy_from_slice_in(&[7_u8; BYTES], alloc.clone()).err().map(Into::into),
        boxed::Box::try_from_iter_in(bytes.clone(), alloc.clone()).err().map(Into::into),
        boxed::Box::try_from_str_in(&text, alloc.clone()).err().map(Into::into),
        boxed::Arc::try_new_in([7_u8; BYTES], alloc.clone()).err().map(|refused| refused.error.into()),
        String::try_from_str_in(&text, alloc.clone()).err().map(Into::into),
        string.try_push_str(&text).err().map(Into::into),
        sharded_arena::try_format_in!(alloc.clone(), "{text}").err().map(Into::into),
        collections::try_collect_in(bytes.clone(), alloc.clone()).err().map(Into::into),
        vec.try_reserve(BYTES).map_err(collections::ReserveError::from).err().map(Into::into),
        table.try_reserve(BYTES).map_err(collections::ReserveError::from).err().map(Into::into),
        set.try_reserve(BYTES).map_err(collections::ReserveError::from).err().map(Into::into),
    ];
    found.into_iter().map(|error| error.expect("more than there is")).collect()
}

#[test]
fn refusals_carry_figures() {
    let region = Region::with_capacity(1 << 20).expect("memory");
    let heap = Heap::builder().region(&region).limit(8 << 10).build().expect("a heap");
    let arena = Arena::builder().region(&region).limit(6 << 10).build().expect("an arena");
    let mut scratch = Scratch::with_capacity(4 << 10).expect("memory");
    let check = |owner: &str, limit: usize, errors: std::vec::Vec<Box<dyn Error>>| {
        for error in errors {
            let cause = error.source().and_then(|source| source.downcast_ref::<AllocError>()).copied();
            let cause = cause.unwrap_or_else(|| panic!("no figures: {error}"));
            assert!(cause.requested > 100 && cause.limit == limit, "{cause:?}");
            let text = format!("of the {owner}'s {limit} bytes in use");
            assert!(error.to_string().contains(&text) && error.to_string() == cause.to_string(), "{error}");
        }
    };
    check("heap", 8 << 10, refusals(&heap));
    check("heap", 8 << 10, refusals(&&heap));
    check("heap", 8 << 10, refusals(&&heap.local()));
    check("arena", 6 << 10, refusals(&&arena));
    scratch.scope(|scope| check("region", 4 << 10, refusals(&&*scope)));
    let text = panic_text(|| drop(boxed::Box::new_in([0_u8; BYTES], &heap)));
    let words = "limit reached: 10000 bytes (alignment 1) asked for, ";
    assert!(text.starts_with(words) && text.contains(" of the heap's 8192 bytes in use"), "{text}");
    assert_eq!(heap.live_bytes(), 0);
}

/// What other crates' tables do for themselves ends the process where it needs room; the documentation names what does
/// not.
#[test]
fn full_table_replaces_without_memory() {
    let heap = support::heap(64 << 10, true);
    let mut table: HashMap<u64, u64, &Heap> = collections::hash_map_in(&heap);
    while collections::try_reserve(&mut table, 1).is_ok() {
        table.insert(table.len() as u64, 0);
    }
    assert!(collections::try_reserve(&mut table, 1).expect_err("full").cause().is_some());
    *table.get_mut(&0).expect("there") = 7;
    assert!(table.contains_key(&1));
    *table.entry(1).or_insert(3) += 8;
    assert_eq!((table[&0], table[&1]), (7, 8));
    drop(table);
    support::assert_empty(&heap);
}

/// A heap's refusal that was not reported is not another allocator's, even for the same layout.
#[test]
fn foreign_refusals_carry_no_figures() {
    let heap = support::heap(8 << 10, false);
    for error in refusals(&Empty) {
        assert!(error.source().is_none(), "{error}");
        let text = error.to_string();
        assert!(text.starts_with("the allocator refused ") && text.contains(" bytes (alignment "), "{text}");
    }
    let unreported = || {
        let bytes = Layout::array::<u8>(BYTES).expect("a layout");
        assert!(Allocator::allocate(&heap, bytes).is_err());
        assert!(Vec::<u8, _>::new_in(&heap).try_reserve_exact(BYTES).is_err());
    };
    unreported();
    let refused = boxed::Box::try_new_in([7_u8; BYTES], Empty).expect_err("nothing to hand out");
    assert!(refused.error.source().is_none(), "{}", refused.error);
    unreported();
    let refused = collections::try_vec_with_capacity_in::<u8, _>(BYTES, Empty).expect_err("nothing to hand out");
    assert!(refused.source().is_none(), "{refused}");
    unreported();
    let longer = Vec::<u8, _>::new_in(Empty).try_reserve_exact(BYTES + 1).expect_err("nothing to hand out");
    assert!(collections::ReserveError::from(longer).source().is_none());
}
