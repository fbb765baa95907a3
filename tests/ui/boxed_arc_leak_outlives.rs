// error: E0597
// What is leaked into a heap by reference ends before it.
use sharded_arena::Heap;
use sharded_arena::boxed::Arc;

fn main() {
    let mut leaked = &7;
    {
        let heap = Heap::with_capacity(1 << 16).unwrap();
        leaked = Arc::leak(Arc::new_in(8, &heap)); //~ offending
    }
    println!("{leaked}");
}
