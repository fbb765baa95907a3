//! Tables of slots that threads share: what serves `insert`, `get` and `remove` by a key that outlives the value.

pub mod floor;
pub mod ours;
pub mod sharded_slab;

/// One cache line's worth, as an entry of a real table would be.
pub type Value = [u64; 8];

/// A value that tells what was put into it.
#[inline(always)]
pub fn stamped(stamp: u64) -> Value {
    [stamp; 8]
}

/// The read every value gets, whoever keeps it: its first and its last word.
#[inline(always)]
pub fn stamp_of(value: &Value) -> u64 {
    u64::midpoint(value[0], value[7])
}

pub trait Slots: Send + Sync + 'static {
    type Key: Copy + Send + 'static;

    /// False for the floor, whose values go round.
    const KEEPS: bool = true;

    fn insert(&self, value: Value) -> Self::Key;

    /// The stamp of the value of a live key, read where it lies, under whatever guards it there.
    fn stamp(&self, key: Self::Key) -> Option<u64>;

    /// Whether the key was live.
    fn remove(&self, key: Self::Key) -> bool;

    /// The same with the value handed out, by its stamp.
    fn take(&self, key: Self::Key) -> Option<u64>;
}

/// Slots whose values are taken, not removed.
pub struct Taken<S>(pub S);

impl<S: Slots> Slots for Taken<S> {
    type Key = S::Key;

    const KEEPS: bool = S::KEEPS;

    #[inline(always)]
    fn insert(&self, value: Value) -> S::Key {
        self.0.insert(value)
    }

    #[inline(always)]
    fn stamp(&self, key: S::Key) -> Option<u64> {
        self.0.stamp(key)
    }

    #[inline(always)]
    fn remove(&self, key: S::Key) -> bool {
        self.0.take(key).is_some()
    }

    #[inline(always)]
    fn take(&self, key: S::Key) -> Option<u64> {
        self.0.take(key)
    }
}
