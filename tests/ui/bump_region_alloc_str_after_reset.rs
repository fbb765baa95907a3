// error: E0502
// A reset ends what was handed out.
use sharded_arena::BumpRegion;

fn main() {
    let mut arena = BumpRegion::with_capacity(4096).unwrap();
    let word = arena.alloc_str("seven");
    arena.reset(); //~ offending
    word.make_ascii_uppercase();
}
