// error: E0502
// A table of the outer scope would grow into what a stage undoes.
use sharded_arena::Scratch;
use sharded_arena::collections::HashMap;

fn main() {
    Scratch::new().scope(|outer| {
        let mut table = HashMap::new_in(&*outer);
        table.insert(1, 2);
        let _ = outer.stage(|inner| if table.insert(2, 3).is_none() { Err(()) } else { Ok(inner.alloc(1)) }); //~ offending
        table.insert(3, 4);
    });
}
