//! Pools.
#![allow(clippy::needless_for_each, reason = "a line where three say no more")]
#![allow(clippy::unwrap_used, reason = "helpers of tests end at what fails, as tests do")]

mod capacity;
mod drops;
mod keys;
mod leaks;
mod reentrant;
mod reservations;
mod scripts;
mod stress;
mod threads;
mod types;
