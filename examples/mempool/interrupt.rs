//! Ctrl-C: the first ends the run early, with its result so far; the second ends the process.

use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code of a process that Ctrl-C ended: 128 and the signal's number.
const INTERRUPTED: i32 = 130;

/// Sets a flag at Ctrl-C from now on, and returns it. Where that is impossible Ctrl-C ends the process as before.
pub(crate) fn flag() -> &'static AtomicBool {
    static FLAG: AtomicBool = AtomicBool::new(false);
    // Relaxed: it orders nothing.
    let _ = ctrlc::set_handler(|| {
        if FLAG.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED);
        }
    });
    &FLAG
}
