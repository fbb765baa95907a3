// error: E0596
// Who resets has it alone.
use sharded_arena::Scratch;

fn main() {
    let arena = Scratch::new();
    let shared = &arena;
    shared.reset(); //~ offending
    assert_eq!(*shared.alloc(7u64), 7);
}
