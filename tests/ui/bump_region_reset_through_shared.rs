// error: E0596
// Who resets has it alone.
use sharded_arena::BumpRegion;

fn main() {
    let arena = BumpRegion::with_capacity(4096).unwrap();
    let shared = &arena;
    shared.reset(); //~ offending
    assert_eq!(*shared.alloc(7u64), 7);
}
