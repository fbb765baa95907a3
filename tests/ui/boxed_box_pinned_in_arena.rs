// error: E0597
// What is pinned in an arena might be forgotten, and the arena reset under it.
use sharded_arena::Arena;
use sharded_arena::boxed::Box;

fn main() {
    let arena = Arena::new();
    drop(Box::new_in(7, &arena));
    drop(Box::into_pin(Box::new_in(7, &arena))); //~ offending
}
