//! What a half of the run came to, and its two forms: a table for people and one line of JSON.

use std::fmt::Write as _;
use std::time::Duration;

use super::backend::Backend;
use super::block::Source;
use super::half::{Half, Samples};
use super::pool::Counts;

/// The figures of one half, after its check.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    counts: Counts,
    samples: Samples,
    elapsed: Duration,
    limit_bytes: usize,
    peak_bytes: usize,
    usage_bytes: usize,
    live_bytes: usize,
    survivors: usize,
    verified: u64,
    corrupt: u64,
}

impl Outcome {
    /// Checks every survivor of a half whose threads have ended.
    pub(crate) fn of<B: Backend>(half: &Half<'_, B>, sources: &[Source]) -> Self {
        let backend = half.pool.backend();
        let (verified, corrupt) = half.pool.verify(sources);
        Self {
            counts: half.counts(),
            samples: half.samples,
            elapsed: half.elapsed,
            limit_bytes: backend.limit_bytes(),
            peak_bytes: backend.peak_bytes(),
            usage_bytes: backend.usage_bytes(),
            live_bytes: backend.live_bytes(),
            survivors: half.pool.len(),
            verified,
            corrupt,
        }
    }

    /// What must not be: damaged survivors, or usage above the limit.
    pub(crate) fn fault(&self) -> Option<String> {
        let (corrupt, violations) = (self.corrupt, self.limit_violations());
        let sound = corrupt == 0 && violations == 0;
        (!sound).then(|| format!("{corrupt} stored transactions damaged, {violations} samples above the limit"))
    }

    /// Samples above the limit; a peak above it that no sample met counts once.
    fn limit_violations(&self) -> u64 {
        self.samples.violations.max(u64::from(self.peak_bytes > self.limit_bytes))
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Mean from the first refusal on; where nothing was refused, the live bytes at the end.
    fn mean_live_bytes(&self) -> usize {
        self.samples.mean_live_bytes().unwrap_or(self.live_bytes)
    }

    fn mean_usage_bytes(&self) -> usize {
        self.samples.mean_usage_bytes().unwrap_or(self.usage_bytes)
    }

    /// Transactions admitted a second; those rejected do not count.
    #[expect(clippy::cast_precision_loss, reason = "a rate, rounded for reading")]
    fn rate(&self) -> f64 {
        self.counts.admitted as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// The result as one JSON object.
pub(crate) fn json(heap: &Outcome, system: &Outcome) -> String {
    format!(
        concat!(
            r#"{{"tx_per_s":{:.0},"tx_per_s_system":{:.0},"limit":{},"peak_usage":{},"live_bytes":{},"evicted":{},"#,
            r#""rejected":{},"survivors":{},"verified":{},"corrupt":{},"limit_violations":{}}}"#
        ),
        heap.rate(),
        system.rate(),
        heap.limit_bytes,
        heap.peak_bytes,
        heap.mean_live_bytes(),
        heap.counts.evicted,
        heap.counts.rejected(),
        heap.survivors,
        heap.verified,
        heap.corrupt,
        heap.limit_violations(),
    )
}

/// The result as a table, with the heap's figures beside the system allocator's.
pub(crate) fn table(heap: &Outcome, system: &Outcome) -> String {
    let mut text = String::new();
    let mut row = |name: &str, unit: &str, figure: &dyn Fn(&Outcome) -> String| {
        let _ = writeln!(text, "{name:<38}{:>16}{:>16} {unit}", figure(heap), figure(system));
    };
    row("", "", &|outcome| if std::ptr::eq(outcome, heap) { "Heap" } else { "system" }.to_owned());
    row("admitted per second", "tx/s", &|o| grouped(&format!("{:.0}", o.rate())));
    row("offered", "tx", &|o| grouped(&o.counts.offered));
    row("admitted", "tx", &|o| grouped(&o.counts.admitted));
    row("confirmed by other threads", "tx", &|o| grouped(&o.counts.confirmed));
    row("evicted, the lowest fee rate", "tx", &|o| grouped(&o.counts.evicted));
    row("rejected, itself the lowest", "tx", &|o| grouped(&o.counts.rejected_lowest));
    row("rejected, would evict > 4 x its size", "tx", &|o| grouped(&o.counts.rejected_costly));
    row("rejected, no room after evictions", "tx", &|o| grouped(&o.counts.rejected_long));
    row("memory refused", "times", &|o| grouped(&o.counts.refusals));
    row("index stripe full", "times", &|o| grouped(&o.counts.index_full));
    row("limit", "bytes", &|o| grouped(&o.limit_bytes));
    row("peak usage", "bytes", &|o| grouped(&o.peak_bytes));
    row("final usage", "bytes", &|o| grouped(&o.usage_bytes));
    // The means are of the time from the first refusal on; without a refusal there is only the end.
    let refused = [heap, system].iter().any(|o| o.samples.pressed_count > 0);
    let since = if refused { "mean from first refusal on" } else { "at the end" };
    let mean = |o: &Outcome, figure: String| {
        if refused && o.samples.pressed_count == 0 { "none refused".to_owned() } else { figure }
    };
    row(&format!("live, {since}"), "bytes", &|o| mean(o, grouped(&o.mean_live_bytes())));
    row(&format!("slack, {since}"), "bytes", &|o| {
        mean(o, grouped(&o.mean_usage_bytes().saturating_sub(o.mean_live_bytes())))
    });
    row("live / limit", "", &|o| mean(o, percent(o.mean_live_bytes(), o.limit_bytes)));
    row("samples of usage", "", &|o| grouped(&o.samples.count));
    row("samples above the limit", "", &|o| grouped(&o.limit_violations()));
    row("survivors", "tx", &|o| grouped(&o.survivors));
    row("survivors' hashes verified", "tx", &|o| grouped(&o.verified));
    row("survivors damaged", "tx", &|o| grouped(&o.corrupt));
    if heap.counts.admitted > 0 && system.counts.admitted > 0 {
        let _ = write!(text, "Heap / system: {:.2} times the transactions a second", heap.rate() / system.rate());
    } else {
        text.push_str("Heap / system: no ratio, for one of them admitted nothing");
    }
    if heap.samples.pressed_count == 0 {
        let _ = write!(text, "\nthe limit never pressed: a smaller --limit or more --seconds would show evictions");
    }
    text
}

/// A whole number with a comma at every three digits.
pub(crate) fn grouped(number: &impl ToString) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "a share, rounded for reading")]
fn percent(part: usize, whole: usize) -> String {
    format!("{:.1} %", part as f64 * 100.0 / whole as f64)
}
