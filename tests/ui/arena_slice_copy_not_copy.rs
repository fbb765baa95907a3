// error: E0277
// Two owners of one text would free it twice.
use sharded_arena::Arena;

fn main() {
    let arena = Arena::new();
    let texts = [String::from("one owner")];
    arena.alloc_slice_copy(&texts); //~ offending
    assert_eq!(arena.alloc_slice_clone(&texts), texts);
}
