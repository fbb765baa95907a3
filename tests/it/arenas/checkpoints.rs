//! A checkpoint that is taken while a block is being made: by its closure, its iterator, its `Display`.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use sharded_arena::{Checkpoint, Heap, Region, Scratch};

fn regions() -> [Region; 2] {
    [false, true].map(|wipes| Region::builder().capacity(1 << 20).zero_on_free(wipes).build().expect("a region"))
}

/// Blocks of a heap in the region of a scratch stack: whole as long as nobody else is given a byte of them.
struct Neighbours<'a>(Vec<sharded_arena::allocator_api2::vec::Vec<u8, &'a Heap>>);

impl<'a> Neighbours<'a> {
    fn new(heap: &'a Heap) -> Self {
        let block = |byte| {
            let mut block = sharded_arena::allocator_api2::vec::Vec::new_in(heap);
            block.resize(500, byte);
            block
        };
        Self((0..40).map(block).collect())
    }

    fn check(&self) {
        for (byte, block) in (0u8..).zip(&self.0) {
            assert!(block.iter().all(|found| *found == byte), "block {byte} was written to");
        }
    }
}

/// Takes a checkpoint in the making of a block that then fails, shrinks or is refused; goes on; goes back.
fn go_back(region: &Region, make: impl Fn(&Scratch, &Cell<Option<Checkpoint>>)) {
    let heap = Heap::in_region(region);
    let mut scratch = Scratch::in_region(region);
    scratch.alloc(0u8);
    let place = Cell::new(None);
    make(&scratch, &place);
    let place = place.get().expect("taken in the making");
    for sizes in [&[3500, 1000][..], &[10, 20], &[100; 100]] {
        for (byte, size) in (1u8..).zip(sizes) {
            scratch.alloc_slice_fill_copy(*size, byte);
        }
        let neighbours = Neighbours::new(&heap);
        scratch.rewind(place).expect("of this stack");
        for _ in 0..30 {
            scratch.alloc([7u8; 200]);
        }
        neighbours.check();
        scratch.rewind(place).expect("of this stack");
        neighbours.check();
        region.verify().expect("every byte is in one place");
    }
    scratch.reset();
    assert_eq!(scratch.live_bytes(), 0);
}

#[test]
fn checkpoint_in_failing_closure_is_valid() {
    for region in regions() {
        go_back(&region, |scratch, place| {
            let failed: Result<&mut [u8; 3900], ()> = scratch.alloc_try_with(|| {
                place.set(Some(scratch.checkpoint()));
                Err(())
            });
            assert_eq!((failed, scratch.live_bytes()), (Err(()), 1));
        });
    }
}

#[test]
fn live_bytes_exclude_the_failed_block() {
    let mut scratch = Scratch::new();
    scratch.alloc(0u8);
    let place = Cell::new(None);
    let _: Result<&mut [u8; 900], ()> = scratch.alloc_try_with(|| {
        place.set(Some(scratch.checkpoint()));
        Err(())
    });
    scratch.alloc([1u8; 100]);
    scratch.rewind(place.get().expect("taken")).expect("of this stack");
    assert_eq!(scratch.live_bytes(), 1);
    scratch.rewind(place.get().expect("taken")).expect("of this stack");
    assert_eq!(scratch.live_bytes(), 1);
}

/// A scope at the same place, or another checkpoint there, does not forget it.
#[test]
fn live_bytes_exact_after_a_scope() {
    let mut scratch = Scratch::new();
    scratch.alloc(0u8);
    let place = Cell::new(None);
    let _: Result<&mut [u8; 900], ()> = scratch.alloc_try_with(|| {
        place.set(Some(scratch.checkpoint()));
        Err(())
    });
    scratch.scope(|scope| *scope.alloc(1u8));
    let same_place = scratch.checkpoint();
    scratch.alloc([1u8; 100]);
    for place in [same_place, place.get().expect("taken")] {
        scratch.rewind(place).expect("of this stack");
        assert_eq!(scratch.live_bytes(), 1);
    }
}

#[test]
fn checkpoint_in_iterator_is_valid() {
    for region in regions() {
        go_back(&region, |scratch, place| {
            let values = (0..700u32).inspect(|n| {
                if *n == 500 {
                    place.set(Some(scratch.checkpoint()));
                }
            });
            assert_eq!(scratch.alloc_from_iter(values.filter(|n| n % 3 == 0)).len(), 234);
        });
    }
}

#[test]
fn checkpoint_in_display_is_valid() {
    struct Marks<'a>(&'a Scratch, &'a Cell<Option<Checkpoint>>);
    impl fmt::Display for Marks<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&"x".repeat(1500))?;
            self.1.set(Some(self.0.checkpoint()));
            f.write_str("y")
        }
    }
    for region in regions() {
        go_back(&region, |scratch, place| {
            assert_eq!(scratch.alloc_fmt(format_args!("{}", Marks(scratch, place))).len(), 1501);
        });
    }
}

/// Numbers, whose iterator takes a checkpoint at `marked` and panics at `failed`: their block grows before and between.
fn growing<'a>(
    scratch: &'a Scratch,
    place: &'a Cell<Option<Checkpoint>>,
    marked: u64,
    failed: u64,
) -> impl Iterator<Item = u64> + 'a {
    let mut count = 0;
    std::iter::from_fn(move || {
        if count == marked {
            place.set(Some(scratch.checkpoint()));
        }
        if count == failed {
            resume_unwind(Box::new(()));
        }
        count += 1;
        Some(count)
    })
}

/// Blocks that grow after the checkpoint: in their chunk, into another, out of it, from one extent to the next.
const GROWN: [(u64, u64); 8] =
    [(3, 12), (3, 100), (3, 1_000), (100, 300), (100, 5_000), (500, 2_000), (1_500, 9_000), (0, 20)];

#[test]
fn checkpoint_in_growing_block_is_valid() {
    for region in regions() {
        for (marked, failed) in GROWN {
            go_back(&region, |scratch, place| {
                let panicked = catch_unwind(AssertUnwindSafe(|| {
                    scratch.alloc_from_iter(growing(scratch, place, marked, failed)).len()
                }));
                assert!(panicked.is_err());
            });
        }
    }
}

#[test]
fn live_bytes_exclude_the_grown_block() {
    for before in [1, 3_900, 20_000] {
        for (marked, failed) in GROWN {
            let mut scratch = Scratch::new();
            scratch.alloc_slice_fill_copy(before, 0u8);
            let place = Cell::new(None);
            let make = || scratch.alloc_from_iter(growing(&scratch, &place, marked, failed)).len();
            assert!(catch_unwind(AssertUnwindSafe(make)).is_err());
            assert_eq!(scratch.live_bytes(), before, "failed at {failed}");
            scratch.alloc([1u8; 100]);
            for _ in 0..2 {
                scratch.rewind(place.get().expect("taken")).expect("of this stack");
                assert_eq!(scratch.live_bytes(), before, "marked at {marked}, failed at {failed}");
            }
        }
    }
}

/// The block has room for more values than there are: its end is cut off after the checkpoint.
#[test]
fn live_bytes_exclude_a_cut_end() {
    for (marked, count) in [(10, 12), (70, 90), (1_500, 1_501)] {
        let mut scratch = Scratch::new();
        let place = Cell::new(None);
        let values = growing(&scratch, &place, marked, u64::MAX).take(count).filter(|_| true);
        assert_eq!(scratch.alloc_from_iter(values).len(), count);
        for _ in 0..2 {
            assert_eq!(scratch.live_bytes(), 8 * count, "cut to {count}");
            scratch.alloc([1u8; 100]);
            scratch.rewind(place.get().expect("taken")).expect("of this stack");
        }
        assert_eq!(scratch.live_bytes(), 8 * count, "cut to {count}");
    }
}

/// The chunk has little room left when the block fails: the next request leaves it, and its free part goes back.
#[test]
fn rewind_into_left_chunk_is_valid() {
    for region in regions() {
        for before in 25..40 {
            let mut scratch = Scratch::in_region(&region);
            for _ in 0..before {
                scratch.alloc([0u8; 100]);
            }
            let place = Cell::new(None);
            let make = || scratch.alloc_from_iter(growing(&scratch, &place, 3, 12)).len();
            assert!(catch_unwind(AssertUnwindSafe(make)).is_err());
            for _ in 0..2 {
                scratch.alloc([1u8; 1_000]);
                scratch.alloc([1u8; 1_000]);
                scratch.rewind(place.get().expect("taken")).expect("of this stack");
                assert_eq!(scratch.live_bytes(), 100 * before);
                region.verify().expect("every byte is in one place");
            }
        }
    }
}
