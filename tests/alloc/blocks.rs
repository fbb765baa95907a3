//! `BlockArena` without memory for its list or its account.

use crate::allocator::{Requests::All, refusing};
use crate::support::region;
use sharded_arena::{AllocErrorKind, BlockArena};

const POINTER: usize = size_of::<*mut u8>();

#[test]
fn request_is_refused_without_table_memory() {
    let region = region(256 << 10);
    let mut arena = BlockArena::in_region(&region);
    // The list is the first thing that needs memory, the account the second.
    for left in [0, 1] {
        let error = refusing(All, left, || arena.allocate(10)).expect_err("no memory");
        assert!(matches!(error.kind, AllocErrorKind::System(system) if system.asked > 0 && system.os_error.is_none()));
        assert_eq!((error.requested, error.limit), (10, 256 << 10));
        assert_eq!((arena.memory_usage(), region.memory_usage(), region.stats().extents_used), (0, 0, 0));
    }
    let mut refused = 0;
    for taken in 1..=40 {
        let served = refusing(All, 0, || arena.allocate(4096));
        refused += usize::from(served.is_err());
        if served.is_err() {
            assert_eq!(region.memory_usage(), (taken - 1) * 4096, "a refusal takes nothing");
            arena.allocate(4096).expect("memory again");
        }
        assert_eq!((region.memory_usage(), arena.memory_usage()), (taken * 4096, taken * (4096 + POINTER)));
    }
    assert!((3..10).contains(&refused), "the list grew {refused} times, each time to twice its length");
    region.verify().expect("every byte is in one place");
    drop(arena);
    assert_eq!(region.memory_usage(), 0);
}
