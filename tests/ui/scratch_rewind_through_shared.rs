// error: E0596
// Who rewinds has it alone.
use sharded_arena::Scratch;

fn main() {
    let scratch = Scratch::new();
    let shared = &scratch;
    let start = shared.checkpoint();
    shared.rewind(start).unwrap(); //~ offending
    assert_eq!(*shared.alloc(7u64), 7);
}
