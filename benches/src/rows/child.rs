//! What runs in a process of its own, because it is measured by the process's resident memory.
//!
//! The program runs itself with the hidden arguments `child …` and reads the figures from its standard output.

use std::{env, process::Command};

use crate::{
    harness::{mib, resident::resident_bytes},
    peers::{
        Shared,
        capped::Capped,
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

/// Bytes resident for the example's pool at its limit, and its live bytes.
pub(super) fn mempool(peer: &str, size: usize, threads: usize) -> Option<[f64; 2]> {
    figures(&["mempool", peer, &size.to_string(), &threads.to_string()])
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
        ["mempool", peer, size, threads] => {
            super::mempool::run_resident(peer, mib(size.parse().ok()?), threads.parse().ok()?)?
        }
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
    let capped = Capped::new(contender, limit);
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

pub(super) fn resident() -> usize {
    resident_bytes().expect("the parent asked")
}
