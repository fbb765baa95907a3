//! For tests and benchmarks: `LevelDB`-like sequences of random numbers that are the same everywhere.

/// The linear congruential generator that `LevelDB`-like arenas are exercised with: small, fast, the same numbers from
/// the same seed on every machine. Not for secrets.
///
/// One step is `state × 6364136223846793005 + 1 (mod 2^64)`; results are made of the state's upper half.
///
/// ```
/// use sharded_arena::testing::LcgRandom;
/// let mut random = LcgRandom::new(301);
/// let sizes: Vec<u64> = (0..4).map(|_| random.uniform(20)).collect();
/// assert_eq!(sizes, [15, 5, 6, 9]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LcgRandom {
    state: u64,
}

impl LcgRandom {
    const MULTIPLIER: u64 = 6_364_136_223_846_793_005;

    /// A generator that starts from `seed`; any will do.
    #[must_use]
    pub fn new(seed: u64) -> LcgRandom {
        LcgRandom { state: seed }
    }

    /// Steps, and gives a number from 0 to `range − 1`: the upper 32 bits of the state modulo `range`. A `range` above
    /// 2^32 is allowed; no result reaches 2^32.
    ///
    /// # Panics
    /// If `range` is 0: there is no such number.
    #[track_caller]
    pub fn uniform(&mut self, range: u64) -> u64 {
        assert!(range > 0, "LcgRandom: there is no number below 0, a range must be at least 1");
        self.state = self.state.wrapping_mul(Self::MULTIPLIER).wrapping_add(1);
        (self.state >> 32) % range
    }

    /// Steps, and is `true` once in `n` times on average: when [`uniform(n)`](Self::uniform) is 0. Always for 1.
    ///
    /// # Panics
    /// If `n` is 0.
    #[track_caller]
    pub fn one_in(&mut self, n: u64) -> bool {
        self.uniform(n) == 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::LcgRandom;

    /// The recurrence in arithmetic that cannot wrap.
    fn reference(state: u128) -> u128 {
        (state * 6_364_136_223_846_793_005 + 1) % (1 << 64)
    }

    #[test]
    fn the_numbers_are_the_recurrence_s() {
        for seed in [0, 1, 2, 301, u64::from(u32::MAX), 1 << 63, u64::MAX] {
            let (mut random, mut state) = (LcgRandom::new(seed), u128::from(seed));
            for step in 0..1000 {
                state = reference(state);
                let range = [u64::MAX, 1, 2, 20, 100, 6000, 1 << 32, 1 << 31][step % 8];
                let expected = (state >> 32) % u128::from(range);
                assert_eq!(u128::from(random.uniform(range)), expected, "seed {seed}, step {step}");
            }
        }
    }

    /// From seed 0 the states are 1, 6364136223846793006, and so on: the upper halves are fixed for ever.
    #[test]
    fn first_numbers_of_some_seeds() {
        let first = |seed, range| -> Vec<u64> {
            let mut random = LcgRandom::new(seed);
            (0..5).map(|_| random.uniform(range)).collect()
        };
        assert_eq!(first(0, u64::MAX), [0, 1_481_765_933, 3_232_861_391, 3_417_699_910, 3_338_875_177]);
        assert_eq!(first(301, u64::MAX), [3_629_914_435, 280_521_385, 3_034_680_746, 1_166_291_929, 3_160_237_793]);
        assert_eq!(
            first(u64::MAX, u64::MAX),
            [2_813_201_362, 4_025_637_771, 3_048_022_872, 3_496_524_642, 1_570_113_359]
        );
        assert_eq!(first(301, 1), [0; 5]);
    }

    #[test]
    fn one_in_n_is_a_uniform_number_that_is_0() {
        let (mut dice, mut random, mut hits) = (LcgRandom::new(7), LcgRandom::new(7), 0);
        for _ in 0..40_000 {
            let hit = dice.one_in(10);
            assert_eq!(hit, random.uniform(10) == 0);
            hits += u32::from(hit);
        }
        assert_eq!(dice, random, "one step each");
        assert_eq!(hits, 4_043);
        assert!((0..100).all(|_| dice.one_in(1)));
    }

    #[test]
    #[should_panic(expected = "a range must be at least 1")]
    fn a_range_of_0_panics() {
        LcgRandom::new(1).uniform(0);
    }

    #[test]
    #[should_panic(expected = "a range must be at least 1")]
    fn one_in_0_panics() {
        let _never = LcgRandom::new(1).one_in(0);
    }
}
