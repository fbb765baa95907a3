//! `scratch-local`, `scratch-arena`: 100,000 objects of 24 bytes into a reset arena, one thread; the objects are
//! written, the reset is not on the clock. Our arena through `local()`, and through plain calls on `&Arena`.
//!
//! The peers hold everything in one chunk of their own from the start, where they can be told to; ours takes its chunks
//! from its region as it does anywhere.

use std::time::Duration;

use super::{Row, once};
use crate::{
    harness::{
        clock::time,
        mib,
        rounds::{Outcome, ROUNDS, Rounds},
        table,
    },
    peers::{
        arena::{self, ViaArena, ViaLocal},
        bare::Bare,
        bitena,
        blink::LocalBlink,
        bulk::{Bulk, Object, Place},
        bump_scope::BumpScope,
        bumpalo::Bumpalo,
        multitude::Multitude,
    },
    work::place::{Placed, STANDS, place},
};

const OBJECTS: usize = 100_000;
/// What the objects take, and room for an alignment.
const BYTES: usize = OBJECTS * size_of::<Object>() + 64;
const CAPACITY: usize = mib(256);
/// Fillings a round: one alone is a fraction of a millisecond.
const FILLINGS: usize = 8 * STANDS;

pub(super) fn rows() -> Vec<Row> {
    let measured = once(measure);
    let row = |name: &'static str, ours: &'static str| {
        let measured = measured.clone();
        Row::new(name, move |report| {
            let outcome = measured();
            report.ratio(name, "bumpalo", outcome.median(ours) / outcome.median("bumpalo"));
        })
    };
    vec![row("scratch-local", "local"), row("scratch-arena", "arena")]
}

fn measure() -> Outcome {
    let mut rounds = Rounds::default();
    add(&mut rounds, "local", ViaLocal::with_capacity(CAPACITY));
    add(&mut rounds, "arena", ViaArena::with_capacity(CAPACITY));
    add(&mut rounds, "bumpalo", Bumpalo::with_capacity(BYTES));
    add(&mut rounds, "bump-scope", BumpScope::with_capacity(BYTES));
    add(&mut rounds, "blink-alloc", LocalBlink::with_capacity(BYTES));
    add(&mut rounds, "multitude", Multitude::with_capacity(BYTES));
    add(&mut rounds, "bump region", arena::Fixed::with_capacity(BYTES));
    add(&mut rounds, "bitena", bitena::Fixed::with_capacity(BYTES));
    add(&mut rounds, "floor", Bare::with_capacity(BYTES, 1));
    let outcome = rounds.run(ROUNDS);
    table::heading("scratch", "100,000 objects of 24 bytes into a reset arena; one thread");
    table::outcome(&outcome, "ns an object");
    outcome
}

fn add<A: Bulk>(rounds: &mut Rounds, name: &str, mut arena: A)
where
    for<'a> A::Handle<'a>: Place,
{
    Placed::new(&mut arena.handle(), OBJECTS, 0).check();
    rounds.add(name, move || {
        let filling = |filling| {
            arena.reset();
            let mut handle = Some(arena.handle());
            time(|| handle = handle.take().map(|handle| place(handle, OBJECTS, filling)))
        };
        let spent: Duration = (0..FILLINGS).map(filling).sum();
        spent.as_nanos() as f64 / (FILLINGS * OBJECTS) as f64
    });
}
