//! Code that is generic over arenas, readers of strings and gauges, with every type that it may be used with.

use std::fmt::Write;

use crate::support::typed::odd_memory;
use sharded_arena::allocator_api2::alloc::Allocator;
use sharded_arena::{
    Arena, BlockArena, Bump, BumpRegion, FrozenInterner, Heap, Interner, MemoryUsage, Pool, Region, Resolve, Scratch,
};

/// Every kind of method once. The results live for `'r`, not as long as the reference to the reference.
fn a_bit_of_all<'r>(arena: impl Bump<'r>) -> Vec<&'r mut [u8]> {
    let number = arena.alloc(7_u64);
    *number += 1;
    assert_eq!(arena.try_alloc(*number).copied().map_err(|error| error.error), Ok(8));
    assert_eq!(arena.alloc_with(|| [*number; 3]), &[8; 3]);
    assert_eq!(arena.alloc_try_with(|| Err::<u8, _>("failed")), Err("failed"));
    assert_eq!(arena.alloc_str("text"), "text");
    assert_eq!(arena.alloc_cstr(c"text"), c"text");
    assert_eq!(arena.alloc_fmt(format_args!("{}+{}", 1, 2)), "1+2");
    assert_eq!(arena.alloc_slice_fill_with(3, |n| n * n), [0, 1, 4]);
    let layout = std::alloc::Layout::from_size_align(64, 64).expect("a layout");
    assert!(arena.alloc_layout(layout).cast::<u64>().is_aligned());
    // The largest request is refused, with the error of the arena.
    let refused = arena.try_alloc_slice_uninit::<u8>(1 << 40).expect_err("more than there is");
    assert_eq!(refused.requested, 1 << 40);
    vec![arena.alloc_slice_copy(b"kept"), arena.alloc_from_iter((0..100).filter(|n| n % 2 == 1))]
}

fn check(kept: &[&mut [u8]]) {
    assert!(kept[0] == b"kept" && kept[1].iter().copied().eq((0..50).map(|n| 2 * n + 1)));
}

#[test]
fn arenas_are_used_by_one_function() {
    let arena = Arena::new();
    check(&a_bit_of_all(&arena));
    // What a local handle has handed out stays when the handle goes.
    let kept = a_bit_of_all(&arena.local());
    check(&kept);
    let mut scratch = Scratch::new();
    check(&a_bit_of_all(&scratch));
    scratch.scope(|scope| {
        let kept = a_bit_of_all(&*scope);
        check(&kept);
        check(&a_bit_of_all(&*scope));
    });
    check(&a_bit_of_all(&*arena.scratch()));
    check(&a_bit_of_all(&BumpRegion::with_capacity(4 << 10).expect("memory")));
    check(&a_bit_of_all(&BumpRegion::over(odd_memory(4 << 10)).expect("memory")));
}

/// A structure that keeps the arena it was made with.
struct Tree<'r, A: Bump<'r>> {
    arena: A,
    root: Option<&'r mut Node<'r>>,
}

struct Node<'r> {
    text: &'r str,
    next: Option<&'r mut Node<'r>>,
}

impl<'r, A: Bump<'r>> Tree<'r, A> {
    fn push(&mut self, text: &str) {
        let next = self.root.take();
        self.root = Some(self.arena.alloc(Node { text: self.arena.alloc_str(text), next }));
    }

    fn joined(&self) -> String {
        let mut joined = String::new();
        let mut at = self.root.as_deref();
        while let Some(node) = at {
            write!(joined, "{} ", node.text).expect("a string");
            at = node.next.as_deref();
        }
        joined
    }
}

#[test]
fn structure_keeps_any_arena() {
    fn joined<'r>(arena: impl Bump<'r>) -> String {
        let mut tree = Tree { arena, root: None };
        for text in ["a", "b", "c"] {
            tree.push(text);
        }
        tree.joined()
    }
    let (arena, region) = (Arena::new(), BumpRegion::with_capacity(4 << 10).expect("memory"));
    let answers = [joined(&arena), joined(&arena.local()), joined(&Scratch::new()), joined(&region)];
    assert_eq!(answers, ["c b a "; 4]);
    assert_eq!(Scratch::new().scope(|scope| joined(&*scope)), "c b a ");
}

#[test]
fn readers_are_used_by_one_function() {
    fn dump(strings: &impl Resolve) -> Vec<(usize, String)> {
        assert_eq!((strings.len(), strings.is_empty()), (3, false));
        assert!(strings.contains("two") && !strings.contains("four") && strings.get("four").is_none());
        for (symbol, text) in strings.iter() {
            assert_eq!((strings.get(text), strings.resolve(symbol)), (Some(symbol), Some(text)));
        }
        strings.iter().map(|(symbol, text)| (symbol.index(), text.to_owned())).collect()
    }
    let names = Interner::new();
    for name in ["one", "two", "three"] {
        names.intern(name).expect("room");
    }
    let read = dump(&names);
    let frozen: FrozenInterner = names.freeze();
    assert_eq!(dump(&frozen), read);
    assert_eq!(read, [(0, "one".to_owned()), (1, "two".to_owned()), (2, "three".to_owned())]);
}

/// Of all that share a region, each gauge shows its own, and the region's their sum.
#[test]
fn gauges_of_a_region_add_up() {
    let region = Region::with_capacity(4 << 20).expect("a region");
    let heap = Heap::in_region(&region);
    let (arena, scratch, pool) = (Arena::in_region(&region), Scratch::in_region(&region), Pool::in_region(&region));
    let (names, mut blocks) = (Interner::in_region(&region), BlockArena::in_region(&region));
    let frozen = Interner::in_region(&region);
    frozen.intern("a name").expect("room");
    let frozen = frozen.freeze();
    let unused: [&dyn MemoryUsage; 6] = [&heap, &arena, &scratch, &pool, &names, &blocks];
    assert!(unused.iter().all(|gauge| (gauge.memory_usage(), gauge.peak_memory_usage()) == (0, 0)));
    arena.alloc(1);
    scratch.alloc(1);
    pool.insert(1).expect("a slot");
    names.intern("a name").expect("room");
    blocks.allocate(1).expect("room");
    let mut numbers = sharded_arena::collections::Vec::new_in(&heap);
    numbers.push(1);
    let used: [&dyn MemoryUsage; 7] = [&heap, &arena, &scratch, &pool, &names, &frozen, &blocks];
    for gauge in used {
        assert!(gauge.memory_usage() > 0 && gauge.peak_memory_usage() >= gauge.memory_usage(), "{gauge:?}");
        assert_eq!(gauge.limit(), region.limit());
    }
    // `LevelDB`'s figure of the one block counts a pointer too.
    let sum: usize = used.iter().map(|gauge| gauge.memory_usage()).sum();
    assert_eq!(MemoryUsage::memory_usage(&region) + size_of::<usize>(), sum);
    assert!(MemoryUsage::peak_memory_usage(&region) <= MemoryUsage::limit(&region));
}

/// What grows, shrinks and is zeroed through `Allocator`, by an arena's handle and in memory of fixed size.
fn reallocates(alloc: impl Allocator + Clone) {
    let mut numbers: sharded_arena::collections::Vec<u32, _> =
        (0..10).fold(sharded_arena::collections::Vec::new_in(alloc.clone()), |mut numbers, n| {
            numbers.push(n);
            numbers
        });
    let other = sharded_arena::boxed::Box::new_in([0x5E_u8; 40], alloc.clone());
    numbers.resize(1_000, 0);
    assert!(numbers.iter().copied().take(10).eq(0..10) && numbers[10..].iter().all(|n| *n == 0));
    numbers.truncate(5);
    numbers.shrink_to_fit();
    assert_eq!((&*numbers, &*other), (&[0, 1, 2, 3, 4][..], &[0x5E; 40]));
    let layout = std::alloc::Layout::new::<[u64; 8]>();
    let zeroed = alloc.allocate_zeroed(layout).expect("room");
    assert_eq!(zeroed.len(), 64);
}

#[test]
fn local_and_bump_region_are_allocators() {
    let arena = Arena::with_capacity(1 << 20).expect("an arena");
    let local = arena.local();
    assert!(std::ptr::eq(local.arena(), &raw const arena));
    reallocates(&local);
    let region = BumpRegion::with_capacity(16 << 10).expect("memory");
    reallocates(&region);
    // By value too: the collection keeps the handle.
    let mut owned = sharded_arena::collections::Vec::new_in(arena.local());
    owned.extend(0..1_000);
    assert_eq!(owned.iter().sum::<i32>(), 499_500);
    let live = arena.live_bytes();
    drop(owned);
    assert!(arena.live_bytes() < live, "the block has come back");
    // The last block's room is used again; what is refused is refused, and nothing is lost.
    let before = region.remaining();
    let text = sharded_arena::boxed::Box::new_in([1_u8; 1_000], &region);
    assert_eq!(region.remaining(), before - 1_000);
    drop(text);
    assert_eq!(region.remaining(), before);
    assert!(sharded_arena::collections::try_vec_with_capacity_in::<u8, _>(17 << 10, &region).is_err());
    let kept: &mut [u8] = sharded_arena::collections::collect_in(0..100, &region).leak();
    assert!(kept.iter().copied().eq(0..100) && region.contains(kept.as_ptr()));
}
