//! A node's transaction pool under a byte limit: the crate's main job.
//!
//! Threads take in the transactions of a real block, repeated with distinct ids, into a pool whose bytes and index live
//! in one [`sharded_arena::Heap`]. When the heap refuses, the transaction with the lowest fee rate is evicted; other
//! threads remove the batches that blocks confirm, so most frees are of another thread's blocks. The same program runs
//! on the system allocator in between, slice by slice. At the end every survivor is hashed again.
//!
//! - `options`: the command line. `report`: table and JSON. `output`, `progress`, `interrupt`: the terminal.
//! - `block`: the transactions of real blocks. `blocks`: those that the command line names. `block_file`: the forms of
//!   their files. `looks`: what else a file may be.
//! - `backend`, `heap`, `system`: the two memories.
//! - `record`: bytes in pieces. `slab`, `by_id`, `by_fee`, `stripe`: the index; `lengths`: its size. `pool`: admission,
//!   eviction, confirmation.
//! - `half`: the threads.
//!
//! What the pool's name does not tell:
//! - The fee rate is drawn from the id, for a block holds no input amounts.
//! - A newcomer competes for the memory like everyone: when its own fee rate is the lowest it is what goes, and is
//!   counted as rejected. Without that, a worthless transaction would evict a better one.
//! - A refusal evicts as many bytes as were asked for, then asks again: the heap may still have no range that is long
//!   enough. A transaction that would evict more than four times its size this way is rejected. One that has no room
//!   even after all that pay less have gone is rejected before any of them goes.
//! - Only admitted transactions count towards the transactions a second.
//! - The system allocator's half is charged the bytes it is asked for, not what it uses.

mod backend;
mod block;
mod block_file;
mod blocks;
mod by_fee;
mod by_id;
mod half;
mod heap;
mod interrupt;
mod lengths;
mod looks;
mod options;
mod output;
mod pool;
mod progress;
mod record;
mod report;
mod slab;
mod stripe;
mod system;
#[cfg(test)]
mod tests;

use std::num::NonZero;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use indicatif::ProgressDrawTarget;
use sharded_arena::Heap;
use sharded_arena::allocator_api2::alloc::Global;

use crate::backend::Backend;
use crate::block::Source;
use crate::blocks::Loaded;
use crate::half::{Half, confirming_threads};
use crate::lengths::Lengths;
use crate::options::Options;
use crate::output::{Failure, complain, say, tell};
use crate::pool::Pool;
use crate::report::{Outcome, grouped};
use crate::system::Counted;

/// Least length of a slice of one half, as nearly as the run's length allows, and for each thread that starts in it.
const SLICE: Duration = Duration::from_millis(100);
const SLICE_A_THREAD: Duration = Duration::from_millis(2);

/// More threads than this many times the processors mostly wait for each other.
const MOST_THREADS_A_PROCESSOR: usize = 8;

fn main() -> ExitCode {
    let done = match options::parse(lexopt::Parser::from_env()) {
        Ok(None) => say(options::HELP.trim_end()).map(|()| true),
        Ok(Some(options)) => run(&options),
        Err(problem) => Err(Failure::Usage(problem)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(failure) => failure.report(),
    }
}

/// Runs both halves and reports; `false` when something was damaged or the limit was passed.
fn run(options: &Options) -> Result<bool, Failure> {
    let Loaded { sources, blocks } = blocks::load(&options.blocks).map_err(Failure::System)?;
    let heap = Heap::with_capacity(options.limit_bytes)
        .map_err(|e| Failure::System(format!("--limit {}: no heap of that size: {e}", options.limit_text)))?;
    let system = Counted::new(options.limit_bytes, Global);
    let mut on_heap = half_on(&heap, options, &sources)?;
    let mut on_system = half_on(&system, options, &sources)?;
    tell(options.json, &introduction(options, &sources, blocks))?;
    let stopped = interrupt::flag();
    run_slices(options, &sources, &mut on_heap, &mut on_system, stopped);
    if options.flip && !on_heap.pool.damage_one() {
        return Err(Failure::System("--flip: nothing is stored that could be damaged".to_owned()));
    }
    let (heap, system) = (Outcome::of(&on_heap, &sources), Outcome::of(&on_system, &sources));
    let told = report_both(options, &heap, &system, stopped.load(Ordering::Relaxed));
    for (name, outcome) in [("heap", &heap), ("system allocator", &system)] {
        if let Some(fault) = outcome.fault() {
            complain(&format!("on the {name}: {fault}"));
        }
    }
    let sound = heap.fault().is_none() && system.fault().is_none();
    match told {
        // A reader who has left learns of a fault by the exit code.
        Ok(()) | Err(Failure::ReaderLeft) => Ok(sound),
        Err(failure) => Err(failure),
    }
}

fn report_both(options: &Options, heap: &Outcome, system: &Outcome, stopped: bool) -> Result<(), Failure> {
    if stopped {
        let passed = heap.elapsed() + system.elapsed();
        let planned = options.duration.as_secs_f64();
        tell(options.json, &format!("stopped by Ctrl-C after {:.1} of {planned:.1} s\n", passed.as_secs_f64()))?;
    }
    tell(options.json, &report::table(heap, system))?;
    if options.json { say(&report::json(heap, system)) } else { Ok(()) }
}

fn half_on<'b, B: Backend>(backend: &'b B, options: &Options, sources: &[Source]) -> Result<Half<'b, B>, Failure> {
    let lengths = Lengths::of(sources, options.limit_bytes)
        .ok_or_else(|| Failure::Usage(format!("--limit {}: no transaction fits into it", options.limit_text)))?;
    let pool = Pool::new(backend, lengths)
        .map_err(|e| Failure::System(format!("--limit {}: no room for the index: {e}", options.limit_text)))?;
    Ok(Half::new(pool, options.threads, sources))
}

/// The halves take turns, and turns at going first, so that neither has the better part of the machine's time.
fn run_slices<A: Backend, B: Backend>(
    options: &Options,
    sources: &[Source],
    heap: &mut Half<'_, A>,
    system: &mut Half<'_, B>,
    stopped: &AtomicBool,
) {
    let bar = progress::bar(options.duration, ProgressDrawTarget::stderr());
    let least = SLICE.as_millis().max(SLICE_A_THREAD.as_millis() * options.threads as u128);
    let pairs = u32::try_from(options.duration.as_millis() / (2 * least)).unwrap_or(u32::MAX / 2).max(1);
    let slice = options.duration / (2 * pairs);
    for turn in (0..2 * pairs).take_while(|_| !stopped.load(Ordering::Relaxed)) {
        let before = slice * turn;
        let tick = |passed| bar.set_position(progress::millis(before + passed));
        if matches!(turn % 4, 0 | 3) {
            bar.set_message("heap");
            heap.run_slice(sources, slice, stopped, tick);
        } else {
            bar.set_message("system");
            system.run_slice(sources, slice, stopped, tick);
        }
    }
    bar.set_message("checking");
    bar.finish_and_clear();
}

fn introduction(options: &Options, sources: &[Source], blocks: usize) -> String {
    let bytes = sources.iter().map(|source| source.bytes.len()).sum::<usize>();
    format!(
        "{} transactions of {}, {} bytes, repeated with distinct ids by {} threads; {} more confirm\n\
         fee rates are drawn from the ids (0 to 999): a block holds no input amounts\n\
         {:.1} s in slices of the heap and of the system allocator by turns; each keeps its pool, of {} bytes at most\n{}",
        grouped(&sources.len()),
        match blocks {
            _ if options.blocks.is_empty() => "mainnet block 702861".to_owned(),
            1 => "one block".to_owned(),
            many => format!("{} blocks", grouped(&many)),
        },
        grouped(&bytes),
        options.threads,
        confirming_threads(options.threads),
        options.duration.as_secs_f64(),
        grouped(&options.limit_bytes),
        advice(options.threads, thread::available_parallelism().map_or(1, NonZero::get)),
    )
}

/// A word on more threads than the processors can run.
fn advice(threads: usize, processors: usize) -> String {
    if threads <= processors * MOST_THREADS_A_PROCESSOR {
        return String::new();
    }
    let (these, few) = (if processors == 1 { "processor" } else { "processors" }, processors * 2);
    format!(
        "{threads} threads on {processors} {these} mostly wait for their turn: --threads {few} tells more about the memory\n"
    )
}
