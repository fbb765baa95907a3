//! `FrozenInterner`: what an interner has become when nothing more is interned.

use super::Inner;
use super::read::reading_methods;
use crate::region::{FirstUse, client_limits};
use crate::sync::Arc;

/// The strings of an [`Interner`](crate::Interner) that was [frozen](crate::Interner::freeze): read by any thread,
/// without a lock, never changed again. A clone is a handle of the same strings; the last one gives their memory back.
///
/// ```
/// use sharded_arena::Interner;
///
/// let words = Interner::new();
/// let hello = words.intern("hello")?;
/// let words = words.freeze();
/// let reader = std::thread::spawn({
///     let words = words.clone();
///     move || words.resolve(hello).map(str::len)
/// });
/// assert_eq!(reader.join().unwrap(), Some(5));
/// assert_eq!((words.get("hello"), words.get("other")), (Some(hello), None));
/// # Ok::<(), sharded_arena::AllocError>(())
/// ```
#[derive(Clone)]
pub struct FrozenInterner {
    inner: Arc<FirstUse<Inner>>,
}

impl FrozenInterner {
    pub(super) fn new(inner: FirstUse<Inner>) -> Self {
        Self { inner: Arc::new(inner) }
    }

    #[cfg(feature = "serde")]
    pub(super) fn inner(&self) -> Option<&Inner> {
        self.inner.made()
    }
}

reading_methods! { FrozenInterner }
client_limits! { read [] FrozenInterner: |strings| strings.inner }
