//! Checkpoints that rewinds abandon: what is remembered of them is bounded.

use sharded_arena::Scratch;

use crate::allocator::{live, peak, reset_peak};
use crate::support::steps;

#[test]
fn abandoned_checkpoints_use_bounded_memory() {
    let mut scratch = Scratch::with_capacity(1 << 20).expect("a stack");
    scratch.alloc(0u8);
    let (start, before) = (scratch.checkpoint(), live());
    let mut round = |keep: bool| {
        if keep {
            scratch.alloc(1u8);
        }
        let place = scratch.checkpoint();
        scratch.alloc(2u8);
        let _abandoned = scratch.checkpoint();
        scratch.rewind(place).expect("the last but one");
    };
    for _ in 0..steps(400_000) {
        round(false);
    }
    assert!(live() - before <= 64 << 10, "{} bytes at one place", live() - before);
    reset_peak();
    for _ in 0..steps(800_000) {
        round(true);
    }
    assert!(peak() - before <= 4 << 20, "{} bytes at many places", peak() - before);
    assert!(live() - before <= 2 << 20, "{} bytes at many places", live() - before);
    assert_eq!(scratch.rewind(start), Ok(()), "the oldest holds");
    assert_eq!(scratch.live_bytes(), 1);
}
