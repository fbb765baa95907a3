// error: E0502
// A reset drops the value.
use sharded_arena::Arena;

fn main() {
    let mut arena = Arena::new();
    let text = arena.alloc_dropped(String::from("seven"));
    arena.reset(); //~ offending
    text.push('!');
}
