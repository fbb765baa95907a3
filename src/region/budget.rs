//! `Budget`: one limit, its exact memory usage, its peak, the slack leased to shards, and its pressure.
//!
//! Two kinds of words, two rules.
//!
//! - **usage, peak, limit, since, pressure** are written only inside the region's critical section; anyone reads them
//!   with one load. Nothing is ever added and rolled back.
//!   - INV-region.budget-1: `usage <= max(limit, usage when the limit was lowered)`, at every value of the word.
//! - **refused, usage at the last refusal** are hints. Any refused thread stores them, only if they change; the last
//!   store counts.
//! - **leased** is written by anyone, without the lock: load, compare with the slack, CAS.
//!   - INV-region.budget-2: `leased <= max(slack, leased when the limit was lowered)`, at every value of the word.
//!
//! The slack is the part of a limit (1/16 unless set) that shards may hold idle, in magazines and chunks. A grant is
//! Acquire and an end Release, so whoever is granted bytes that another shard gave up is ordered after that shard had
//! emptied them: cached bytes never exceed the slack for anyone ordered after the grant.
//!
//! Pressure is even at rest and odd while the limit presses; it only counts up, so a shard that remembers the last
//! value it acted upon sees every change at its next slow path. Relaxed: outside the lock it is a hint, inside it is
//! exact. It begins with a refusal, and ends after a 64th of the limit was charged without one (a 64th, and what was
//! charged since the 64th before), or once so much was refunded, or the limit was raised so far, that caches may fill
//! again and a sixteenth is still free. So a limit that is nearly reached does not change it with every block.
//!
//! Deliberately not here: what is charged for, and who holds the lock.

use crate::sync::{Acquire, AtomicU64, AtomicUsize, CachePadded, Owned32, OwnedUsize, Relaxed, Release};

/// Slack of a limit is `limit / SLACK_DIVISOR` unless the builder says otherwise.
pub(crate) const SLACK_DIVISOR: usize = 16;

/// The pressure of one or two limits, as seen in one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pressure {
    /// Sum of the words: changes whenever one of them does.
    pub(crate) value: u64,
    /// Whether one of them is odd.
    pub(crate) on: bool,
}

/// See the module's header.
#[derive(Debug)]
pub(crate) struct Budget {
    usage: AtomicUsize,
    limit: AtomicUsize,
    peak: OwnedUsize,
    /// Bytes charged since the last refusal under the lock, or since one without it was last noticed.
    since: OwnedUsize,
    /// Usage at the last refusal under pressure; a little more or less after one without the lock.
    refused_at: OwnedUsize,
    /// Whether a request was refused without the lock since that was last noticed.
    refused: Owned32,
    slack_divisor: usize,
    /// Bytes there are: a limit above them limits nothing.
    ceiling: usize,
    /// Bytes charged that are not among those: the index's.
    beside: OwnedUsize,
    leased: CachePadded<AtomicUsize>,
    pressure: CachePadded<AtomicU64>,
}

impl Budget {
    /// A budget of `limit` of the `ceiling` bytes there are; the lesser of both, by `slack_divisor`, may be held idle.
    pub(crate) fn new(limit: usize, ceiling: usize, slack_divisor: usize) -> Self {
        Self {
            usage: AtomicUsize::new(0),
            limit: AtomicUsize::new(limit),
            peak: OwnedUsize::new(0),
            since: OwnedUsize::new(0),
            refused_at: OwnedUsize::new(0),
            refused: Owned32::zero(),
            slack_divisor: slack_divisor.max(1),
            ceiling,
            beside: OwnedUsize::new(0),
            leased: CachePadded::new(AtomicUsize::new(0)),
            pressure: CachePadded::new(AtomicU64::new(0)),
        }
    }

    /// Bytes handed out.
    pub(crate) fn usage(&self) -> usize {
        self.usage.load(Relaxed)
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Relaxed)
    }

    /// Greatest usage so far.
    pub(crate) fn peak(&self) -> usize {
        self.peak.get()
    }

    /// Bytes of idle capacity granted to shards.
    pub(crate) fn leased(&self) -> usize {
        self.leased.load(Relaxed)
    }

    /// The limit, or the bytes there are and those beside them, whichever is less.
    fn bound(&self) -> usize {
        self.limit().min(self.ceiling.saturating_add(self.beside.get()))
    }

    /// Bytes that may be leased.
    pub(crate) fn slack(&self) -> usize {
        self.bound() / self.slack_divisor
    }

    /// What one of `shards` shards may hold: its part of a reserved quarter, or what is left of the other three.
    pub(crate) fn share(&self, shards: usize) -> usize {
        let slack = self.slack();
        (slack / 4 / shards).max((slack / 4 * 3).saturating_sub(self.leased()))
    }

    // ---- inside the region's critical section ---------------------------------------------------------------------

    /// Bytes that may still be charged.
    pub(crate) fn room(&self) -> usize {
        self.limit().saturating_sub(self.usage())
    }

    /// Bytes that may still be charged and that there are.
    pub(crate) fn real_room(&self) -> usize {
        self.bound().saturating_sub(self.usage())
    }

    /// Adds `bytes`, which [`Budget::room`] has just allowed in this critical section.
    pub(crate) fn charge(&self, bytes: usize) {
        // A charge of nothing is right above a lowered limit too: a request that a reservation covers.
        debug_assert!(bytes <= self.room(), "INV-region.budget-1: checked before the charge");
        let usage = self.usage() + bytes;
        self.usage.store(usage, Relaxed);
        if usage > self.peak() {
            self.peak.set(usage);
        }
        if self.pressed() {
            let since = self.since.get() + bytes;
            self.since.set(since);
            if since >= self.bound() / 64 {
                self.end_window();
            }
        }
    }

    /// A 64th of the limit was charged: pressure ends, unless a request was refused without the lock meanwhile.
    #[cold]
    fn end_window(&self) {
        if self.refused.get() == 0 {
            self.step_pressure(1);
        } else {
            self.refused.set(0);
            self.since.set(0);
        }
    }

    /// As [`Budget::charge`], of bytes that are not among those there are.
    pub(crate) fn charge_beside(&self, bytes: usize) {
        self.charge(bytes);
        self.beside.set(self.beside.get() + bytes);
    }

    /// Subtracts `bytes` that were charged. Saturates: a wrong figure, which a debug build reports, may not become an
    /// enormous one.
    pub(crate) fn refund(&self, bytes: usize) {
        let usage = self.usage();
        debug_assert!(bytes <= usage, "refund of {bytes} bytes from {usage}");
        self.usage.store(usage.saturating_sub(bytes), Relaxed);
    }

    /// A lowered limit makes every shard close its magazines at its next slow path. A raised one ends the pressure if
    /// as much is free then as after refunds that do.
    pub(crate) fn set_limit(&self, bytes: usize) {
        let before = self.limit();
        self.limit.store(bytes, Relaxed);
        if bytes < before {
            self.nudge();
        } else if bytes > before && self.pressed() && self.real_room() >= self.relief() {
            self.step_pressure(1);
        }
    }

    /// A search for `bytes` failed here: pressure begins, unless the request is large for the limit.
    pub(crate) fn refused(&self, bytes: usize) {
        if bytes <= self.bound() / 16 {
            self.since.set(0);
            self.refused_at.set(self.usage());
            if !self.pressed() {
                self.refused.set(0);
                self.step_pressure(1);
            }
        }
    }

    /// Whether no emptied cache could make room for `bytes`, nor `waiting` bytes that may be refunded.
    pub(crate) fn is_hopeless(&self, bytes: usize, waiting: usize) -> bool {
        // Relaxed is right: a lease precedes the blocks it covers in its thread's order, and what is ordered before
        // this request (by the lock, a depot or the callers' own means) is seen.
        self.usage().saturating_add(bytes).saturating_sub(self.leased()).saturating_sub(waiting) > self.bound()
    }

    /// Bytes that are free when refunds end the pressure: what may then become idle, and as much as the greatest
    /// request that begins pressure.
    fn relief(&self) -> usize {
        let most = self.bound().saturating_sub(self.beside.get());
        self.slack().min(most / 4) + most / 16
    }

    /// Something was refunded that no refusal took: pressure ends once enough is free.
    pub(crate) fn relieve(&self) {
        if !self.pressed() {
            return;
        }
        let (before, least) = (self.refused_at.get(), self.bound() / 16);
        let fell = before.saturating_sub(self.usage());
        // The first comparison is implied by the second, which costs a division.
        if fell >= least.min(before) / 2 && fell >= self.relief().min(before) / 2 && self.real_room() >= self.relief() {
            self.step_pressure(1);
        }
    }

    /// Makes every shard close its magazines at its next slow path, without pressure.
    pub(crate) fn nudge(&self) {
        self.step_pressure(2);
    }

    fn step_pressure(&self, by: u64) {
        self.pressure.store(self.pressure.load(Relaxed) + by, Relaxed);
    }

    // ---- by anyone, without the lock ------------------------------------------------------------------------------

    pub(super) fn pressed(&self) -> bool {
        self.pressure.load(Relaxed) % 2 == 1
    }

    /// A request of `bytes` bytes was refused under pressure, without the lock, where so much was in use.
    pub(super) fn note_refusal(&self, bytes: usize, usage: usize) {
        let bound = self.bound();
        if bytes > bound / 16 {
            return;
        }
        // Stored only where they change: other threads read the line. Two that store at once are as good as one.
        if self.refused.get() == 0 {
            self.refused.set(1);
        }
        if self.refused_at.get().abs_diff(usage) > bound / 256 {
            self.refused_at.set(usage);
        }
    }

    /// The pressure of this limit and of the one above it.
    pub(crate) fn pressure_with(&self, above: &Budget) -> Pressure {
        let (own, above) = (self.pressure.load(Relaxed), above.pressure.load(Relaxed));
        Pressure { value: own.wrapping_add(above), on: (own | above) % 2 == 1 }
    }

    /// Leases `bytes`, if they fit the slack.
    pub(crate) fn grant(&self, bytes: usize) -> bool {
        let mut leased = self.leased.load(Relaxed);
        loop {
            if bytes > self.slack().saturating_sub(leased) {
                return false;
            }
            // ORDERING(Acquire): what the former holders of these bytes emptied is seen before they are filled again.
            //   pairs: `end_lease`'s Release.  loom: m02_cached_never_above_slack; Relaxed fails it.
            // Failure is Relaxed: the value is re-validated by the next exchange.
            match self.leased.compare_exchange_weak(leased, leased + bytes, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(seen) => leased = seen,
            }
        }
    }

    /// Returns `bytes` of lease, whose blocks have left the caches.
    pub(crate) fn end_lease(&self, bytes: usize) {
        // ORDERING(Release): the blocks left before their lease does.
        //   pairs: `grant`'s Acquire.  loom: m02_cached_never_above_slack; Relaxed fails it.
        let before = self.leased.fetch_sub(bytes, Release);
        debug_assert!(before >= bytes, "lease of {bytes} bytes ended with {before} leased");
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_huge_request_in_a_loop_never_refuses_a_small_lease_that_fits() {
        let budget = Budget::new(16_000, 16_000, 16);
        for _ in 0..10_000 {
            assert!(!budget.grant(usize::MAX));
            assert!(!budget.grant(1_001));
        }
        assert!(budget.grant(1_000));
        assert_eq!(budget.leased(), 1_000);
        budget.end_lease(1_000);
        assert_eq!(budget.leased(), 0);
    }

    #[test]
    fn pressure_begins_with_a_refusal_and_ends_after_a_sixty_fourth_of_the_limit() {
        let budget = Budget::new(64_000, usize::MAX, 16);
        let above = Budget::new(usize::MAX, 1 << 30, 16);
        let at_rest = budget.pressure_with(&above);
        budget.refused(5_000);
        assert_eq!(budget.pressure_with(&above), at_rest, "more than 1/16 of the limit causes none");
        budget.refused(4_000);
        assert!(budget.pressure_with(&above).on);
        budget.charge(999);
        assert!(budget.pressure_with(&above).on);
        budget.charge(1);
        assert!(!budget.pressure_with(&above).on);
        assert_ne!(budget.pressure_with(&above).value, at_rest.value);
    }

    #[test]
    fn pressure_ends_by_refunds_once_an_eighth_is_free() {
        let budget = Budget::new(64_000, 64_000, 16);
        let above = Budget::new(usize::MAX, 1 << 30, 16);
        let is_on = || budget.pressure_with(&above).on;
        let refund = |bytes| {
            budget.refund(bytes);
            budget.relieve();
        };
        budget.charge(64_000);
        budget.refused(1_000);
        refund(7_999);
        assert!(is_on());
        // A refusal beside that room counts from there on: it was not for want of room.
        budget.refused(1_000);
        refund(3_999);
        assert!(is_on());
        refund(1);
        assert!(!is_on());
        budget.charge(11_999);
        refund(11_000);
        assert!(!is_on(), "it begins with a refusal only");
        // Where little is used half of that is enough.
        refund(52_000);
        budget.refused(1_000);
        refund(499);
        assert!(is_on());
        refund(1);
        assert!(!is_on());
    }

    #[test]
    fn pressure_ends_by_refunds_under_any_slack_and_a_lowered_limit() {
        for divisor in [0, 1, 2, 16, 1_000] {
            let budget = Budget::new(64_000, 64_000, divisor);
            let above = Budget::new(usize::MAX, 1 << 30, 16);
            budget.charge(64_000);
            budget.refused(1_000);
            budget.set_limit(16_000);
            budget.refund(48_000);
            budget.relieve();
            assert!(budget.pressure_with(&above).on, "{divisor}");
            budget.refund(16_000);
            budget.relieve();
            assert!(!budget.pressure_with(&above).on, "{divisor}");
        }
    }

    #[test]
    fn the_share_keeps_a_quarter_for_late_comers() {
        let budget = Budget::new(16 * 1024, 16 * 1024, 16);
        assert_eq!(budget.share(4), 768);
        assert!(budget.grant(768));
        assert_eq!(budget.share(4), 64);
        assert!(budget.grant(256) && !budget.grant(1));
    }
}
