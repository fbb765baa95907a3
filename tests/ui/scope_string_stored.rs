// error: E0521
// What a text in a scope leaks ends with the scope.
use sharded_arena::{Scratch, format_in};

fn main() {
    let mut kept: &str = "before";
    Scratch::new().scope(|scope| {
        assert_eq!(format_in!(&*scope, "{}", 7).leak(), "7");
        kept = format_in!(&*scope, "{}", 7).leak(); //~ offending
    });
    assert_eq!(kept, "before");
}
