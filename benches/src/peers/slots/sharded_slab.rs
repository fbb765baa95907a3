//! sharded-slab: per thread a list of pages, each twice as large as the one before, with a local and a remote free
//! list; a key is one word.

use sharded_slab::{Config, Slab};

use super::{Slots, Value, stamp_of};

/// As it comes, its pages begin with 32 slots. How large the first one is makes the most of what it costs.
pub fn as_it_comes() -> Slab<Value> {
    Slab::new()
}

/// With a first page of `N` slots; with room in it for all that a row keeps alive, no call looks through several.
pub fn one_page<const N: usize>() -> Slab<Value, OnePage<N>> {
    Slab::<Value>::new_with_config()
}

pub struct OnePage<const N: usize>;

impl<const N: usize> Config for OnePage<N> {
    const INITIAL_PAGE_SIZE: usize = N;
    const MAX_PAGES: usize = 4;
    const MAX_THREADS: usize = 64;
}

impl<C: Config + 'static> Slots for Slab<Value, C> {
    type Key = usize;

    #[inline(always)]
    fn insert(&self, value: Value) -> usize {
        Slab::insert(self, value).expect("far below any limit")
    }

    #[inline(always)]
    fn stamp(&self, key: usize) -> Option<u64> {
        self.get(key).map(|value| stamp_of(&value))
    }

    #[inline(always)]
    fn remove(&self, key: usize) -> bool {
        Slab::remove(self, key)
    }

    #[inline(always)]
    fn take(&self, key: usize) -> Option<u64> {
        Slab::take(self, key).map(|value| stamp_of(&value))
    }
}
