//! `copy`: the block's 2,500 transactions copied into a reset arena, one thread; the reset is not on the clock.

use std::time::Duration;

use super::Row;
use crate::{
    harness::{
        clock::time,
        mib,
        report::Report,
        rounds::{ROUNDS, Rounds},
        sizes::transactions,
        table,
    },
    peers::{
        arena::{Fixed, ViaArena, ViaLocal},
        bare::Bare,
        blink::LocalBlink,
        bulk::{Bulk, CopyIn},
        bump_scope::BumpScope,
        bumpalo::Bumpalo,
        multitude::Multitude,
    },
    work::place::{STANDS, check_copies, copy},
};

/// What the transactions take, and room for what a chunk keeps for itself.
const BYTES: usize = mib(2);
const CAPACITY: usize = mib(256);
/// Fillings a round: one alone is a fraction of a millisecond.
const FILLINGS: usize = 12 * STANDS;

pub(super) fn rows() -> Vec<Row> {
    vec![Row::new("copy", run)]
}

fn run(report: &mut Report) {
    let mut rounds = Rounds::default();
    add(&mut rounds, "local", ViaLocal::with_capacity(CAPACITY));
    add(&mut rounds, "arena", ViaArena::with_capacity(CAPACITY));
    add(&mut rounds, "bumpalo", Bumpalo::with_capacity(BYTES));
    add(&mut rounds, "bump-scope", BumpScope::with_capacity(BYTES));
    add(&mut rounds, "blink-alloc", LocalBlink::with_capacity(BYTES));
    add(&mut rounds, "multitude", Multitude::with_capacity(BYTES));
    add(&mut rounds, "bump region", Fixed::with_capacity(BYTES));
    add(&mut rounds, "floor", Bare::with_capacity(BYTES, 1));
    let outcome = rounds.run(ROUNDS);

    table::heading("copy", "the block's transactions copied into a reset arena; one thread");
    table::outcome(&outcome, "ns a transaction");
    let against_bumpalo = |ours| outcome.median(ours) / outcome.median("bumpalo");
    // One thread, as bumpalo has it: its own handle is judged. Through the shared reference it is printed beside it.
    report.ratio("copy", "bumpalo", against_bumpalo("local"));
    report.ratio("copy-arena", "bumpalo", against_bumpalo("arena"));
}

fn add<A: Bulk>(rounds: &mut Rounds, name: &str, mut arena: A)
where
    for<'a> A::Handle<'a>: CopyIn,
{
    let transactions = transactions();
    check_copies(&mut arena.handle(), &transactions);
    rounds.add(name, move || {
        let filling = |filling| {
            arena.reset();
            let mut handle = Some(arena.handle());
            time(|| handle = handle.take().map(|handle| copy(handle, &transactions, filling)))
        };
        let spent: Duration = (0..FILLINGS).map(filling).sum();
        spent.as_nanos() as f64 / (FILLINGS * transactions.len()) as f64
    });
}
