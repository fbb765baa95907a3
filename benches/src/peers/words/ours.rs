//! Our `Interner`.

use sharded_arena::{Interner, Symbol};

use super::Words;

impl Words for Interner {
    type Symbol = Symbol;

    #[inline(always)]
    fn intern(&self, word: &str) -> Symbol {
        Interner::intern(self, word).expect("far below any limit")
    }

    #[inline(always)]
    fn resolve(&self, symbol: Symbol) -> &str {
        Interner::resolve(self, symbol).expect("its own symbol")
    }
}
