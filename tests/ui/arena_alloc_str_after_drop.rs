// error: E0505
// What was handed out ends with its owner.
use sharded_arena::Arena;

fn main() {
    let arena = Arena::new();
    let word = arena.alloc_str("seven");
    drop(arena); //~ offending
    word.make_ascii_uppercase();
}
