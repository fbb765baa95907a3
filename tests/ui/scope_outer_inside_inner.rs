// error: E0502
// The outer scope would hand out what the inner one frees.
use sharded_arena::Scratch;

fn main() {
    Scratch::new().scope(|outer| {
        let number = outer.alloc(7u64);
        outer.scope(|inner| assert_eq!(inner.alloc(*number), number));
        outer.scope(|inner| assert_eq!(inner.alloc(7), outer.alloc(7))); //~ offending
    });
}
