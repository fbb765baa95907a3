// error: E0597
// An `Arc` by reference ends before its heap.
use sharded_arena::Heap;
use sharded_arena::boxed::Arc;

fn main() {
    let other = Heap::with_capacity(1 << 16).unwrap();
    let mut value = Arc::new_in(7, &other);
    {
        let heap = Heap::with_capacity(1 << 16).unwrap();
        value = Arc::new_in(8, &heap); //~ offending
    }
    drop(value);
}
