//! Explores a model in every spawn order and bound, counts executions, prints the total when the process ends.
#![expect(unsafe_code, reason = "loom's cells hand out raw pointers; atexit is a foreign function")]
#![expect(clippy::print_stdout, reason = "says how many executions a model explored")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc as StdArc, Once};

use loom::cell::UnsafeCell;
use loom::sync::Arc;

use crate::memory::mapping::Mapping;
use crate::region::Region;
use crate::region::budget::SLACK_DIVISOR;

static MODELS: AtomicU64 = AtomicU64::new(0);
static EXECUTIONS: AtomicU64 = AtomicU64::new(0);

/// The preemption bounds of a model in a quick run and in a deep run. `None` is a search without a bound.
pub(crate) struct Bounds {
    quick: &'static [Option<usize>],
    deep: &'static [Option<usize>],
}

/// Bounds of a model small enough for a search without a bound as well.
pub(crate) const SMALL: &Bounds = &Bounds { quick: &[Some(2)], deep: &[Some(2), Some(3), None] };
/// Bounds of most others.
pub(crate) const BOUNDED: &Bounds = &Bounds { quick: &[Some(2)], deep: &[Some(2), Some(3)] };
/// Bounds of those whose search takes a minute or more at bound 3.
pub(crate) const HEAVY: &Bounds = &Bounds { quick: &[Some(2)], deep: &[Some(2)] };
/// Bounds of the few whose search takes minutes at bound 3.
pub(crate) const LARGE: &Bounds = &Bounds { quick: &[Some(1)], deep: &[Some(2)] };
/// Bounds of three roles that wait for each other: each preemption more multiplies the rounds of waiting.
pub(crate) const WAITING: &Bounds = &Bounds { quick: &[Some(1)], deep: &[Some(1)] };

impl Bounds {
    /// Returns the bounds of the run that `SHARDED_ARENA_LOOM` asks for: a deep one if it is not set.
    fn chosen(&self) -> &'static [Option<usize>] {
        match std::env::var("SHARDED_ARENA_LOOM").as_deref() {
            Ok("quick") => self.quick,
            Ok("deep") | Err(_) => self.deep,
            Ok(other) => panic!("SHARDED_ARENA_LOOM is quick or deep, not {other}"),
        }
    }
}

/// A role: what one thread does.
pub(crate) type Role<S> = fn(&S);

/// Explores a model: `make` the state, run `roles` as threads in every spawn order, `check` after all have joined.
pub(crate) fn explore<S: Send + Sync + 'static>(
    name: &str,
    bounds: &Bounds,
    make: fn() -> S,
    roles: &[Role<S>],
    check: fn(&S),
) {
    let mut total = 0;
    let orders = orders(roles);
    for &bound in bounds.chosen() {
        let mut executions = 0;
        for order in &orders {
            let roles = order.clone();
            let counted = StdArc::new(AtomicU64::new(0));
            let count = StdArc::clone(&counted);
            let mut builder = loom::model::Builder::new();
            builder.preemption_bound = bound;
            builder.max_branches = 100_000;
            builder.check(move || {
                count.fetch_add(1, Ordering::Relaxed);
                let state = Arc::new(make());
                let threads: Vec<_> = roles
                    .iter()
                    .map(|&role| {
                        let state = Arc::clone(&state);
                        loom::thread::spawn(move || role(&state))
                    })
                    .collect();
                for thread in threads {
                    thread.join().expect("a role does not panic");
                }
                check(&state);
            });
            executions += counted.load(Ordering::Relaxed);
        }
        let bound = bound.map_or("none".to_owned(), |bound| bound.to_string());
        println!("model {name}: bound {bound}: {executions} executions");
        assert!(executions > orders.len() as u64, "{name}: one execution an order shows nothing");
        total += executions;
    }
    MODELS.fetch_add(1, Ordering::Relaxed);
    EXECUTIONS.fetch_add(total, Ordering::Relaxed);
    print_total_at_exit();
}

/// All orders of `roles`; those that differ in which of two equal roles comes first are one.
fn orders<S>(roles: &[Role<S>]) -> Vec<Vec<Role<S>>> {
    let Some((&last, others)) = roles.split_last() else { return vec![Vec::new()] };
    let mut found: Vec<Vec<Role<S>>> = Vec::new();
    for order in orders(others) {
        for at in 0..roles.len() {
            let mut order = order.clone();
            order.insert(at, last);
            let equal = |other: &Vec<Role<S>>| order.iter().zip(other).all(|(a, b)| *a as usize == *b as usize);
            if !found.iter().any(equal) {
                found.push(order);
            }
        }
    }
    found
}

/// The test runner prints its own summary last; the total of all models comes behind it.
fn print_total_at_exit() {
    static ONCE: Once = Once::new();
    unsafe extern "C" {
        fn atexit(callback: extern "C" fn()) -> core::ffi::c_int;
    }
    extern "C" fn total() {
        let (models, executions) = (MODELS.load(Ordering::Relaxed), EXECUTIONS.load(Ordering::Relaxed));
        eprintln!("models {models}, executions {executions}");
    }
    ONCE.call_once(|| {
        // SAFETY: registers a function that takes nothing and does not unwind.
        let registered = unsafe { atexit(total) };
        assert_eq!(registered, 0, "the total could not be registered");
    });
}

/// A region of `bytes` bytes over memory that nobody ever touches: blocks are represented by [`Blocks`].
pub(crate) fn region(bytes: usize) -> Region {
    region_with(bytes, bytes, SLACK_DIVISOR)
}

/// As [`region`], with a limit and slack of its own.
pub(crate) fn region_with(bytes: usize, limit: usize, slack_divisor: usize) -> Region {
    static MEMORY: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    const BYTES: usize = 1 << 20;
    let base = *MEMORY.get_or_init(|| vec![0u128; BYTES / 16].leak().as_mut_ptr().expose_provenance());
    assert!(bytes <= BYTES);
    let base = core::ptr::NonNull::new(core::ptr::with_exposed_provenance_mut(base)).expect("a leaked vector");
    // SAFETY: leaked memory of that length; several regions may lie over it, for no model reads or writes it.
    let mapping = unsafe { Mapping::from_caller(base, bytes) };
    Region::on(mapping, limit, slack_divisor, None).expect("a small region")
}

/// As [`region_with`], over memory that is this model's alone: arenas keep their nodes in it, which loom does not see.
pub(crate) fn own_region(bytes: usize, limit: usize, slack_divisor: usize) -> Region {
    // SAFETY: memory of that length; the region of the execution before is gone.
    let mapping = unsafe { Mapping::from_caller(own_memory(bytes), bytes) };
    Region::on(mapping, limit, slack_divisor, None).expect("a small region")
}

/// As [`own_region`], all of it the limit, in guard mode: `told` is called with `true` for a range of bytes that is
/// hidden, with `false` for one that is shown.
pub(crate) fn guarded_region(bytes: usize, told: impl Fn(bool, usize, usize) + Send + Sync + 'static) -> Region {
    // SAFETY: memory of that length; the region of the execution before is gone.
    let mapping = unsafe { Mapping::from_model(own_memory(bytes), bytes, Box::new(told)) };
    Region::on(mapping, bytes, SLACK_DIVISOR, None).expect("a small region")
}

/// Memory of `bytes` bytes that is this model's alone, the same in every execution: all threads of a model run on the
/// system thread of its test.
pub(crate) fn own_memory(bytes: usize) -> core::ptr::NonNull<u8> {
    const BYTES: usize = 1 << 14;
    #[repr(C, align(4096))]
    struct Memory([u8; BYTES]);
    std::thread_local! {
        static MEMORY: core::ptr::NonNull<u8> =
            core::ptr::NonNull::from(Box::leak(Box::new(Memory([0; BYTES])))).cast();
    }
    assert!(bytes <= BYTES);
    MEMORY.with(|memory| *memory)
}

/// A cell per granule: whoever holds a block has its cell alone.
pub(crate) struct Blocks(Vec<UnsafeCell<u32>>);

// SAFETY: loom reports any unordered use of a cell; that is what they are for.
unsafe impl Send for Blocks {}
// SAFETY: as for Send.
unsafe impl Sync for Blocks {}

impl Blocks {
    pub(crate) fn new(count: usize) -> Self {
        Self((0..count).map(|_| UnsafeCell::new(0)).collect())
    }

    /// The block at `index` was handed out: nobody else may hold it.
    pub(crate) fn hand_out(&self, index: usize) {
        let before = self.exchange(index, 1);
        assert_eq!(before, 0, "block {index} was handed out twice");
    }

    /// The holder of the block at `index` is about to free it.
    pub(crate) fn free(&self, index: usize) {
        let before = self.exchange(index, 0);
        assert_eq!(before, 1, "block {index} was freed by somebody who does not hold it");
    }

    /// Whether somebody holds the block at `index`. No role runs any more.
    pub(crate) fn is_held(&self, index: usize) -> bool {
        self.0[index].with(|held| {
            // SAFETY: loom checks that nobody writes; the pointer is the cell's.
            let held = unsafe { held.read() };
            held != 0
        })
    }

    fn exchange(&self, index: usize, value: u32) -> u32 {
        self.0[index].with_mut(|held| {
            // SAFETY: loom checks that the access is exclusive; the pointer is the cell's.
            unsafe { core::ptr::replace(held, value) }
        })
    }
}
