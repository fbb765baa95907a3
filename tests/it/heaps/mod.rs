//! Heaps.

mod checked;
mod limits;
mod parked_threads;
mod scripts;
mod thread_exit;
mod threads;
