// error: E0502
// The outer scope would hand out what the inner one frees.
use sharded_arena::Scratch;

fn main() {
    Scratch::new().scope(|outer| {
        let shared = &*outer;
        let number = shared.alloc(7u64);
        outer.scope(|inner| *number += *inner.alloc(7)); //~ offending
        assert_eq!(shared.alloc(*number), number);
    });
}
