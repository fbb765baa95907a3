// error: E0277
// A box of a thread's own handle stays with it.
use sharded_arena::Heap;
use sharded_arena::boxed::Box;

fn main() {
    let heap = Heap::with_capacity(1 << 16).unwrap();
    let local = heap.local();
    std::thread::scope(|threads| {
        let value = Box::new_in(7, &local);
        threads.spawn(move || drop(value)); //~ offending
    });
}
