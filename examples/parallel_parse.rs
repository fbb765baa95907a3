//! Threads parse a real block into one arena; the rows are used when the threads are gone.
//!
//! The job: a node, an indexer or a database has bytes to parse, cores to parse them with, and results that refer to
//! one another and shall live together and die together. With the global allocator that is an allocation for every list
//! of every row, and a free for each of them afterwards. With an arena it is a few large chunks, freed at once. Most
//! arenas are one thread's; here all threads share one [`Arena`]:
//!
//! ```text
//! let rows: Vec<&Row> = items.par_iter().map_init(|| arena.local(), |local, item| ...local.alloc(...)).collect();
//! ```
//!
//! - `arena.local()` is the thread's own way into the shared arena: no lock, no look-up. It cannot leave its thread.
//! - What it hands out is `&'a mut`, and `'a` is the borrow of the *arena*: neither the local handle nor the thread.
//! - So a row may point to slices that were made before it, and all rows may be used after the thread pool is dropped.
//! - They cannot be used after the arena is: that would not compile. That is all there is to it.
//!
//! By turns the same parser runs on `bumpalo-herd`, which gives every thread an arena of its own; the ratio is that of
//! the median times. Hashing the transactions is most of either.
//!
//! `cargo run --release --example parallel_parse -- --help`

use std::error::Error;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Instant;

use bitcoin_slices::bitcoin_hashes::Hash as _;
use bitcoin_slices::{Visit as _, Visitor, bsl};
use bumpalo_herd::{Herd, Member};
use lexopt::prelude::*;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use sharded_arena::{Arena, Local};

const HELP: &str = "\
Parses a real block in parallel into one shared arena, and into bumpalo-herd.

Usage: parallel_parse [OPTIONS]

  --threads N  threads that parse, 1 to 255 [4]
  --copies N   how often the block is parsed in one round, 1 to 255 [8]
  --rounds N   timed rounds of each, by turns, 1 to 65535 [15]
  --json       the result as one JSON object on standard output
  --help       this text

Exit code: 0, or 1 if the rows do not add up to what a plain sequential parse gives, or 2 for bad options.";

/// A transaction. Everything it refers to lies in the same memory as itself.
#[derive(Debug)]
struct Row<'a> {
    txid: [u8; 32],
    inputs: &'a [Input<'a>],
    outputs: &'a [Output<'a>],
    /// Satoshis that it pays out.
    total: u64,
}

#[derive(Debug, Clone, Copy)]
struct Input<'a> {
    spends: [u8; 32],
    index: u32,
    script: &'a [u8],
}

#[derive(Debug, Clone, Copy)]
struct Output<'a> {
    satoshis: u64,
    script: &'a [u8],
}

/// Memory that results live in for `'a`: what the two arenas have in common.
trait Memory<'a> {
    fn put<T>(&self, value: T) -> &'a T;
    fn copy<T: Copy>(&self, items: &[T]) -> &'a [T];
}

impl<'a> Memory<'a> for Local<'a> {
    fn put<T>(&self, value: T) -> &'a T {
        self.alloc(value)
    }
    fn copy<T: Copy>(&self, items: &[T]) -> &'a [T] {
        self.alloc_slice_copy(items)
    }
}

impl<'a> Memory<'a> for Member<'a> {
    fn put<T>(&self, value: T) -> &'a T {
        self.alloc(value)
    }
    fn copy<T: Copy>(&self, items: &[T]) -> &'a [T] {
        self.alloc_slice_copy(items)
    }
}

/// One thread's parser: its way into the shared memory, and two lists that it uses again for every transaction.
struct Parser<'a, M> {
    memory: M,
    inputs: Vec<Input<'a>>,
    outputs: Vec<Output<'a>>,
}

impl<'a, M: Memory<'a>> Parser<'a, M> {
    fn new(memory: M) -> Self {
        Self { memory, inputs: Vec::new(), outputs: Vec::new() }
    }

    /// Parses one whole transaction into the memory: scripts, then the lists of them, then the row.
    fn row(&mut self, bytes: &[u8]) -> &'a Row<'a> {
        self.inputs.clear();
        self.outputs.clear();
        let parsed = bsl::Transaction::visit(bytes, self).expect("the block was parsed before");
        self.memory.put(Row {
            txid: parsed.parsed().txid().to_byte_array(),
            inputs: self.memory.copy(&self.inputs),
            outputs: self.memory.copy(&self.outputs),
            total: self.outputs.iter().map(|output| output.satoshis).sum(),
        })
    }
}

impl<'a, M: Memory<'a>> Visitor for Parser<'a, M> {
    fn visit_tx_in(&mut self, _: usize, tx_in: &bsl::TxIn) -> ControlFlow<()> {
        let mut spends = [0; 32];
        spends.copy_from_slice(tx_in.prevout().txid());
        let script = self.memory.copy(tx_in.script_sig());
        self.inputs.push(Input { spends, index: tx_in.prevout().vout(), script });
        ControlFlow::Continue(())
    }

    fn visit_tx_out(&mut self, _: usize, tx_out: &bsl::TxOut) -> ControlFlow<()> {
        let script = self.memory.copy(tx_out.script_pubkey());
        self.outputs.push(Output { satoshis: tx_out.value(), script });
        ControlFlow::Continue(())
    }
}

/// Parses `items` on the pool's threads into `arena`: the line that this example is about.
fn into_arena<'a>(pool: &ThreadPool, arena: &'a Arena, items: &[&[u8]]) -> Vec<&'a Row<'a>> {
    pool.install(|| items.par_iter().map_init(|| Parser::new(arena.local()), |parser, item| parser.row(item)).collect())
}

/// The same into a herd, which lends each thread an arena of its own.
fn into_herd<'a>(pool: &ThreadPool, herd: &'a Herd, items: &[&[u8]]) -> Vec<&'a Row<'a>> {
    pool.install(|| items.par_iter().map_init(|| Parser::new(herd.get()), |parser, item| parser.row(item)).collect())
}

/// What rows add up to: inputs, outputs, satoshis, and the values of all bytes of ids and scripts.
fn totals(rows: &[&Row<'_>]) -> [u64; 4] {
    let weigh = |bytes: &[u8]| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    let mut totals = [0; 4];
    for row in rows {
        let inputs = row.inputs.iter().map(|i| weigh(&i.spends) + u64::from(i.index) + weigh(i.script));
        let outputs = row.outputs.iter().map(|o| o.satoshis + weigh(o.script));
        let bytes = weigh(&row.txid) + inputs.sum::<u64>() + outputs.sum::<u64>();
        let parts = [row.inputs.len() as u64, row.outputs.len() as u64, row.total, bytes];
        totals.iter_mut().zip(parts).for_each(|(total, part)| *total += part);
    }
    totals
}

/// The transactions of a block, as bytes.
#[derive(Default)]
struct Cut(Vec<Box<[u8]>>);

impl Visitor for Cut {
    fn visit_transaction(&mut self, tx: &bsl::Transaction) -> ControlFlow<()> {
        self.0.push(tx.as_ref().into());
        ControlFlow::Continue(())
    }
}

fn main() -> ExitCode {
    run().unwrap_or_else(|problem| {
        eprintln!("parallel_parse: {problem}\nTry --help.");
        ExitCode::from(2)
    })
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let (mut threads, mut copies, mut rounds, mut json) = (4, 8, 15, false);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("threads") => threads = args.value()?.parse::<u8>()?.max(1),
            Long("copies") => copies = args.value()?.parse::<u8>()?.max(1),
            Long("rounds") => rounds = args.value()?.parse::<u16>()?.max(1),
            Long("json") => json = true,
            Long("help") => return Ok(writeln!(std::io::stdout(), "{HELP}").map(|()| ExitCode::SUCCESS)?),
            other => return Err(other.unexpected().into()),
        }
    }
    let mut cut = Cut::default();
    bsl::Block::visit(bitcoin_test_data::blocks::mainnet_702861(), &mut cut).map_err(|e| format!("block: {e:?}"))?;
    let items: Vec<&[u8]> = (0..copies).flat_map(|_| cut.0.iter().map(|bytes| &**bytes)).collect();

    // What one thread parses, into the other crate's memory.
    let mut herd = Herd::new();
    let mut parser = Parser::new(herd.get());
    let expected = totals(&items.iter().map(|item| parser.row(item)).collect::<Vec<_>>());
    drop(parser);

    let mut arena = Arena::new();
    let pool = ThreadPoolBuilder::new().num_threads(threads.into()).build()?;
    let [ours, theirs] = race(&pool, &mut arena, &mut herd, &items, rounds);
    let rows = into_arena(&pool, &arena, &items);
    drop(pool); // its threads are gone, what they made is not
    let found = totals(&rows);
    let (usage, live, ratio) = (arena.memory_usage(), arena.live_bytes(), theirs / ours);
    let (rows, [inputs, outputs, satoshis, _], equal) = (rows.len(), found, found == expected);
    let report = if json {
        format!(
            "{{\"threads\":{threads},\"rows\":{rows},\"outputs\":{outputs},\"satoshis\":{satoshis},\"equal\":{equal},\
             \"memory_usage\":{usage},\"live_bytes\":{live},\"arena_us\":{ours:.1},\"herd_us\":{theirs:.1},\"ratio\":{ratio:.3}}}"
        )
    } else {
        format!(
            "{rows} transactions with {inputs} inputs and {outputs} outputs, {satoshis} satoshis, by {threads} threads\n\
             as a sequential parse has it: {equal}\n\
             memory: {usage} bytes taken, {live} of them in rows and what they refer to\n\
             median of {rounds} rounds: Arena {ours:.0} us, bumpalo-herd {theirs:.0} us; herd / Arena: {ratio:.2}"
        )
    };
    writeln!(std::io::stdout(), "{report}")?;
    Ok(if equal { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Median times in microseconds, of the arena and of the herd; they take turns, and turns at going first.
fn race(pool: &ThreadPool, arena: &mut Arena, herd: &mut Herd, items: &[&[u8]], rounds: u16) -> [f64; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for turn in (0..rounds).flat_map(|round| [round % 2, 1 - round % 2]) {
        let start = Instant::now();
        if turn == 0 {
            into_arena(pool, arena, items);
        } else {
            into_herd(pool, herd, items);
        }
        times[usize::from(turn)].push(start.elapsed());
        // The end of the rows: a use of them from here on would not compile. Their memory stays warm.
        arena.reset();
        herd.reset();
    }
    times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e6
    })
}
