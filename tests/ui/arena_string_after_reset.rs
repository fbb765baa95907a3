// error: E0502
// A text in an arena does not survive a reset.
use sharded_arena::{Arena, format_in};

fn main() {
    let mut arena = Arena::new();
    let text = format_in!(&arena, "{}", 7);
    assert_eq!(text, "7");
    arena.reset(); //~ offending
    assert_eq!(text, "7");
}
