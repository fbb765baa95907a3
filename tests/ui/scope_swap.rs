// error: lifetime may not live long enough
// Results of a scope that was exchanged for a longer one would outlive their memory.
use sharded_arena::{Scope, Scratch};

fn main() {
    Scratch::new().scope(|longer| {
        Scratch::new().scope(|shorter| {
            exchange(longer, shorter);
        });
    });
}

fn exchange<'a, 'b>(longer: &mut Scope<'a>, shorter: &mut Scope<'b>) {
    assert_eq!(longer.alloc(7), shorter.alloc(7));
    std::mem::swap(longer, shorter); //~ offending
}
