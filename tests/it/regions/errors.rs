//! Errors of the typed layer: their texts, what they carry, and what lies behind them.

use std::error::Error;

use sharded_arena::{AllocError, AllocOrInitError, AllocValueError, BumpRegion, RewindError};

/// Neither `Debug` nor `Display`.
struct Opaque([u64; 3]);

fn refused() -> AllocValueError<Opaque> {
    let region = BumpRegion::with_capacity(16).expect("memory");
    region.try_alloc(Opaque([1, 2, 3])).map(|_| ()).expect_err("24 of 16")
}

#[test]
fn alloc_error_carries_the_value() {
    let error = refused();
    let text = "limit reached: 24 bytes (alignment 8) asked for, 0 of 16 bytes in use, longest free range 16 bytes";
    assert_eq!((error.to_string(), error.error.to_string()), (text.into(), text.into()));
    assert!(format!("{error:?}").starts_with("AllocValueError { error: AllocError { requested: 24"));
    assert_eq!(error.source().and_then(|source| source.downcast_ref::<AllocError>()), Some(&error.error));
    assert_eq!(error.into_value().0, [1, 2, 3]);
}

#[test]
fn init_error_is_memory_or_value() {
    let from = AllocOrInitError::<std::num::ParseIntError>::from(refused().error);
    assert!(matches!(from, AllocOrInitError::Alloc(error) if error.requested == 24));
    assert_eq!(from.to_string(), refused().to_string());
    assert!(from.source().is_some_and(<dyn Error>::is::<AllocError>));
    let own = "x".parse::<u8>().map_err(AllocOrInitError::Init).expect_err("no number");
    assert_eq!(own.to_string(), "the value could not be made: invalid digit found in string");
    assert!(own.source().is_some_and(<dyn Error>::is::<std::num::ParseIntError>));
    assert_ne!(from, own);
}

#[test]
fn rewind_errors_name_the_cause() {
    let texts = [RewindError::Foreign, RewindError::Stale, RewindError::OutOfOrder].map(|error| error.to_string());
    let ends = ["another scratch stack's", "reset since the checkpoint was made", "rewound to before the checkpoint"];
    for (text, end) in texts.iter().zip(ends) {
        assert!(text.starts_with("invalid rewind: ") && text.ends_with(end), "{text}");
    }
}
