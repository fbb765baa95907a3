//! Tokens: the only thread identity of the crate.
//!
//! A thread's first use takes a slot in a static table of generations: slot and odd generation are its *token*, never
//! made twice. Its end stores the next, even generation. Which shard a token owns is decided in `region/shards.rs`.
//!
//! - INV-thread-1: a generation never falls; token `t` lives iff `generations[t.slot] == t.generation`; one living
//!   token a slot.
//!
//! In front stands a cache of four entries in a constant thread-local without destructor, keyed by an id that is never
//! reused. The one thread-local with a destructor is [`EndOfThread`]: it empties the cache, so that later calls of the
//! thread take the shared path, and ends the token. Nothing here speaks of threads as the system knows them: a recycled
//! thread id, or a thread-local that comes back to life, is just another token.
//!
//! The thread-locals only carry [`Cache`] and [`EndOfThread`]; the models carry them by hand.

use core::cell::Cell;

use crate::base::steps::step;
use crate::sync::{Acquire, AtomicU64, Relaxed, Release, per_thread, shared_static, zeroed_words};

/// Threads that may have a shard at the same time; those beyond take the shared path.
#[cfg(not(all(test, loom)))]
const SLOTS: usize = 4096;
#[cfg(all(test, loom))]
const SLOTS: usize = 3;

/// A thread's identity: generation × 4096 + slot, the generation odd. Never made twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token(u64);

impl Token {
    const STRIDE: u64 = 4096;

    fn new(slot: usize, generation: u64) -> Self {
        Self(generation * Self::STRIDE + slot as u64)
    }
    /// The word that [`Token::bits`] gave.
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
    pub(crate) fn bits(self) -> u64 {
        self.0
    }
    pub(crate) fn slot(self) -> usize {
        (self.0 % Self::STRIDE) as usize
    }
    fn generation(self) -> u64 {
        self.0 / Self::STRIDE
    }
}

/// The process's generations, and how many threads have ended.
#[derive(Debug)]
pub(crate) struct Tokens {
    generations: [AtomicU64; SLOTS],
    exits: AtomicU64,
}

shared_static! {
    static TOKENS: Tokens = Tokens { generations: zeroed_words(), exits: AtomicU64::new(0) };
}

/// The process's tokens.
pub(crate) fn tokens() -> &'static Tokens {
    &TOKENS
}

impl Tokens {
    /// The last odd generation that fits a token; its slot is then retired.
    const LAST: u64 = (u64::MAX / Token::STRIDE - 1) | 1;

    /// A token for a thread that has none.
    pub(crate) fn take(&self) -> Option<Token> {
        for (slot, word) in self.generations.iter().enumerate() {
            step();
            let generation = word.load(Relaxed);
            if generation % 2 == 1 || generation >= Self::LAST {
                continue;
            }
            // ORDERING(Acquire): this holder's own end will be a plain store and cuts the release sequence of the
            // former's, so whoever sees that end must see, through this one, what the former holder wrote.
            //   pairs: `end`'s Release.  loom: m09_aba_claim, m09_aba_adopt; Relaxed fails them.
            // Failure is Relaxed: it only says to try the next slot.
            let taken = word.compare_exchange(generation, generation + 1, Acquire, Relaxed);
            if taken.is_ok() {
                return Some(Token::new(slot, generation + 1));
            }
        }
        None
    }

    /// Ends `token`, whose thread makes no further use of a shard except through a `Local` that pins it.
    pub(crate) fn end(&self, token: Token) {
        // ORDERING(Release): the thread's last writes to its shards precede its end.
        //   pairs: `is_dead`'s and `take`'s Acquire.  loom: m09_end_claim; Relaxed fails it.
        self.generations[token.slot()].store(token.generation() + 1, Release);
        // ORDERING(Release): a thread that counts this exit sees the generation above, so that no sweep records an exit
        // whose thread it took for alive.  pairs: `exits`' Acquire.  loom: m09_end_skip; Relaxed fails it.
        self.exits.fetch_add(1, Release);
    }

    /// Whether `token` has ended.
    pub(crate) fn is_dead(&self, token: Token) -> bool {
        // ORDERING(Acquire): what the ended thread wrote to its shards is seen by whoever claims them.
        //   pairs: `end`'s Release.  loom: m09_late; Relaxed fails it. There neither a count of exits nor a
        //   recycled slot orders the two threads.
        self.generations[token.slot()].load(Acquire) > token.generation()
    }

    /// Returns the number of thread exits, before a sweep that shall find them all.
    pub(crate) fn exits(&self) -> u64 {
        // ORDERING(Acquire): the generations of the exits counted here are seen by the sweep that follows.
        //   pairs: the add in `end`.  loom: m09_end_skip; Relaxed fails it.
        self.exits.load(Acquire)
    }

    /// Returns the number of thread exits, as a hint.
    pub(crate) fn exits_hint(&self) -> u64 {
        self.exits.load(Relaxed)
    }
}

/// A thread's token: the one thread-local with a destructor, which ends it.
#[derive(Debug)]
pub(crate) struct EndOfThread {
    token: Cell<Option<Token>>,
    /// One more than the thread exits when this thread last found every slot in use.
    full_at: Cell<u64>,
}

impl EndOfThread {
    pub(crate) const fn new() -> Self {
        Self { token: Cell::new(None), full_at: Cell::new(0) }
    }

    /// Returns the thread's token, which is taken now if it has none, or `None` when all slots are in use. One load
    /// where they were at the last call and no thread has ended since.
    pub(crate) fn token(&self, tokens: &Tokens) -> Option<Token> {
        self.token.get().or_else(|| self.take(tokens))
    }

    #[cold]
    fn take(&self, tokens: &Tokens) -> Option<Token> {
        let full_at = self.full_at.get();
        if full_at != 0 && full_at == tokens.exits_hint() + 1 {
            return None;
        }
        let token = tokens.take().or_else(|| {
            // Looks again: at least the ends that were counted before a look are seen by it.
            let exits = tokens.exits();
            self.full_at.set(exits + 1);
            tokens.take()
        });
        self.token.set(token);
        token
    }

    /// Ends the thread: its cache is emptied first, then its token ends.
    pub(crate) fn end(&self, cache: Option<&Cache>, tokens: &Tokens) {
        if let Some(cache) = cache {
            cache.clear();
        }
        // Emptied: a token that ended twice would free another thread's slot.
        if let Some(token) = self.token.take() {
            tokens.end(token);
        }
    }
}

impl Drop for EndOfThread {
    fn drop(&mut self) {
        if cfg!(all(test, loom)) {
            // Models end their threads by hand: loom destroys thread-locals after it has let the joining thread go on.
            return;
        }
        if CACHE.try_with(|cache| self.end(Some(cache), tokens())).is_err() {
            self.end(None, tokens());
        }
    }
}

per_thread! {
    static CACHE: Cache = Cache::new();
}

per_thread! {
    static END: EndOfThread = EndOfThread::new();
}

/// The calling thread's cached address for `id`.
#[inline(always)]
pub(crate) fn cached(id: u64) -> Option<*const ()> {
    CACHE.try_with(|cache| cache.get(id)).ok().flatten()
}

/// As [`cached`], for an arena.
#[inline(always)]
pub(crate) fn cached_hot(id: u64) -> Option<*const ()> {
    CACHE.try_with(|cache| cache.get_hot(id)).ok().flatten()
}

/// Runs `with` on the calling thread's cache and its [`EndOfThread`], which is `None` once the thread's end has begun.
pub(crate) fn with_identity<R>(with: impl FnOnce(&Cache, Option<&EndOfThread>) -> R) -> Option<R> {
    #[cfg(all(test, loom))]
    if by_hand::is_late() {
        return CACHE.with(|cache| Some(with(cache, None)));
    }
    CACHE
        .try_with(|cache| {
            let mut with = Some(with);
            let done = END.try_with(|end| with.take().map(|with| with(cache, Some(end))));
            match done {
                Ok(done) => done,
                Err(_) => with.take().map(|with| with(cache, None)),
            }
        })
        .ok()
        .flatten()
}

/// The calling thread's token; none after its end has begun.
pub(crate) fn own_token() -> Option<Token> {
    with_identity(|_, end| end?.token(tokens())).flatten()
}

/// Returns the token under which the calling thread has shards, living or ended, or `None` if it never looked for one.
pub(crate) fn owner() -> Option<Token> {
    CACHE.try_with(Cache::owner).ok().flatten()
}

/// Returns whether the calling thread remembers a look of this holder's that `holds`.
#[inline]
pub(crate) fn look_holds(holder: usize, holds: impl FnOnce(Look) -> bool) -> bool {
    CACHE.try_with(|cache| cache.look().holder == holder && holds(cache.look())).unwrap_or(false)
}

/// The calling thread remembers `look`, or none.
pub(crate) fn set_look(look: Option<Look>) {
    // A thread that has no thread-locals any more remembers nothing.
    let _ = CACHE.try_with(|cache| cache.set_look(look));
}

#[cfg(all(test, loom))]
pub(crate) mod by_hand;
mod cache;
mod per_thread;

pub(crate) use cache::{Cache, Look, next_id};
pub(crate) use per_thread::PerThread;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::cache::ID_STEP;
    use super::*;

    fn fresh() -> Tokens {
        Tokens { generations: zeroed_words(), exits: AtomicU64::new(0) }
    }

    #[test]
    fn tokens_are_dense_and_never_made_twice() {
        let tokens = fresh();
        let first = tokens.take().unwrap();
        let second = tokens.take().unwrap();
        assert_eq!((first.slot(), second.slot()), (0, 1));
        tokens.end(first);
        assert!(tokens.is_dead(first) && !tokens.is_dead(second));
        let third = tokens.take().unwrap();
        assert_eq!(third.slot(), 0);
        assert!(third != first && tokens.is_dead(first) && !tokens.is_dead(third));
        assert_eq!(tokens.exits(), 1);
    }

    #[test]
    fn a_slot_is_retired_at_its_last_generation() {
        let tokens = fresh();
        tokens.generations[0].store(Tokens::LAST - 1, Relaxed);
        let last = tokens.take().unwrap();
        assert_eq!((last.slot(), last.generation()), (0, Tokens::LAST));
        tokens.end(last);
        assert_eq!(tokens.take().unwrap().slot(), 1, "slot 0 has no generation left");
        assert!(tokens.is_dead(last));
    }

    #[test]
    fn all_slots_taken_is_none() {
        let tokens = fresh();
        for _ in 0..SLOTS {
            tokens.take().unwrap();
        }
        assert_eq!(tokens.take(), None);
    }

    #[test]
    fn full_slots_are_looked_at_once() {
        use crate::base::steps::steps_of;
        let tokens = fresh();
        let first = tokens.take().unwrap();
        while tokens.take().is_some() {}
        let end = EndOfThread::new();
        assert_eq!(end.token(&tokens), None);
        assert_eq!(steps_of(|| assert_eq!(end.token(&tokens), None)), 0, "no thread has ended");
        tokens.end(first);
        assert_eq!(end.token(&tokens).map(Token::slot), Some(first.slot()));
    }

    #[test]
    fn an_ended_thread_ends_its_token_once_and_empties_the_cache() {
        let (tokens, cache, end) = (fresh(), Cache::new(), EndOfThread::new());
        let token = end.token(&tokens).unwrap();
        cache.set(7 * ID_STEP, core::ptr::dangling());
        assert!(cache.get(7 * ID_STEP).is_some() && cache.get(3 * ID_STEP).is_none());
        end.end(Some(&cache), &tokens);
        end.end(Some(&cache), &tokens);
        assert!(cache.get(7 * ID_STEP).is_none() && tokens.is_dead(token) && tokens.exits() == 1);
    }
}
