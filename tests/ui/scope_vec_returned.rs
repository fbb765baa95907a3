// error: lifetime may not live long enough
// A vector in a scope ends with it.
use sharded_arena::Scratch;
use sharded_arena::collections::Vec;

fn main() {
    let mut scratch = Scratch::new();
    scratch.scope(|scope| Vec::<u8, _>::new_in(&*scope).len());
    scratch.scope(|scope| Vec::<u8, _>::new_in(&*scope)); //~ offending
}
