// error: E0596
// Who resets has it alone.
use sharded_arena::Arena;

fn main() {
    let arena = Arena::new();
    let shared = &arena;
    shared.reset(); //~ offending
    assert_eq!(*shared.alloc(7u64), 7);
}
