//! Threads that are joined.

use std::thread::{self, JoinHandle};

/// Runs `body` on a thread and joins it.
pub(crate) fn on_a_thread<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> R {
    thread::spawn(body).join().expect("no panic")
}

/// Joins threads, none of which may have panicked.
pub(crate) fn join_all(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("no panic");
    }
}
