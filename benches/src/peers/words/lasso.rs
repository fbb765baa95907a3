//! lasso's `ThreadedRodeo`: two sharded maps under locks, words to symbols and back, and an arena for the bytes.

use std::hash::BuildHasher;

use lasso::{Spur, ThreadedRodeo};

use super::Words;

impl<H: BuildHasher + Clone + Send + Sync + 'static> Words for ThreadedRodeo<Spur, H> {
    type Symbol = Spur;

    #[inline(always)]
    fn intern(&self, word: &str) -> Spur {
        self.get_or_intern(word)
    }

    #[inline(always)]
    fn resolve(&self, symbol: Spur) -> &str {
        ThreadedRodeo::resolve(self, &symbol)
    }
}
