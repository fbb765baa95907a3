// error: E0502
// A vector of the outer scope would grow into what the inner one frees.
use sharded_arena::Scratch;
use sharded_arena::collections::Vec;

fn main() {
    Scratch::new().scope(|outer| {
        let mut bytes = Vec::new_in(&*outer);
        bytes.push(7u8);
        outer.scope(|inner| bytes.extend_from_slice(inner.alloc_slice_copy(&[8; 100]))); //~ offending
        bytes.push(9);
    });
}
