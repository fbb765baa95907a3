//! A node's transaction pool under a byte limit: the crate's main job.
//!
//! Threads take in the transactions of a real block, repeated with distinct ids, into a pool whose bytes and index live in
//! one [`sharded_arena::Heap`]. When the heap refuses, the transaction with the lowest fee rate is evicted; other threads
//! remove the batches that blocks confirm, so most frees are of another thread's blocks. The same program runs on the
//! system allocator in between, slice by slice. At the end every survivor is hashed again.
//!
//! - `options`: the command line. `report`: table and JSON.
//! - `block`: the transactions of real blocks. `block_file`: the forms of their files. `looks`: what else a file may be.
//! - `backend`, `heap`, `system`: the two memories.
//! - `record`: bytes in pieces. `slab`, `by_id`, `by_fee`, `stripe`: the index. `pool`: admission, eviction, confirmation.
//! - `half`: the threads.
//!
//! What the pool's name does not tell:
//! - The fee rate is drawn from the id, for a block holds no input amounts.
//! - A newcomer competes for the memory like everyone: when its own fee rate is the lowest it is what goes, and is counted
//!   as rejected. Without that, a worthless transaction would evict a better one.
//! - A refusal evicts as many bytes as were asked for, then asks again: the heap may still have no range that is long
//!   enough. A transaction that would evict more than four times its size this way is rejected.
//! - Only admitted transactions count towards the transactions a second.
//! - The system allocator's half is charged the bytes it is asked for, not what it uses.

mod backend;
mod block;
mod block_file;
mod by_fee;
mod by_id;
mod half;
mod heap;
mod looks;
mod options;
mod pool;
mod record;
mod report;
mod slab;
mod stripe;
mod system;
#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use sharded_arena::Heap;

use crate::backend::Backend;
use crate::block::{Loaded, Source};
use crate::half::{Half, confirming_threads};

use crate::options::Options;
use crate::pool::Pool;
use crate::report::{Outcome, grouped};
use crate::system::Counted;

/// Least length of a slice of one half, as nearly as the run's length allows, and for each thread that starts in it.
const SLICE: Duration = Duration::from_millis(100);
const SLICE_A_THREAD: Duration = Duration::from_millis(2);

fn main() -> ExitCode {
    let done = match options::parse(lexopt::Parser::from_env()) {
        Ok(None) => say(options::HELP.trim_end()).map(|()| true),
        Ok(Some(options)) => run(&options),
        Err(problem) => Err(format!("{problem}\nTry --help.")),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(problem) => {
            eprintln!("mempool: {problem}");
            ExitCode::from(2)
        }
    }
}

/// Runs both halves and reports; `false` when something was damaged or the limit was passed.
fn run(options: &Options) -> Result<bool, String> {
    let Loaded { sources, blocks } = block::load(&options.blocks)?;
    let heap = Heap::with_capacity(options.limit_bytes)
        .map_err(|e| format!("--limit {}: no heap of that size: {e}", options.limit_bytes))?;
    let system = Counted::new(options.limit_bytes);
    let mut on_heap = half_on(&heap, options, &sources)?;
    let mut on_system = half_on(&system, options, &sources)?;
    tell(options, &introduction(options, &sources, blocks))?;
    run_slices(options, &sources, &mut on_heap, &mut on_system);
    if options.flip && !on_heap.pool.damage_one() {
        return Err("--flip: nothing is stored that could be damaged".to_owned());
    }
    let (heap, system) = (Outcome::of(&on_heap, &sources), Outcome::of(&on_system, &sources));
    tell(options, &report::table(&heap, &system))?;
    if options.json {
        say(&report::json(&heap, &system))?;
    }
    for (name, outcome) in [("heap", &heap), ("system allocator", &system)] {
        if let Some(fault) = outcome.fault() {
            eprintln!("mempool: on the {name}: {fault}");
        }
    }
    Ok(heap.fault().is_none() && system.fault().is_none())
}

fn half_on<'b, B: Backend>(backend: &'b B, options: &Options, sources: &[Source]) -> Result<Half<'b, B>, String> {
    let total_bytes = sources.iter().map(|source| source.bytes.len()).sum::<usize>();
    let pool = Pool::new(backend, total_bytes / sources.len())
        .map_err(|e| format!("--limit {}: no room for the index: {e}", options.limit_bytes))?;
    Ok(Half::new(pool, options.threads, sources))
}

/// The halves take turns, and turns at going first, so that neither has the better part of the machine's time.
fn run_slices<A: Backend, B: Backend>(
    options: &Options,
    sources: &[Source],
    heap: &mut Half<'_, A>,
    system: &mut Half<'_, B>,
) {
    let bar = progress_bar(options.duration);
    let least = SLICE.as_millis().max(SLICE_A_THREAD.as_millis() * options.threads as u128);
    let pairs = u32::try_from(options.duration.as_millis() / (2 * least)).unwrap_or(u32::MAX / 2).max(1);
    let slice = options.duration / (2 * pairs);
    for turn in 0..2 * pairs {
        let before = slice * turn;
        let tick = |passed| bar.set_position(millis(before + passed));
        if matches!(turn % 4, 0 | 3) {
            bar.set_message("heap");
            heap.run_slice(sources, slice, tick);
        } else {
            bar.set_message("system");
            system.run_slice(sources, slice, tick);
        }
    }
    bar.set_message("checking every survivor");
    bar.finish_and_clear();
}

fn progress_bar(duration: Duration) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} % {elapsed_precise} {msg}");
    ProgressBar::new(millis(duration)).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn introduction(options: &Options, sources: &[Source], blocks: usize) -> String {
    let bytes = sources.iter().map(|source| source.bytes.len()).sum::<usize>();
    format!(
        "{} transactions of {}, {} bytes, repeated with distinct ids by {} threads; {} more confirm\n\
         fee rates are drawn from the ids (0 to 999): a block holds no input amounts\n\
         {:.1} s in slices of the heap and of the system allocator by turns; each keeps its pool, of {} bytes at most\n",
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
    )
}

/// Prints what people read: to standard output, which with `--json` is the object's alone.
fn tell(options: &Options, text: &str) -> Result<(), String> {
    if options.json {
        eprintln!("{text}");
        return Ok(());
    }
    say(text)
}

fn say(text: &str) -> Result<(), String> {
    writeln!(std::io::stdout().lock(), "{text}").map_err(|e| format!("standard output: {e}"))
}
