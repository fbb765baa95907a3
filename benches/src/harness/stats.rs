//! Medians and their spread.

#[derive(Clone, Copy, Debug)]
pub struct Summary {
    pub median: f64,
    /// The first and third quartile.
    pub low: f64,
    pub high: f64,
}

impl Summary {
    pub fn of(values: &[f64]) -> Summary {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = |quarter: usize| sorted[(sorted.len() - 1) * quarter / 4];
        Summary { median: at(2), low: at(1), high: at(3) }
    }
}

#[cfg(test)]
mod tests {
    use super::Summary;

    #[test]
    fn takes_the_middle_and_the_quartiles() {
        let summary = Summary::of(&[9.0, 1.0, 5.0, 3.0, 7.0, 2.0, 8.0, 4.0, 6.0]);
        assert_eq!(format!("{summary:?}"), "Summary { median: 5.0, low: 3.0, high: 7.0 }");
    }
}
