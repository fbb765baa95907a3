// error: E0597
// A text in an arena ends before it.
use sharded_arena::Arena;
use sharded_arena::collections::String;

fn main() {
    let other = Arena::new();
    let mut text = String::new_in(&other);
    {
        let arena = Arena::new();
        text = String::from_str_in("inside", &arena); //~ offending
    }
    text.push_str("outside");
}
