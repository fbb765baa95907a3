//! What machines read: one line a ratio, printed when every row has finished.

use super::targets::{Better, Target, target};

/// Gathers the ratios while the rows print their parts of the table.
#[derive(Default)]
pub struct Report {
    lines: Vec<String>,
    misses: usize,
}

impl Report {
    pub fn ratio(&mut self, row: &str, peer: &str, value: f64) {
        self.push(row, peer, value, target(row, peer), "");
    }

    /// A ratio of a row that has several: `which` says which one it is, and chooses the figures to reach.
    pub fn ratio_at(&mut self, row: &str, which: &str, peer: &str, value: f64) {
        let target = target(&format!("{row}-{which}"), peer);
        self.push(row, peer, value, target, &format!(" ({which})"));
    }

    /// A ratio that stands for the worst of several; `which` says which one that was.
    pub fn worst_ratio(&mut self, row: &str, which: &str, peer: &str, value: f64) {
        self.push(row, peer, value, target(row, peer), &format!(" ({which})"));
    }

    fn push(&mut self, row: &str, peer: &str, value: f64, target: Target, note: &str) {
        let missed = target.missed_by(value);
        self.misses += usize::from(missed);
        let miss = if missed { " MISS" } else { "" };
        self.lines.push(format!("ratio {row} {peer} {}{}{miss}{note}", shown(value), goals(&target)));
    }

    pub fn finish(self) {
        println!();
        for line in &self.lines {
            println!("{line}");
        }
        if self.misses > 0 {
            println!("\n{} of {} ratios miss their must", self.misses, self.lines.len());
        }
    }
}

/// Three digits that count, whatever the size.
fn shown(value: f64) -> String {
    if value.abs() < 0.1 { format!("{value:.4}") } else { format!("{value:.3}") }
}

fn goals(target: &Target) -> String {
    let sign = if target.better == Better::Less { "<=" } else { ">=" };
    let goal = |word: &str, figure: Option<f64>| figure.map_or(String::new(), |f| format!(" {word} {sign}{f}"));
    goal("must", target.must) + &goal("aim", target.aim)
}
