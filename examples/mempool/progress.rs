//! The progress bar, on standard error where that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar for a run of `duration`, as wide as its terminal leaves beside the words.
pub(crate) fn bar(duration: Duration, target: ProgressDrawTarget) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {percent:>3} % {elapsed_precise} {msg:8}");
    ProgressBar::with_draw_target(Some(millis(duration)), target)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
