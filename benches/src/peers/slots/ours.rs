//! Our `Pool`.

use sharded_arena::{Key, Pool};

use super::{Slots, Value, stamp_of};

impl Slots for Pool<Value> {
    type Key = Key<Value>;

    #[inline(always)]
    fn insert(&self, value: Value) -> Key<Value> {
        Pool::insert(self, value).expect("far below any limit")
    }

    #[inline(always)]
    fn stamp(&self, key: Key<Value>) -> Option<u64> {
        self.get(key).map(|value| stamp_of(&value))
    }

    #[inline(always)]
    fn remove(&self, key: Key<Value>) -> bool {
        Pool::remove(self, key)
    }

    #[inline(always)]
    fn take(&self, key: Key<Value>) -> Option<u64> {
        Pool::take(self, key).map(|value| stamp_of(&value))
    }
}
