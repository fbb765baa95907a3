// error: E0502
// A reset ends what was handed out.
use sharded_arena::Arena;

fn main() {
    let mut arena = Arena::new();
    let word = arena.alloc_str("seven");
    arena.reset(); //~ offending
    word.make_ascii_uppercase();
}
