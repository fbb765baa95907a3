//! Interners that threads share: a word becomes a symbol, the same for all who ask, and the symbol the word again.

pub mod floor;
pub mod lasso;
pub mod ours;

/// What every contender hashes words with, but for those that say otherwise: foldhash, ours.
pub type Hasher = hashbrown::DefaultHashBuilder;

pub trait Words: Send + Sync + 'static {
    type Symbol: Copy + Send + Sync + 'static;

    /// False for the floor, which forgets every word.
    const KEEPS: bool = true;

    fn intern(&self, word: &str) -> Self::Symbol;

    fn resolve(&self, symbol: Self::Symbol) -> &str;
}
