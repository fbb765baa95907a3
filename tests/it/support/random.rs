//! A seeded generator.

/// Splitmix64.
pub(crate) struct Random(u64);

impl Random {
    /// Creates a generator and prints its seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        eprintln!("seed {seed:#x}");
        Self::new(seed)
    }
    /// Creates a generator without printing, which would allocate.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a usize")
    }
}
