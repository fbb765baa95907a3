//! Interning: what threads do to one interner, each with a text of its own.

use std::{hint::black_box, sync::Arc};

use super::text::{Text, different, text, vocabulary};
use crate::{
    harness::crew::{Crew, Job},
    peers::words::Words,
};

/// Words a thread and round.
const WORDS: usize = 200_000;
/// Of so many symbols one is resolved where a text is read.
const RESOLVED: usize = 4;

/// What the interner knows at first, and what is asked of it.
#[derive(Clone, Copy, Debug)]
pub enum Ask {
    /// Nothing at first; every fourth symbol is resolved.
    Read,
    /// Every word is known.
    Known,
    /// Nothing is known, and no word comes twice.
    Different,
    /// Symbols are resolved, no more.
    Resolve,
}

pub struct Interning<'a> {
    crew: &'a Crew,
    ask: Ask,
    texts: Arc<[Text]>,
}

impl<'a> Interning<'a> {
    pub fn new(crew: &'a Crew, threads: usize, ask: Ask) -> Interning<'a> {
        let vocabulary = vocabulary();
        let of = |thread| match ask {
            Ask::Different => different(thread, WORDS / 2),
            _ => text(&vocabulary, WORDS, thread as u64),
        };
        Interning { crew, ask, texts: (0..threads).map(of).collect() }
    }

    /// Rounds of one contender, each of which tells the nanoseconds that a word took a thread. An interner that begins
    /// empty is made before the clock and dropped after it.
    pub fn rounds<W: Words>(&self, make: impl Fn() -> W + 'a) -> impl FnMut() -> f64 + 'a {
        let &Interning { crew, ask, ref texts } = self;
        let texts = texts.clone();
        let known = Arc::new(make());
        let symbols = |text: &Text| text.iter().map(|word| known.intern(word)).collect();
        let symbols: Arc<[Vec<W::Symbol>]> = texts.iter().map(symbols).collect();
        move || {
            let interner = match ask {
                Ask::Read | Ask::Different => Arc::new(make()),
                Ask::Known | Ask::Resolve => known.clone(),
            };
            let job: Job = {
                let (interner, texts, symbols) = (interner.clone(), texts.clone(), symbols.clone());
                Arc::new(move |member| {
                    black_box(match ask {
                        Ask::Read => read(&*interner, texts[member]),
                        Ask::Known | Ask::Different => intern(&*interner, texts[member]),
                        Ask::Resolve => resolve(&*interner, &symbols[member]),
                    });
                })
            };
            let spent = crew.run(&job);
            check(&*interner, &texts);
            spent.as_nanos() as f64 / texts[0].len() as f64
        }
    }
}

fn read<W: Words>(interner: &W, text: Text) -> usize {
    let mut letters = 0;
    for words in text.chunks_exact(RESOLVED) {
        for (i, word) in words.iter().enumerate() {
            let symbol = interner.intern(word);
            if i == RESOLVED - 1 {
                letters += interner.resolve(symbol).len();
            } else {
                black_box(symbol);
            }
        }
    }
    letters
}

fn intern<W: Words>(interner: &W, text: Text) -> usize {
    for word in text {
        black_box(interner.intern(word));
    }
    text.len()
}

fn resolve<W: Words>(interner: &W, symbols: &[W::Symbol]) -> usize {
    symbols.iter().map(|&symbol| interner.resolve(symbol).len()).sum()
}

/// Looks whether words come back as they went in: some of each text, for a look at all would take longer than a round.
fn check<W: Words>(interner: &W, texts: &[Text]) {
    for word in texts.iter().flat_map(|text| text.iter().step_by(64)) {
        let found = interner.resolve(interner.intern(word));
        assert!(found == *word || !W::KEEPS, "{word} came back as {found}");
    }
}
