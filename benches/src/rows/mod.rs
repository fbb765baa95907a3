//! The rows, in the order they are printed.

use std::{cell::OnceCell, rc::Rc};

use crate::harness::report::Report;

mod aged;
mod child;
mod churn;
mod copy;
mod drop;
mod fill;
mod fit;
mod full;
mod handoff;
mod interner;
mod largest;
mod mempool;
mod meta;
mod pool;
mod pool_cross;
mod replace;
mod scratch;
mod shared;
mod tail;

pub use child::run as run_child;

/// One row of the table.
pub struct Row {
    pub name: String,
    /// Run only when named, or with `--all`.
    pub extra: bool,
    run: Box<dyn Fn(&mut Report)>,
}

impl Row {
    fn new(name: impl Into<String>, run: impl Fn(&mut Report) + 'static) -> Row {
        Row { name: name.into(), extra: false, run: Box::new(run) }
    }

    fn extra(self) -> Row {
        Row { extra: true, ..self }
    }

    pub fn run(&self, report: &mut Report) {
        (self.run)(report);
    }
}

/// A measurement that two rows share: done once, by whichever asks first.
fn once<T: Clone + 'static>(measure: impl Fn() -> T + 'static) -> impl Fn() -> T + Clone {
    let cell = Rc::new(OnceCell::new());
    let measure = Rc::new(measure);
    move || cell.get_or_init(|| measure()).clone()
}

pub fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(scratch::rows());
    rows.extend(copy::rows());
    rows.extend(shared::rows());
    rows.extend(replace::rows());
    rows.extend(churn::rows());
    rows.extend(handoff::rows());
    rows.extend(full::rows());
    rows.extend(tail::rows());
    rows.extend(mempool::rows());
    rows.extend(aged::rows());
    rows.extend(fit::rows());
    rows.extend(fill::rows());
    rows.extend(largest::rows());
    rows.extend(drop::rows());
    rows.extend(meta::rows());
    rows.extend(pool::rows());
    rows.extend(pool_cross::rows());
    rows.extend(interner::rows());
    rows
}
