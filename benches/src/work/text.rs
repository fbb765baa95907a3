//! A text to intern: words drawn from a vocabulary as a text draws them, the second most frequent half as often as the
//! first, and so on (Zipf's law), frequent ones short.

use std::{collections::HashSet, iter};

use crate::harness::rng::Rng;

/// Different words.
pub const VOCABULARY: usize = 20_000;

const CONSONANTS: &[u8] = b"bcdfghjklmnpqrstvwxz";
const VOWELS: &[u8] = b"aeiou";

/// A text: its words lie one behind the other, as in a file that is being read. It stays for the process's life.
pub type Text = &'static [&'static str];

/// `VOCABULARY` different words, the most frequent one first.
pub fn vocabulary() -> Vec<String> {
    let mut rng = Rng::new(5);
    let mut known = HashSet::new();
    let fresh = |rank: usize| {
        iter::repeat_with(|| word(&mut rng, rank)).find(|word| known.insert(word.clone())).expect("one will be new")
    };
    (0..VOCABULARY).map(fresh).collect()
}

/// From 3 letters to 6 for the most frequent word, to 20 for the rarest.
fn word(rng: &mut Rng, rank: usize) -> String {
    let letters = 3 + rng.below(4 + (rank + 1).ilog2() as usize);
    let letter = |i| {
        let letters = if i % 2 == 0 { CONSONANTS } else { VOWELS };
        char::from(letters[rng.below(letters.len())])
    };
    (0..letters).map(letter).collect()
}

/// `length` words as a text has them.
pub fn text(vocabulary: &[String], length: usize, seed: u64) -> Text {
    let mut rng = Rng::new(seed);
    let mut total = 0.0;
    let shares: Vec<f64> = (1..=vocabulary.len())
        .map(|rank| {
            total += 1.0 / rank as f64;
            total
        })
        .collect();
    let draw = || {
        let at = rng.below(1 << 31) as f64 / f64::from(1_u32 << 31) * total;
        &*vocabulary[shares.partition_point(|&share| share <= at)]
    };
    laid_out(iter::repeat_with(draw).take(length))
}

/// Words that come only once, whichever thread's text they are in.
pub fn different(thread: usize, length: usize) -> Text {
    let words: Vec<String> = (0..length).map(|number| format!("{}{number}", ["first", "second"][thread])).collect();
    laid_out(words.iter().map(String::as_str))
}

/// Words one behind the other.
fn laid_out<'a>(words: impl Iterator<Item = &'a str>) -> Text {
    let words: Vec<&str> = words.collect();
    let mut rest: &'static str = words.concat().leak();
    let next = |word: &&str| {
        let (word, behind) = rest.split_at(word.len());
        rest = behind;
        word
    };
    words.iter().map(next).collect::<Vec<_>>().leak()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{VOCABULARY, text, vocabulary};

    #[test]
    fn draws_as_texts_do() {
        let vocabulary = vocabulary();
        let mut counts = HashMap::new();
        for word in text(&vocabulary, 200_000, 1) {
            *counts.entry(*word).or_insert(0) += 1;
        }
        let count = |rank: usize| counts.get(&*vocabulary[rank - 1]).copied().unwrap_or(0);
        assert!((17_000..21_000).contains(&count(1)), "{}", count(1));
        assert!((8_000..11_000).contains(&count(2)), "{}", count(2));
        assert!((VOCABULARY / 2..VOCABULARY).contains(&counts.len()), "{}", counts.len());
    }
}
