//! Interleaved rounds: A B C A B C …, one warm-up and then those that count, so that a slow moment of a shared
//! machine falls on all contenders alike.

use super::stats::Summary;

/// Rounds that count, after one warm-up.
pub const ROUNDS: usize = 11;

/// One round of a contender: what it cost.
type Round<'a> = Box<dyn FnMut() -> f64 + 'a>;

/// Contenders of one piece of work; each is a closure that does one round and says what it cost.
#[derive(Default)]
pub struct Rounds<'a> {
    contenders: Vec<(String, Round<'a>)>,
}

impl<'a> Rounds<'a> {
    pub fn add(&mut self, name: impl Into<String>, round: impl FnMut() -> f64 + 'a) {
        self.contenders.push((name.into(), Box::new(round)));
    }

    pub fn run(mut self, rounds: usize) -> Outcome {
        let mut values = vec![Vec::with_capacity(rounds); self.contenders.len()];
        for round in 0..=rounds {
            for ((_, contender), values) in self.contenders.iter_mut().zip(&mut values) {
                let value = contender();
                if round > 0 {
                    values.push(value);
                }
            }
        }
        let names = self.contenders.into_iter().map(|(name, _)| name);
        Outcome(names.zip(values.iter().map(|values| Summary::of(values))).collect())
    }
}

/// What each contender's rounds came to, in the order they were added.
#[derive(Clone, Debug)]
pub struct Outcome(Vec<(String, Summary)>);

impl Outcome {
    pub fn iter(&self) -> impl Iterator<Item = (&str, Summary)> {
        self.0.iter().map(|(name, summary)| (&**name, *summary))
    }

    /// The median of contender `name`, which must have been added.
    pub fn median(&self, name: &str) -> f64 {
        self.iter().find(|&(other, _)| other == name).unwrap_or_else(|| panic!("no contender {name}")).1.median
    }
}
