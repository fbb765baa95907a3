//! A relay between two threads: what one fills, the other empties, in batches, for a queue of single objects would
//! measure the queue. Emptied batches come back, so that nothing is allocated on the clock.

use std::{
    hint, iter,
    sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    thread,
};

/// Objects a batch.
pub const BATCH: usize = 256;
/// Batches under way: about 4,000 objects.
pub const BATCHES: usize = 16;

/// The side that fills batches.
pub struct Front<T> {
    emptied: Receiver<Vec<T>>,
    filled: SyncSender<Vec<T>>,
}

/// The side that empties them.
pub struct Back<T> {
    filled: Receiver<Vec<T>>,
    emptied: SyncSender<Vec<T>>,
}

pub fn relay<T>() -> (Front<T>, Back<T>) {
    let (give_filled, filled) = sync_channel(BATCHES);
    let (give_emptied, emptied) = sync_channel(BATCHES);
    for batch in iter::repeat_with(|| Vec::with_capacity(BATCH)).take(BATCHES) {
        give_emptied.send(batch).expect("room for every batch");
    }
    (Front { emptied, filled: give_filled }, Back { filled, emptied: give_emptied })
}

impl<T> Front<T> {
    /// An empty batch, to be filled with [`BATCH`] objects and sent.
    #[inline]
    pub fn blank(&self) -> Vec<T> {
        receive(&self.emptied)
    }

    #[inline]
    pub fn send(&self, batch: Vec<T>) {
        self.filled.send(batch).expect("the other side lives");
    }
}

impl<T> Back<T> {
    /// The next filled batch, to be emptied and sent back.
    #[inline]
    pub fn filled(&self) -> Vec<T> {
        receive(&self.filled)
    }

    #[inline]
    pub fn send_back(&self, batch: Vec<T>) {
        self.emptied.send(batch).expect("the other side lives");
    }
}

/// Spins for a while, for the other side is about to send; then lets others run.
fn receive<T>(batches: &Receiver<Vec<T>>) -> Vec<T> {
    for turn in 0_u32.. {
        match batches.try_recv() {
            Ok(batch) => return batch,
            Err(TryRecvError::Empty) if turn < 1_000 => hint::spin_loop(),
            Err(TryRecvError::Empty) => thread::yield_now(),
            Err(TryRecvError::Disconnected) => break,
        }
    }
    unreachable!("both sides live as long as the job")
}
