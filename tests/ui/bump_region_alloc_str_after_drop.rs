// error: E0505
// What was handed out ends with its owner.
use sharded_arena::BumpRegion;

fn main() {
    let arena = BumpRegion::with_capacity(4096).unwrap();
    let word = arena.alloc_str("seven");
    drop(arena); //~ offending
    word.make_ascii_uppercase();
}
