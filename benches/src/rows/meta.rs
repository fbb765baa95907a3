//! `meta`: memory a heap of 256 MiB has touched beside the blocks after its first fill, by its capacity.
//!
//! Measured in a process of its own, with small pages and blocks that nobody writes: whatever becomes resident is the
//! index, the tables and the magazines. What the heap's own statistics say is printed beside it.

use super::{Row, child};
use crate::harness::{mib, report::Report, table};

const CAPACITY_MIB: usize = 256;

pub(super) fn rows() -> Vec<Row> {
    vec![Row::new("meta", run)]
}

fn run(report: &mut Report) {
    table::heading("meta", "touched beside the blocks after the first fill of 256 MiB, by the capacity; one thread");
    let Some([touched, told]) = child::metadata(CAPACITY_MIB) else {
        table::remark("", "this system does not say what is resident");
        return;
    };
    let capacity = mib(CAPACITY_MIB) as f64;
    table::remark("resident", &format!("{:>10.2} %   ({touched} bytes)", 100.0 * touched / capacity));
    table::remark("as stats() says", &format!("{:>10.2} %   ({told} bytes)", 100.0 * told / capacity));
    report.ratio("meta", "capacity", touched / capacity);
}
