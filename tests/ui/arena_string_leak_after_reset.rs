// error: E0502
// What a text leaks, and its box, are an arena's as long as its borrow.
use sharded_arena::{Arena, format_in};

fn main() {
    let mut arena = Arena::new();
    let (leaked, boxed) = (format_in!(&arena, "{}", 7).leak(), format_in!(&arena, "{}", 8).into_boxed_str());
    assert_eq!((&*leaked, &*boxed), ("7", "8"));
    arena.reset(); //~ offending
    assert_eq!((&*leaked, &*boxed), ("7", "8"));
}
