//! `cargo ratios [ROW…] [--all]`: the same work through this crate and through other allocators, in one run.
//!
//! Only ratios of one run count. See `README.md` beside this package for what the rows do and what it takes to build.

use std::{env, panic, process};

mod harness;
mod peers;
mod rows;
mod work;

use harness::report::Report;
use rows::Row;

const USAGE: &str = "usage: cargo ratios [ROW...] [--all]
  ROW    run the rows whose name begins so (without one: all rows that are judged)
  --all  run every row, those too that are only of interest beside the others
";

fn main() {
    end_at_first_panic();
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    if let ["child", child @ ..] = &args[..] {
        return rows::run_child(child).unwrap_or_else(|| refuse("child processes are started by rows", &rows::all()));
    }
    let mut report = Report::default();
    for row in chosen(&args) {
        row.run(&mut report);
    }
    report.finish();
}

/// A member of a crew that panicked would leave the others waiting for it.
fn end_at_first_panic() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        tell(info);
        process::exit(101);
    }));
}

/// The rows that the arguments name.
fn chosen(args: &[&str]) -> Vec<Row> {
    let rows = rows::all();
    let (options, names): (Vec<&str>, Vec<&str>) = args.iter().partition(|arg| arg.starts_with('-'));
    if options.iter().any(|option| ["-h", "--help"].contains(option)) {
        print!("{USAGE}{}", listed(&rows));
        process::exit(0);
    }
    if let Some(option) = options.iter().find(|&&option| option != "--all") {
        refuse(&format!("unknown option {option}"), &rows);
    }
    let begins = |row: &Row, name: &str| row.name.starts_with(name);
    if let Some(name) = names.iter().find(|name| !rows.iter().any(|row| begins(row, name))) {
        refuse(&format!("no row begins with {name}"), &rows);
    }
    let all = !options.is_empty();
    let wanted = |row: &Row| all || if names.is_empty() { !row.extra } else { names.iter().any(|n| begins(row, n)) };
    rows.into_iter().filter(wanted).collect()
}

fn listed(rows: &[Row]) -> String {
    let names =
        |extra| rows.iter().filter(|row| row.extra == extra).map(|row| &*row.name).collect::<Vec<_>>().join(" ");
    format!("rows: {}\nwith --all: {}\n", names(false), names(true))
}

fn refuse(why: &str, rows: &[Row]) -> ! {
    eprint!("{why}\n{USAGE}{}", listed(rows));
    process::exit(2);
}
