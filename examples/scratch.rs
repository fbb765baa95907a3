//! Threads check a block's transactions, each with scratch memory that is freed as the work goes.
//!
//! The job: checking one transaction needs a dozen short lists (its inputs, sorted; what each script pushes), and none
//! of them afterwards. Scratch memory is a stack: allocating moves a cursor, leaving a scope moves it back. So a thread
//! that checks a million transactions needs the memory of its largest one and of what it keeps, and takes hardly ever a
//! lock.
//!
//! ```text
//! arena.scratch()                    lent to this thread, charged to the shared arena, used again by its next borrower
//! └─ scope   a batch                 what was kept of each transaction
//!    └─ stage   one transaction      keeps its summary if it is valid, undoes all of it if it is not
//!       └─ scope   its lists         inputs and scripts, gone when it has been checked
//!          └─ scope   one script     its pushes, gone with the script
//! ```
//!
//! - A result lives as long as its scope. To carry it out does not compile: try to return `pushes` from the innermost
//!   one.
//! - `stage` keeps all that was made in it, as long as the scope around it, if it ends with `Ok(kept)`; with `Err`, or
//!   a panic, it has never been. So what is not worth keeping goes into a `scope` inside.
//! - What is put into a scope may refer to other results of that scope, and to what is outside. A function that is
//!   handed a scope and does not name what is outside (`&mut Scope<'_>`, as here) puts nothing but its own into it: it
//!   copies what it needs, as `Lists` does with scripts, or puts lengths, as `Pushes` gives them.
//! - Values are not dropped. Keep what owns something, a `Vec` for example, out of scratch memory.
//!
//! The rules are real: no output spent twice, no more money than there is, scripts of inputs push 520 bytes at a time
//! at most and do nothing else. Two forged transactions behind every hundred real ones break them.
//! `cargo run --release --example scratch -- --help`

use std::error::Error;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::process::ExitCode;

use bitcoin_slices::bitcoin_hashes::{Hash as _, sha256d};
use bitcoin_slices::{Visit as _, Visitor, bsl};
use lexopt::prelude::*;
use sharded_arena::{Arena, Scope};

const HELP: &str = "\
Checks the transactions of a real block, and some forged ones, with scratch memory by thread.

Usage: scratch [OPTIONS]

  --threads N  threads that check, 1 to 255 [4]
  --rounds N   how often they check the block, 1 to 65535 [20]

Exit code: 0, or 1 if a forged transaction passed, or a real one did not or lost its id, or 2 for bad options.";

const MOST_SATOSHIS: u64 = 2_100_000_000_000_000; // that there will ever be
const SUBSIDY_SATOSHIS: u64 = 625_000_000; // that a block of this height creates

/// What is kept of a transaction.
#[derive(Debug, Clone, Copy)]
struct Summary {
    txid: [u8; 32],
    /// What the coinbase takes beyond what the block creates: the fees of all transactions.
    fees: u64,
}

/// A transaction's lists, in the scope that is open for it. Their lengths are known before their items.
struct Lists<'x, 's> {
    scope: &'x Scope<'s>,
    outpoints: &'s mut [([u8; 32], u32)],
    scripts: &'s mut [&'s [u8]],
    paid: Option<u64>,
}

impl Visitor for Lists<'_, '_> {
    fn visit_tx_ins(&mut self, count: usize) {
        self.outpoints = self.scope.alloc_slice_fill_copy(count, ([0; 32], 0));
        self.scripts = self.scope.alloc_slice_fill_copy(count, &[][..]);
    }

    fn visit_tx_in(&mut self, index: usize, tx_in: &bsl::TxIn) -> ControlFlow<()> {
        self.outpoints[index].0.copy_from_slice(tx_in.prevout().txid());
        self.outpoints[index].1 = tx_in.prevout().vout();
        self.scripts[index] = self.scope.alloc_slice_copy(tx_in.script_sig());
        ControlFlow::Continue(())
    }

    fn visit_tx_out(&mut self, _: usize, tx_out: &bsl::TxOut) -> ControlFlow<()> {
        self.paid = self.paid.and_then(|paid| paid.checked_add(tx_out.value())).filter(|paid| *paid <= MOST_SATOSHIS);
        ControlFlow::Continue(())
    }
}

/// Checks one transaction in a scope of its own; gives its summary and the bytes that were asked of scratch memory.
fn check(scope: &mut Scope<'_>, bytes: &[u8]) -> Result<(Summary, usize), &'static str> {
    let mut lists = Lists { scope, outpoints: &mut [], scripts: &mut [], paid: Some(0) };
    let parsed = bsl::Transaction::visit(bytes, &mut lists).map_err(|_| "malformed")?;
    let Lists { outpoints, scripts, paid, .. } = lists;
    let paid = paid.ok_or("pays more than there is")?;
    let mut asked = size_of_val(outpoints) + size_of_val(scripts);

    // Sorted, an outpoint that is spent twice has itself as a neighbour.
    outpoints.sort_unstable();
    if outpoints.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("spends an output twice");
    }
    let is_coinbase = outpoints.first().is_some_and(|outpoint| outpoint.0 == [0; 32]);
    for script in scripts.iter().filter(|_| !is_coinbase) {
        // The innermost scope: what one script pushes, for as long as we look at it.
        let (is_standard, list_bytes) = scope.scope(|scope| {
            let pushes = scope.alloc_from_iter(Pushes(script));
            (pushes.iter().all(|push| push.is_some_and(|bytes| bytes <= 520)), size_of_val(pushes))
        });
        asked += script.len() + list_bytes;
        if !is_standard {
            return Err("a script does more than to push");
        }
    }
    let fees = if is_coinbase { paid.saturating_sub(SUBSIDY_SATOSHIS) } else { 0 };
    Ok((Summary { txid: parsed.parsed().txid().to_byte_array(), fees }, asked))
}

/// The lengths of what a script pushes; `None`, the last, for anything else that it does.
struct Pushes<'b>(&'b [u8]);

impl Iterator for Pushes<'_> {
    type Item = Option<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        let (&code, rest) = self.0.split_first()?;
        // The length is the opcode, or in 1, 2 or 4 bytes behind it; small numbers push without data.
        let (width, direct) = match code {
            0..=75 => (0, usize::from(code)),
            76..=78 => (1 << (code - 76), 0),
            79..=96 => (0, 0),
            _ => (usize::MAX, 0),
        };
        let push = rest.split_at_checked(width).and_then(|(length, rest)| {
            rest.split_at_checked(length.iter().rev().fold(direct, |length, byte| length << 8 | usize::from(*byte)))
        });
        self.0 = push.map_or(&[], |(_, rest)| rest);
        Some(push.map(|(data, _)| data.len()))
    }
}

/// What one thread has found.
#[derive(Debug, Default)]
struct Found {
    txids: Vec<[u8; 32]>,
    rejected: usize,
    fees: u64,
    asked: usize,
}

/// Checks `items` on the calling thread. The next call on this thread borrows the same memory, warm.
fn check_all(arena: &Arena, items: &[Vec<u8>], asked_before: usize) -> Found {
    arena.scratch().scope(|batch| {
        let kept = batch.alloc_slice_fill_copy(items.len(), None::<&Summary>);
        let mut found = Found { asked: asked_before + size_of_val(kept), ..Found::default() };
        for (place, item) in kept.iter_mut().zip(items) {
            let checked = batch.stage(|stage| {
                let (summary, asked) = stage.scope(|scope| check(scope, item))?;
                found.asked += asked + size_of::<Summary>();
                Ok::<_, &str>(stage.alloc(summary)) // all that is left of this transaction
            });
            match checked {
                Ok(summary) => *place = Some(summary),
                Err(_) => found.rejected += 1, // and of this one nothing is left
            }
        }
        for summary in kept.iter().flatten() {
            found.txids.push(summary.txid);
            found.fees += summary.fees;
        }
        found // owned, so it may leave; `kept` may not
    })
}

/// The transactions of a block, and behind every hundred of them two that are forged.
#[derive(Default)]
struct Items(Vec<Vec<u8>>);

impl Visitor for Items {
    fn visit_transaction(&mut self, tx: &bsl::Transaction) -> ControlFlow<()> {
        self.0.push(tx.as_ref().to_vec());
        if self.0.len() % 102 == 100 {
            self.0.extend([forged([0, 0], 5), forged([0, 1], MOST_SATOSHIS + 1)]);
        }
        ControlFlow::Continue(())
    }
}

/// A transaction that spends two outputs of another one, by their numbers.
fn forged(spends: [u8; 2], satoshis: u64) -> Vec<u8> {
    let inputs = spends.map(|index| [&[7; 32], [index, 0, 0, 0, 0].as_slice(), &[0xFF; 4]].concat()).concat();
    [&[1, 0, 0, 0, 2], inputs.as_slice(), &[1], &satoshis.to_le_bytes(), &[0], &[0; 4]].concat()
}

/// The root of the tree of hashes over ids; the last of an odd row is paired with itself.
fn merkle_root(mut row: Vec<[u8; 32]>) -> Option<[u8; 32]> {
    while row.len() > 1 {
        let hash = |pair: &[[u8; 32]]| sha256d::Hash::hash(&[pair[0], pair[pair.len() - 1]].concat()).to_byte_array();
        row = row.chunks(2).map(hash).collect();
    }
    row.pop()
}

fn main() -> ExitCode {
    run().unwrap_or_else(|problem| {
        eprintln!("scratch: {problem}; try --help");
        ExitCode::from(2)
    })
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let (mut threads, mut rounds) = (4, 20);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("threads") => threads = args.value()?.parse::<u8>()?.max(1),
            Long("rounds") => rounds = args.value()?.parse::<u16>()?.max(1),
            Long("help") => return Ok(writeln!(std::io::stdout(), "{HELP}").map(|()| ExitCode::SUCCESS)?),
            other => return Err(other.unexpected().into()),
        }
    }
    let mut items = Items::default();
    let block = bsl::Block::visit(bitcoin_test_data::blocks::mainnet_702861(), &mut items);
    let block = block.map_err(|e| format!("the block: {e:?}"))?.parsed_owned();
    let (items, real) = (items.0, block.total_transactions());

    let arena = Arena::new();
    let mut all = Found::default();
    std::thread::scope(|scope| {
        let parts = items.chunks(items.len().div_ceil(threads.into()));
        let workers: Vec<_> = parts
            .map(|part| {
                scope.spawn(|| (0..rounds).fold(Found::default(), |last, _| check_all(&arena, part, last.asked)))
            })
            .collect();
        for worker in workers {
            let found = worker.join().expect("no check panics");
            all.txids.extend(found.txids);
            all.rejected += found.rejected;
            all.fees += found.fees;
            all.asked += found.asked;
        }
    });

    let Found { txids, rejected, fees, asked } = all;
    let (accepted, peak) = (txids.len(), arena.peak_memory_usage());
    let is_root = merkle_root(txids).is_some_and(|root| root == block.header().merkle_root());
    let right = is_root && (accepted, rejected) == (real, items.len() - real);
    writeln!(
        std::io::stdout(),
        "{accepted} transactions accepted, {rejected} rejected, {rounds} times by {threads} threads; as it should be: {right}\n\
         {fees} satoshis of fees, which the first of them collects\n\
         {asked} bytes were asked of scratch memory, {peak} were taken at the most",
    )?;
    Ok(if right { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
