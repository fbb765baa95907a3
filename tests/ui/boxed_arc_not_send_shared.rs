// error: E0277
// A shared `Arc` may be cloned, and the clone be the last to go: its value goes where that is.
use std::sync::MutexGuard;

use sharded_arena::Heap;
use sharded_arena::boxed::Arc;

fn main() {
    let heap = Heap::with_capacity(1 << 16).unwrap();
    let mutex = std::sync::Mutex::new(7);
    let value: Arc<MutexGuard<'_, i32>, _> = Arc::new_in(mutex.lock().unwrap(), &heap);
    std::thread::scope(|threads| {
        let value = &value;
        threads.spawn(move || drop(value.clone())); //~ offending
    });
}
