//! Guard mode: freed memory that faults.

mod exhausted;
mod faults;
mod limits;
mod quarantine;
