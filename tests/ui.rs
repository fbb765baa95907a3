//! What must not compile: one file a case in `tests/ui/`, and [`RESULTS`], a table of cases that differ by one line.
//!
//! A case's first line says with which error (`// error: E0505`, or the message of one without a code, or `none`), and
//! one line of it is marked `//~ offending`. Each case is compiled twice, all of them by one `cargo check` of a project
//! that is made for it: as it is, which must fail at the marked line with that error and no other; and without that
//! line, which must compile, so that no case fails for another reason than the one it is there for.
#![allow(non_snake_case, reason = "two underscores part the system's name from the clause's")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::{env, fs};

const MARK: &str = "//~ offending";

/// A file of `tests/ui/`.
struct Case {
    name: String,
    text: String,
    /// Error code, or the message of an error without one; none if it compiles.
    error: Option<String>,
    /// Number of the marked line, from 1; 0 without one.
    line: usize,
}

impl Case {
    fn read(path: &Path) -> Case {
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name in ASCII").to_owned();
        Case::new(name, fs::read_to_string(path).expect("a readable case"))
    }

    fn new(name: String, text: String) -> Case {
        let says = text.lines().next().and_then(|line| line.strip_prefix("// error: "));
        let error = says.unwrap_or_else(|| panic!("{name}: the first line names the error")).to_owned();
        let marked: Vec<_> = (1..).zip(text.lines()).filter(|(_, line)| line.ends_with(MARK)).collect();
        assert_eq!(marked.len(), usize::from(error != "none"), "{name}: one line is marked");
        let line = marked.first().map_or(0, |(number, _)| *number);
        Case { name, line, error: Some(error).filter(|error| error != "none"), text }
    }

    /// The text without the marked line.
    fn good(&self) -> String {
        self.text.lines().filter(|line| !line.ends_with(MARK)).fold(String::new(), |text, line| text + line + "\n")
    }
}

/// Who hands out results: name, type, how it is made, and on what the methods are called.
const OWNERS: [[&str; 4]; 3] = [
    ["arena", "Arena", "new()", "arena"],
    ["local", "Arena", "new()", "arena.local()"],
    ["bump_region", "BumpRegion", "with_capacity(4096).unwrap()", "arena"],
];

/// Every kind of result: its method, a call of that, and a use of what it returns.
const RESULTS: [[&str; 3]; 5] = [
    ["alloc", "alloc(7u64)", "*result += 1"],
    ["alloc_str", "alloc_str(\"seven\")", "result.make_ascii_uppercase()"],
    ["alloc_slice_copy", "alloc_slice_copy(&[7u8; 3])", "result[0] = 1"],
    ["alloc_from_iter", "alloc_from_iter(0..7u32)", "result[6] = 1"],
    ["alloc_uninit", "alloc_uninit::<u64>()", "result.write(1)"],
];

/// What ends every result: name, error, how the owner is bound, and the line that ends it.
const ENDS: [[&str; 4]; 2] =
    [["after_drop", "E0505", "arena", "drop(arena)"], ["after_reset", "E0502", "mut arena", "arena.reset()"]];

/// Every result, of every owner, used after each of its ends.
fn ended_results() -> Vec<Case> {
    let mut cases = Vec::new();
    for [owner, of, new, handle] in OWNERS {
        for [method, call, using] in RESULTS {
            for [when, error, binding, end] in ENDS {
                let text = format!(
                    "// error: {error}\nuse sharded_arena::{of};\n\nfn main() {{\n    let {binding} = {of}::{new};\n    \
                     let result = {handle}.{call};\n    {end}; {MARK}\n    {using};\n}}\n"
                );
                cases.push(Case::new(format!("{owner}_{method}_{when}"), text));
            }
        }
    }
    cases
}

/// An error of the compiler: line, and code or message.
type Found = (usize, String);

/// What the compiler said: by program, `NAME-bad` and `NAME-good`.
struct Verdict {
    cases: Vec<Case>,
    found: BTreeMap<String, Vec<Found>>,
    output: String,
}

static VERDICT: LazyLock<Verdict> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).expect("the folder of cases").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let cases: Vec<_> = paths.iter().map(|path| Case::read(path)).chain(ended_results()).collect();
    let output = check(&cases);
    let mut found: BTreeMap<String, Vec<Found>> = BTreeMap::new();
    for (program, error) in output.lines().filter_map(parse) {
        found.entry(program).or_default().push(error);
    }
    Verdict { cases, found, output }
});

/// Writes what is not there yet, so that cargo finds what it has checked before unchanged.
fn write(path: &Path, text: &str) {
    if fs::read_to_string(path).ok().as_deref() != Some(text) {
        fs::write(path, text).expect("a writable temporary folder");
    }
}

/// One `cargo check` over two programs a case; gives what it printed.
fn check(cases: &[Case]) -> String {
    let (root, project) = (env!("CARGO_MANIFEST_DIR"), Path::new(env!("CARGO_TARGET_TMPDIR")).join("ui"));
    fs::create_dir_all(&project).expect("a writable temporary folder");
    let mut manifest = format!(
        "[package]\nname = \"ui-cases\"\nversion = \"0.0.0\"\nedition = \"2024\"\nautobins = false\n\n[workspace]\n\n\
         [dependencies]\nsharded-arena = {{ path = {root:?} }}\n"
    );
    for case in cases {
        for (kind, text) in [("bad", &case.text), ("good", &case.good())] {
            let program = format!("{}-{kind}", case.name);
            write(&project.join(format!("{program}.rs")), text);
            write!(manifest, "\n[[bin]]\nname = \"{program}\"\npath = \"{program}.rs\"\n").expect("a string grows");
        }
    }
    write(&project.join("Cargo.toml"), &manifest);
    // The versions that were fetched to build this test.
    fs::copy(Path::new(root).join("Cargo.lock"), project.join("Cargo.lock")).expect("the workspace has a lock file");
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["check", "--offline", "--keep-going", "--bins", "--message-format", "short", "--color", "never"])
        .current_dir(&project)
        .env("CARGO_TARGET_DIR", project.join("target"))
        .env("RUSTFLAGS", "-Awarnings")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .expect("cargo runs this test, so it is there");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// `PROGRAM.rs:LINE:COLUMN: error[CODE]: MESSAGE`, wherever the program lies.
fn parse(line: &str) -> Option<(String, Found)> {
    let (path, rest) = line.split_once(".rs:")?;
    let program = path.rsplit(['/', '\\']).next()?.to_owned();
    let (number, rest) = rest.split_once(':')?;
    let (_column, rest) = rest.split_once(": error")?;
    let what = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        // The compiler says more behind a second colon.
        None => rest.strip_prefix(": ")?.split(": ").next()?,
    };
    Some((program, (number.parse().ok()?, what.to_owned())))
}

/// Every case whose name `chosen` says yes to fails as it says, and only because of the marked line.
fn assert_cases(least: usize, chosen: impl Fn(&str) -> bool) {
    let Verdict { cases, found, .. } = &*VERDICT;
    let errors = |case: &Case, kind: &str| found.get(&format!("{}-{kind}", case.name)).cloned().unwrap_or_default();
    let (mut wrong, mut seen) = (String::new(), 0);
    for case in cases.iter().filter(|case| chosen(&case.name)) {
        let (bad, good) = (errors(case, "bad"), errors(case, "good"));
        let as_said = |error: &Found| Some(&error.1) == case.error.as_ref() && error.0 == case.line;
        if bad.is_empty() != case.error.is_none() || !bad.iter().all(as_said) {
            writeln!(wrong, "{}: expected {:?} at line {}, got {bad:?}", case.name, case.error, case.line)
                .expect("a string grows");
        }
        if !good.is_empty() {
            writeln!(wrong, "{}: does not compile without the marked line: {good:?}", case.name)
                .expect("a string grows");
        }
        seen += 1;
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(seen >= least, "{seen} cases were found");
}

/// Cargo says of each program that it could not be compiled, and of nothing else, so a case without errors was
/// compiled.
#[test]
fn compiler_has_checked_every_case() {
    const REFUSED: &str = "error: could not compile `ui-cases` (bin ";
    let Verdict { cases, found, output } = &*VERDICT;
    let bad = cases.iter().filter(|case| case.error.is_some()).count();
    let failed = output.lines().filter(|line| line.starts_with(REFUSED)).count();
    let others: Vec<_> = output
        .lines()
        .filter(|line| line.contains("error") && parse(line).is_none() && !line.starts_with(REFUSED))
        .collect();
    assert!(others.is_empty() && failed == bad && found.len() == bad, "{failed} of {bad} failed; {others:#?}");
    assert!(output.contains("Checking ui-cases") && bad >= 50, "{output}");
}

#[test]
fn results_end_with_reset_or_arena() {
    assert_cases(36, |name| ["arena", "local", "bump_region"].iter().any(|kind| name.starts_with(kind)));
}

#[test]
fn results_end_with_rewind_or_stack() {
    assert_cases(9, |name| name.starts_with("scratch") || name.starts_with("checkpoint"));
}

/// The original's scopes are guards whose lifetimes end with them; here too the compiler says no.
#[test]
fn bump_scope__nothing_from_a_scope_can_escape_it() {
    assert_cases(8, |name| name.starts_with("scope"));
}

/// The original's marks are plain numbers that anybody may go back to, whoever still refers to what came after them.
#[test]
fn lake__nothing_of_a_stage_that_failed_can_be_kept() {
    assert_cases(3, |name| name.starts_with("stage"));
}

/// The original wants `Send` of a value only where the arena is shared, not where it is handed on with the value in it.
#[test]
fn blink_alloc__a_value_that_is_not_send_is_never_dropped_on_another_thread() {
    assert_cases(3, |name| ["arena_dropped_not_send", "arena_dropped_borrows", "arena_vec_not_send"].contains(&name));
}

/// What the original's vector may do inside of a scope it does not belong to (GHSA-xhx6-q96x-pf9c), the borrow forbids
/// here.
#[test]
fn bump_scope__a_collection_of_an_outer_scope_cannot_grow_in_an_inner_one() {
    assert_cases(2, |name| name.starts_with("scope_vec_over_inner"));
}

#[test]
fn collections_obey_lifetimes_and_send() {
    assert_cases(9, |name| name.contains("_vec") || name.contains("_string") || name.contains("_table"));
}

#[test]
fn boxes_obey_lifetimes_and_send() {
    assert_cases(25, |name| name.starts_with("boxed"));
}

/// The original's handles are plain numbers, which any arena takes; its values end with it, looked at or not.
#[test]
fn atomic_arena__nothing_of_a_pool_outlives_it_or_goes_where_its_values_may_not() {
    assert_cases(17, |name| name.starts_with("pool"));
}
