//! Vectors, texts and tables in a heap or an arena: allocator-api2's [`Vec`], hashbrown's [`HashMap`] and [`HashSet`],
//! and a [`String`] of our own.
//!
//! | allocator | the collection |
//! |---|---|
//! | `&Heap` | the one to choose: may be copied for nothing; goes to any thread |
//! | `Heap` | keeps the heap alive; goes to any thread |
//! | `&LocalHeap` | skips the look-up of the thread; stays on it |
//! | `&Arena` | lives at most as long as the arena's borrow; goes to any thread; what it outgrows stays in use |
//! | `&Scope` | lives in the scope; while it is used there is no scope inside |
//!
//! Here what is refused is a [`ReserveError`] of a function with `try_`, or a panic with its text, and changes nothing.
//! **`Vec` and the tables are other crates'**: where one of *their* methods is refused (`push`, `extend`, `insert`), it
//! ends the process, as std's do. Near a limit call [`try_reserve`] first, or [`try_collect_in`], [`try_extend`] and
//! [`String`], which do.
//!
//! That includes an `insert` that only **replaces the value of a key** that is there: a table without room makes some
//! before it looks for the key. Call [`try_reserve`] before it too, or replace through `get_mut` or `entry`, which look
//! first.
//!
//! A table whose key or value panics in its destructor keeps its memory until the heap or arena goes: hashbrown forgets
//! it. A `Vec` drops its other values, and its memory comes back.
//!
//! ```
//! use sharded_arena::collections::{HashMap, HashSet, String, Vec};
//! use sharded_arena::{Arena, format_in, vec_in};
//!
//! let arena = Arena::with_capacity(1 << 20)?;
//! let mut by_length: HashMap<usize, Vec<String<&Arena>, &Arena>, &Arena> = HashMap::new_in(&arena);
//! for number in [1, 22, 333, 44] {
//!     let text = format_in!(&arena, "<{number}>");
//!     by_length.entry(text.len()).or_insert_with(|| vec_in![&arena]).push(text);
//! }
//! assert_eq!(by_length[&4][..], ["<22>", "<44>"]);
//!
//! let mut lengths: HashSet<usize, &Arena> = HashSet::new_in(&arena);
//! lengths.extend(by_length.keys());
//! std::thread::scope(|scope| scope.spawn(move || assert!(lengths.contains(&5))).join()).unwrap();
//! # Ok::<(), sharded_arena::RegionError>(())
//! ```

mod collect;
pub(crate) mod format;
#[cfg(feature = "rayon")]
mod parallel;
mod reserve;
#[cfg(feature = "serde")]
pub mod seed;
#[cfg(feature = "serde")]
mod serialize;
mod string;

use allocator_api2::alloc::Allocator;

use crate::base::error::granted;

pub use crate::base::refusal::ReserveError;
pub use collect::{CollectIn, collect_in, extend, repeat_in, try_collect_in, try_extend};
pub use hashbrown::DefaultHashBuilder;
#[cfg(feature = "rayon")]
pub use parallel::{par_collect_in, par_extend, try_par_collect_in, try_par_extend};
pub use reserve::try_reserve;
pub use string::{Drain, FromUtf8Error, String};

/// A vector in `A`: allocator-api2's, with all its methods.
///
/// `Send` and `Sync` as its values and its allocator are, so a vector over `&Arena` may be built on one thread and used
/// on another. Its own methods end the process where memory is refused; see the [module](self).
///
/// ```
/// use sharded_arena::{Arena, collections::Vec};
/// let arena = Arena::new();
/// let mut numbers = Vec::new_in(&arena);
/// numbers.extend([3, 1, 2]);
/// numbers.sort_unstable();
/// let kept: &mut [i32] = numbers.leak(); // as long as the arena's borrow
/// assert_eq!(kept, [1, 2, 3]);
/// ```
pub type Vec<T, A> = allocator_api2::vec::Vec<T, A>;

/// A hash table in `A`: hashbrown's, with all its methods; the allocator stands third, the hasher last.
///
/// The default hasher is fast and seeded for each process, but does not withstand an attacker as std's does.
///
/// Where memory is refused, `insert` ends the process, also of a key that is there; see the [module](self).
///
/// ```
/// use sharded_arena::{Heap, collections::{self, HashMap, String}};
/// let heap = Heap::with_capacity(1 << 20)?;
/// let mut ages: HashMap<String<&Heap>, u32, &Heap> = HashMap::new_in(&heap);
/// ages.insert(String::from_str_in("Ada", &heap), 36);
/// assert_eq!(ages.get("Ada"), Some(&36));
///
/// use std::hash::RandomState;
/// let mut safe: HashMap<u32, u32, &Heap, RandomState> = HashMap::with_hasher_in(RandomState::new(), &heap);
/// collections::try_reserve(&mut safe, 100)?;
/// safe.insert(1, 2); // nor can the next 99 be refused
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type HashMap<K, V, A, S = DefaultHashBuilder> = hashbrown::HashMap<K, V, S, A>;

/// A set in `A`: hashbrown's, as [`HashMap`] is.
///
/// ```
/// use sharded_arena::{Scratch, collections::HashSet};
/// let distinct = Scratch::new().scope(|scope| {
///     let mut seen: HashSet<char, _> = HashSet::new_in(&*scope);
///     seen.extend("scope".chars().chain("copes".chars()));
///     seen.len()
/// });
/// assert_eq!(distinct, 5);
/// ```
pub type HashSet<T, A, S = DefaultHashBuilder> = hashbrown::HashSet<T, S, A>;

/// An empty vector in `alloc`. Takes no memory.
#[inline]
pub fn vec_in<T, A: Allocator>(alloc: A) -> Vec<T, A> {
    Vec::new_in(alloc)
}

/// A vector in `alloc` with room for `capacity` values.
///
/// # Panics
/// If the allocator refuses, where `Vec::with_capacity_in` would end the process.
#[must_use]
#[track_caller]
pub fn vec_with_capacity_in<T, A: Allocator>(capacity: usize, alloc: A) -> Vec<T, A> {
    granted(try_vec_with_capacity_in(capacity, alloc))
}

/// A vector in `alloc` with room for `capacity` values.
///
/// # Errors
/// If the allocator refuses.
pub fn try_vec_with_capacity_in<T, A: Allocator>(capacity: usize, alloc: A) -> Result<Vec<T, A>, ReserveError> {
    let mut values = Vec::new_in(alloc);
    reserve::reserve_exact(&mut values, capacity)?;
    Ok(values)
}

/// An empty table in `alloc`, with the default hasher. Takes no memory.
#[inline]
pub fn hash_map_in<K, V, A: Allocator>(alloc: A) -> HashMap<K, V, A> {
    HashMap::new_in(alloc)
}

/// An empty set in `alloc`, with the default hasher. Takes no memory.
#[inline]
pub fn hash_set_in<T, A: Allocator>(alloc: A) -> HashSet<T, A> {
    HashSet::with_hasher_in(DefaultHashBuilder::default(), alloc)
}

/// A vector in an allocator, as `vec!` makes one: `vec_in![a]`, `vec_in![a; 1, 2, 3]`, `vec_in![a; value; len]`.
///
/// Panics if the allocator refuses; nothing is left behind then.
///
/// ```
/// use sharded_arena::{Heap, vec_in};
/// let heap = Heap::with_capacity(1 << 20)?;
/// assert_eq!(vec_in![&heap; 1, 2, 3], [1, 2, 3]);
/// assert_eq!(vec_in![&heap; "ab"; 2], ["ab", "ab"]);
/// let mut empty = vec_in![&heap];
/// empty.push(1u8);
/// # Ok::<(), sharded_arena::RegionError>(())
/// ```
#[macro_export]
macro_rules! vec_in {
    ($alloc:expr $(;)?) => {
        $crate::collections::vec_in($alloc)
    };
    ($alloc:expr; $value:expr; $len:expr) => {
        $crate::collections::repeat_in($value, $len, $alloc)
    };
    ($alloc:expr; $($value:expr),+ $(,)?) => {
        $crate::collections::collect_in([$($value),+], $alloc)
    };
    ($($other:tt)*) => {
        ::core::compile_error!("vec_in! wants its allocator first: `vec_in![a; 1, 2, 3]`, `vec_in![a; value; len]`")
    };
}
