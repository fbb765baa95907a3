//! First uses in a thread-local's destructor, at the end of a thread that has used the crate `thread_local` too.
//!
//! A panic there would end a program that is built with `panic = "abort"`, caught or not. So the cases run in a process
//! of its own, whose panics end it.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::child::{self, this_test};
use sharded_arena::allocator_api2::vec::Vec;
use sharded_arena::{Arena, BlockArena, Heap, Interner, Pool, Region, boxed};

static ARENA: LazyLock<Arena> = LazyLock::new(Arena::new);
static HEAP: LazyLock<Heap> = LazyLock::new(|| Heap::with_capacity(1 << 20).expect("a heap"));
static POOL: LazyLock<Pool<u64>> = LazyLock::new(Pool::new);
static INTERNER: LazyLock<Interner> = LazyLock::new(Interner::new);
static OTHER: LazyLock<thread_local::ThreadLocal<u8>> = LazyLock::new(thread_local::ThreadLocal::new);
static SERVED: AtomicUsize = AtomicUsize::new(0);

/// Every type at the end of a thread that has used none before.
const USES: [fn(); 10] = [
    || assert_eq!(ARENA.scratch().scope(|scope| *scope.alloc(1u8)), 1),
    || assert_eq!(*(ARENA.scratch(), ARENA.scratch()).1.alloc(1u8), 1),
    || assert_eq!(*ARENA.alloc(1u8), 1),
    || assert_eq!(*ARENA.local().alloc(1u8), 1),
    || drop(boxed::Box::new_in(1u64, &*HEAP)),
    || drop(boxed::Arc::new_in(1u64, &*HEAP)),
    || {
        let local = HEAP.local();
        let mut numbers = Vec::new_in(&local);
        numbers.extend(0..100u64);
    },
    || assert!(POOL.remove(POOL.insert(1).expect("a slot"))),
    || assert_eq!(INTERNER.resolve(INTERNER.intern("late").expect("room")), Some("late")),
    || {
        let region = Region::with_capacity(1 << 20).expect("a region");
        let mut blocks = BlockArena::in_region(&region);
        assert!(blocks.allocate(100).is_ok());
    },
];

struct Late(usize);

impl Drop for Late {
    fn drop(&mut self) {
        for round in 0..2 {
            USES[self.0]();
            SERVED.fetch_add(round, Ordering::Relaxed);
        }
    }
}

thread_local! {
    static LATE: std::cell::Cell<Option<Late>> = const { std::cell::Cell::new(None) };
}

#[test]
fn late_first_use_panics_nowhere() {
    if child::task().is_some() {
        std::panic::set_hook(Box::new(|_| std::process::abort()));
        for index in 0..USES.len() {
            let ends = move || {
                LATE.set(Some(Late(index)));
                OTHER.get_or(|| 1);
            };
            thread::spawn(ends).join().expect("no panic");
        }
        assert_eq!(SERVED.load(Ordering::Relaxed), USES.len());
        return;
    }
    assert_eq!(child::signal_of(this_test!(late_first_use_panics_nowhere), "late"), None, "the signal");
}
