//! The figures to reach, in one table: what a row must come to against a peer, and what it aims at.

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Better {
    Less,
    More,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    pub better: Better,
    pub must: Option<f64>,
    pub aim: Option<f64>,
}

impl Target {
    pub fn missed_by(&self, value: f64) -> bool {
        self.must.is_some_and(|must| match self.better {
            Better::Less => value > must,
            Better::More => value < must,
        })
    }
}

const PRINTED: Target = Target { better: Better::Less, must: None, aim: None };

const fn at_most(must: f64, aim: f64) -> Target {
    Target { better: Better::Less, must: Some(must), aim: Some(aim) }
}

const fn at_least(must: f64, aim: f64) -> Target {
    Target { better: Better::More, must: Some(must), aim: Some(aim) }
}

/// What `row` is held to against `peer`. A pair without a figure of its own is printed, no more.
pub fn target(row: &str, peer: &str) -> Target {
    match (row, peer) {
        ("scratch-local", "bumpalo") => at_most(1.02, 0.9),
        ("scratch-arena", "bumpalo") => at_most(1.15, 1.0),
        ("copy", "bumpalo") => at_most(1.04, 0.97),
        ("shared-2v1", "self") => at_most(1.05, 1.0),
        ("shared-local", "herd") => at_most(1.0, 0.95),
        ("shared-arena", "herd") => at_most(1.1, 1.0),
        ("shared-local" | "shared-arena", "syncblink") => at_most(0.05, 0.03),
        ("replace-20k" | "churn" | "handoff", "mimalloc") => at_most(0.5, 0.3),
        ("replace-20k", "jemalloc") => at_most(0.8, 0.4),
        ("replace-1k", "mimalloc" | "jemalloc") => at_most(1.0, 0.8),
        ("churn" | "handoff", "jemalloc") => at_most(0.9, 0.5),
        ("full", "self") => at_most(3.0, 2.0),
        ("full-scale-8MiB", "self") => at_least(1.0, 1.5),
        ("full-scale-32MiB" | "full-scale-256MiB", "self") => at_least(1.2, 1.6),
        ("full-dense-32MiB", "limit") => at_least(0.885, 0.93),
        ("full-dense-256MiB", "limit") => at_least(0.935, 0.96),
        ("mempool", "glibc") => at_least(1.2, 1.5),
        ("mempool", "mimalloc" | "snmalloc") => at_least(1.0, 1.2),
        ("mempool", "jemalloc") => at_least(0.9, 1.1),
        ("mempool-resident", _) => at_most(1.0, 0.9),
        ("tail", "jemalloc" | "mimalloc") => at_most(1.5, 1.0),
        ("fit", "btree") => at_most(0.14, 0.09),
        ("fit", "offset-allocator") => at_most(0.8, 0.6),
        ("fit", "rlsf") => at_most(1.5, 1.2),
        ("drop", "self") => at_most(0.02, 0.01),
        ("meta", "capacity") => at_most(0.023, 0.016),
        ("largest-256", "capacity") => at_least(0.004, 0.02),
        ("pool", "sharded-slab") => at_most(0.85, 0.6),
        ("pool-cross", "sharded-slab") => at_most(0.7, 0.45),
        ("interner", "lasso") => at_most(0.5, 0.35),
        (row, "limit") => fill_target(row),
        _ => PRINTED,
    }
}

fn fill_target(row: &str) -> Target {
    let mut parts = row.split('-');
    match (parts.next(), parts.nth(1)) {
        (Some("fill"), Some("1")) => at_least(0.97, 0.98),
        (Some("fill"), Some("64")) => at_least(0.96, 0.98),
        (Some("refill"), Some("1")) => at_least(0.94, 0.96),
        (Some("refill"), Some("64")) => at_least(0.93, 0.955),
        _ => Target { better: Better::More, must: None, aim: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_rows_and_prints_the_rest() {
        assert_eq!(target("fill-8-64", "limit"), at_least(0.96, 0.98));
        assert_eq!(target("refill-256-1", "limit"), at_least(0.94, 0.96));
        assert_eq!(target("fill-8-2", "limit").must, None);
        assert_eq!(target("replace-20k", "glibc"), PRINTED);
        assert_eq!(target("shared-local", "herd"), at_most(1.0, 0.95));
        assert_eq!(target("shared-arena", "herd"), at_most(1.1, 1.0));
        assert_eq!(target("shared-2v1", "herd"), PRINTED);
        assert!(target("drop", "self").missed_by(0.06));
        assert!(target("fill-8-1", "limit").missed_by(0.94));
        assert!(!target("replace-20k", "glibc").missed_by(9.0));
    }
}
