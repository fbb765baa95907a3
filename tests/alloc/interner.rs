//! What an interner asks of the global allocator: little beside its region, nothing while it works, and nothing that it
//! could not be refused.

use crate::allocator::{Requests::Zeroed, calls, live, peak, refusing, reset_peak};
use sharded_arena::{AllocErrorKind, Interner, Region};

/// The text of string `index`, without the global allocator.
fn text(index: usize, room: &mut [u8; 24]) -> &str {
    let (mut index, mut at) = (index, room.len());
    loop {
        at -= 1;
        room[at] = b"0123456789"[index % 10];
        index /= 10;
        if index == 0 {
            return std::str::from_utf8(&room[at..]).expect("digits");
        }
    }
}

#[test]
fn running_interner_allocates_nothing_outside_region() {
    let region = Region::with_capacity(256 << 20).expect("a region");
    let before = live();
    reset_peak();
    let names = Interner::in_region(&region);
    let mut room = [0; 24];
    names.intern(text(0, &mut room)).expect("room");
    let calls_before = calls();
    let strings = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
    let mut bytes = 0;
    for index in 0..strings {
        let text = text(index, &mut room);
        bytes += text.len();
        assert_eq!(names.intern(text).expect("room").index(), index);
        assert_eq!(names.get(text), names.intern(text).ok());
        // From the first hundred on there is no beginning left to speak of.
        let bound = bytes * 22 / 10 + 64 * (index + 1);
        assert!(index < 1000 || names.memory_usage() <= bound, "{} of {bound} at {index}", names.memory_usage());
    }
    assert_eq!(calls(), calls_before, "a running interner asks the global allocator for nothing");
    assert!(peak() - before <= 64 << 10, "{} bytes beside the region", peak() - before);
    let frozen = names.freeze();
    assert!(peak() - before <= 64 << 10);
    drop(frozen);
    assert_eq!(live(), before, "a leak");
    assert_eq!(region.memory_usage(), 0);
}

#[test]
fn refused_first_use_is_retried() {
    for given in [true, false] {
        let mut refused = 0;
        for failure in 0.. {
            let region = given.then(|| Region::with_capacity(1 << 20).expect("a region"));
            let names = region.as_ref().map_or_else(Interner::new, Interner::in_region);
            let live_before = live();
            let answer = refusing(Zeroed, failure, || names.intern("first"));
            let Err(error) = answer else { break };
            refused += 1;
            assert!(matches!(error.kind, AllocErrorKind::System(system) if system.asked > 0), "{error}");
            assert_eq!((error.requested, error.usage), (5, 0));
            assert_eq!((names.len(), names.memory_usage(), live()), (0, 0, live_before), "failure {failure} leaks");
            assert_eq!(names.intern("first").expect("the next call tries again").index(), 0);
            let usage = names.memory_usage();
            assert!(region.is_none_or(|region| region.memory_usage() == usage && region.verify().is_ok()));
        }
        assert!(refused >= 2, "the account, the body, the directory: {refused}");
    }
}
