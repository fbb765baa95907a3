//! A thread's end where a model wants it. A thread that does not end so lives until [`end_all`].

use super::{CACHE, Cell, END, per_thread, tokens};

per_thread! {
    static LATE: Cell<bool> = Cell::new(false);
}

/// Whether the calling thread's [`EndOfThread`](super::EndOfThread) is gone.
pub(super) fn is_late() -> bool {
    LATE.with(Cell::get)
}

/// The calling thread's [`EndOfThread`](super::EndOfThread) is gone, or has come back to life.
pub(crate) fn set_late(late: bool) {
    LATE.with(|is_late| is_late.set(late));
}

/// What the destructor does; the thread is late from now on.
pub(crate) fn end() {
    CACHE.with(|cache| END.with(|end| end.end(Some(cache), tokens())));
    set_late(true);
}

/// The calling thread has a token from now on, though it uses no heap.
pub(crate) fn take() {
    END.with(|end| assert!(end.token(tokens()).is_some(), "a slot for every role"));
}

/// Ends every token that lives. No role runs any more.
pub(crate) fn end_all() {
    for (slot, word) in tokens().generations.iter().enumerate() {
        let generation = word.load(crate::sync::Relaxed);
        if generation % 2 == 1 {
            tokens().end(super::Token::new(slot, generation));
        }
    }
}
