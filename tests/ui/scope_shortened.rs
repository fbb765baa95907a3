// error: lifetime may not live long enough
// A scope is invariant: of another lifetime it is another type.
use sharded_arena::{Scope, Scratch};

fn main() {
    Scratch::new().scope(|scope| shorter(scope, &7));
}

fn shorter<'short, 'long: 'short>(scope: &Scope<'long>, _: &'short u8) {
    let _: &Scope<'long> = scope;
    let _: &Scope<'short> = scope; //~ offending
}
