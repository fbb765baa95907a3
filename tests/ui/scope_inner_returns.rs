// error: lifetime may not live long enough
// An inner scope ends what was handed out in it.
use sharded_arena::Scratch;

fn main() {
    Scratch::new().scope(|outer| {
        outer.scope(|inner| {
            let number = inner.alloc(7u64);
            number //~ offending
        });
    });
}
