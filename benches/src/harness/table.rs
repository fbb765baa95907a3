//! What people read: the table, printed as the rows finish.

use super::{rounds::Outcome, stats::Summary};

pub fn heading(row: &str, about: &str) {
    println!("\n{row}: {about}");
}

/// One line a contender.
pub fn outcome(outcome: &Outcome, unit: &str) {
    for (name, summary) in outcome.iter() {
        figure(name, summary, unit);
    }
}

/// The median and, as its spread, the quartiles.
pub fn figure(name: &str, summary: Summary, unit: &str) {
    let Summary { median, low, high } = summary;
    let places = if median < 2.0 { 4 } else { 2 };
    println!("  {name:<18}{median:>10.places$} {unit}   ({low:.places$} to {high:.places$})");
}

/// A figure without rounds, or a remark.
pub fn remark(name: &str, text: &str) {
    println!("  {name:<18}{text}");
}

/// A warning when threads did not get their cores.
pub fn cores(share: f64) {
    if share < 0.95 {
        println!("  busy machine: the threads got {:.0} % of their cores", 100.0 * share);
    }
}
