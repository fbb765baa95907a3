//! What runs in a process of its own, because it is measured by the process's resident memory.
//!
//! The program runs itself with the hidden arguments `child …` and reads the figures from its standard output.

use std::{
    env,
    process::Command,
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    harness::{mib, resident::resident_bytes},
    peers::{
        Contender, Shared,
        global::{GLIBC, JEMALLOC, MIMALLOC, SNMALLOC},
        ours::Ours,
    },
    work::fill::{Filling, Table, Write, fill_twice, ratio},
};

/// Live bytes by resident memory of another allocator after a first and a second fill; none where the system does
/// not tell.
pub(super) fn fill(peer: &str, size: usize, threads: usize) -> Option<[f64; 2]> {
    figures(&["fill", peer, &size.to_string(), &threads.to_string()])
}

/// Bytes that a heap of 256 MiB has touched beside the blocks after its first fill: by resident memory, and as its
/// own statistics say.
pub(super) fn metadata(size: usize) -> Option<[f64; 2]> {
    figures(&["meta", &size.to_string()])
}

fn figures(args: &[&str]) -> Option<[f64; 2]> {
    resident_bytes()?;
    let program = env::current_exe().expect("the program knows its own file");
    let output = Command::new(program).arg("child").args(args).output().expect("the program runs itself");
    assert!(output.status.success(), "child {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().map(|number| number.parse().expect("the child prints numbers"));
    Some([numbers.next()?, numbers.next()?])
}

/// The child's side; none for arguments that no parent gives.
pub fn run(args: &[&str]) -> Option<()> {
    let [first, second] = match *args {
        ["fill", peer, size, threads] => run_fill(peer, mib(size.parse().ok()?), threads.parse().ok()?)?,
        ["meta", size] => run_metadata(mib(size.parse().ok()?)),
        _ => return None,
    };
    println!("{first} {second}");
    Some(())
}

fn run_fill(peer: &str, limit: usize, threads: usize) -> Option<[f64; 2]> {
    match peer {
        "glibc" => Some(fill_capped(GLIBC, limit, threads)),
        "mimalloc" => Some(fill_capped(MIMALLOC, limit, threads)),
        "jemalloc" => Some(fill_capped(JEMALLOC, limit, threads)),
        "snmalloc" => Some(fill_capped(SNMALLOC, limit, threads)),
        _ => None,
    }
}

fn fill_capped<C: Shared>(contender: C, limit: usize, threads: usize) -> [f64; 2] {
    let table = Table::new(limit, threads);
    let before = resident();
    let capped = Capped { contender, live: Arc::default(), limit };
    fill_twice(capped, table, |live| ratio(live, resident() - before))
}

fn run_metadata(limit: usize) -> [f64; 2] {
    let table = Table::new(limit, 1);
    let before = resident();
    let ours = Ours::with_small_pages(limit);
    let mut filling = Filling::new(ours.clone(), table, Write::None);
    filling.first();
    let touched = resident() - before;
    let told = ours.heap().region().stats().metadata_bytes;
    filling.clear();
    [touched as f64, told as f64]
}

fn resident() -> usize {
    resident_bytes().expect("the parent asked")
}

/// An allocator without a limit, refused by the harness when its live bytes would pass one.
#[derive(Clone)]
struct Capped<C> {
    contender: C,
    live: Arc<AtomicUsize>,
    limit: usize,
}

impl<C: Shared> Contender for Capped<C> {
    type Handle = NonNull<u8>;

    fn alloc(&mut self, size: usize) -> Option<NonNull<u8>> {
        // A plain count: it publishes nothing.
        if self.live.fetch_add(size, Ordering::Relaxed) + size > self.limit {
            self.live.fetch_sub(size, Ordering::Relaxed);
            return None;
        }
        self.contender.alloc(size)
    }

    fn ptr(&self, block: NonNull<u8>) -> NonNull<u8> {
        block
    }

    unsafe fn free(&mut self, block: NonNull<u8>, size: usize) {
        self.live.fetch_sub(size, Ordering::Relaxed);
        // SAFETY: this contender's block (the trait's contract).
        unsafe { self.contender.free(block, size) };
    }
}
