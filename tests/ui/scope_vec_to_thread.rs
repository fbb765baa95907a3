// error: E0277
// A vector in a scope stays on the scope's thread.
use sharded_arena::Scratch;
use sharded_arena::collections::Vec;

fn main() {
    Scratch::new().scope(|scope| {
        let bytes: Vec<u8, _> = Vec::new_in(&*scope);
        assert!(bytes.is_empty());
        std::thread::scope(|threads| threads.spawn(move || drop(bytes)).join()).unwrap(); //~ offending
    });
}
