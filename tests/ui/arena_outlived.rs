// error: E0597
// What was handed out ends with its owner, at the end of a block too.
use sharded_arena::Arena;

fn main() {
    let mut word = "";
    {
        let arena = Arena::new();
        word = arena.alloc_str("word"); //~ offending
    }
    assert_eq!(word, "");
}
