// error: lifetime may not live long enough
// A scope ends what was handed out in it.
use sharded_arena::Scratch;

fn main() {
    Scratch::new().scope(|scope| {
        let number = scope.alloc(7u64);
        number //~ offending
    });
}
