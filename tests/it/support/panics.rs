//! Panics that are wanted: their texts, and one hook for the whole process, which each thread directs for itself.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static FILE: RefCell<String> = const { RefCell::new(String::new()) };
    static COUNTER: Cell<Option<&'static AtomicUsize>> = const { Cell::new(None) };
}

/// Installs the hook. No test installs another: the tests are threads of one process.
fn hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let ordinary = take_hook();
        set_hook(Box::new(move |info| {
            if let Some(counter) = COUNTER.get() {
                counter.fetch_add(1, Ordering::Relaxed);
            }
            if QUIET.get() {
                FILE.set(info.location().map_or_else(String::new, |at| at.file().to_owned()));
            } else {
                ordinary(info);
            }
        }));
    });
}

/// Runs `run` and returns its result. Its panics print nothing.
pub(crate) fn quietly<R>(run: impl FnOnce() -> R) -> R {
    struct Loud(bool);
    impl Drop for Loud {
        fn drop(&mut self) {
            QUIET.set(self.0);
        }
    }
    hook();
    let _loud_again = Loud(QUIET.replace(true));
    run()
}

/// Counts every panic of this thread from now on, caught or not, also those of its thread-locals' destructors.
pub(crate) fn count_panics(counter: &'static AtomicUsize) {
    hook();
    COUNTER.set(Some(counter));
}

/// Returns the text of the panic that `run` ends with.
#[track_caller]
pub(crate) fn panic_text<R>(run: impl FnOnce() -> R) -> String {
    let mut run = Some(run);
    text_of(&mut || drop(run.take().map(|run| run())))
}

/// Compiled once, not for every closure.
#[track_caller]
fn text_of(run: &mut dyn FnMut()) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(run)) else { panic!("it did not panic") };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&'static str>().expect("a text")).to_owned(),
    }
}

/// Returns the text of the panic that `run` ends with, and the file that it names.
#[track_caller]
pub(crate) fn panic_text_and_file<R>(run: impl FnOnce() -> R) -> (String, String) {
    let text = quietly(|| panic_text(run));
    (text, FILE.take())
}
