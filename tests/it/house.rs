//! The rules of the house that a reader of one file cannot see are kept by reading all of them.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Every Rust file below `folder`.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder} has sources");
    found
}

/// The lines of a file that are code of the library: no comments, no `#[cfg(test)]` modules.
fn library_lines(path: &Path) -> Vec<(usize, String)> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name == "tests.rs" || path.components().any(|part| part.as_os_str() == "tests") {
        return Vec::new();
    }
    let text = fs::read_to_string(path).expect("a readable source");
    let (mut lines, mut test_item, mut skipping) = (Vec::new(), false, false);
    for (number, line) in text.lines().enumerate() {
        // A module of tests ends at the brace in its own column.
        if skipping {
            skipping = line != "}";
        } else if line.starts_with("#[cfg(") && line.contains("test") && !line.contains("not(all(test") {
            test_item = true;
        } else if test_item && !line.starts_with('#') {
            test_item = false;
            skipping = line.ends_with('{');
        } else if !line.trim_start().starts_with("//") {
            lines.push((number + 1, line.to_owned()));
        }
    }
    lines
}

fn is_sync_door(path: &Path) -> bool {
    path.parent().is_some_and(|folder| folder.ends_with("src/sync"))
}

#[test]
fn primitives_come_only_from_sync() {
    const FORBIDDEN: [&str; 11] = [
        "std::sync",
        "core::sync",
        "std::thread",
        "thread_local!",
        "thread_local::",
        "parking_lot::",
        "loom::",
        "crossbeam::",
        "Ordering::Acq",
        "Ordering::Rel",
        "Ordering::SeqCst",
    ];
    for path in sources("src").into_iter().filter(|path| !is_sync_door(path)) {
        for (number, line) in library_lines(&path) {
            for word in FORBIDDEN {
                assert!(!line.contains(word), "{}:{number} names {word}: {line}", path.display());
            }
            let ordering = line.contains("Ordering::") && !line.contains("cmp::");
            assert!(!ordering, "{}:{number} names an ordering: {line}", path.display());
        }
    }
}

#[test]
fn files_have_at_most_400_lines() {
    for folder in ["src", "tests", "loom_tests"] {
        for path in sources(folder) {
            let lines = fs::read_to_string(&path).expect("a readable source").lines().count();
            assert!(lines <= 400, "{} has {lines} lines", path.display());
        }
    }
}

#[test]
fn unsafe_code_is_declared_by_file() {
    let mut files = 0;
    for path in sources("src") {
        let text = fs::read_to_string(&path).expect("a readable source");
        let expects = text.contains("#![expect(unsafe_code") || text.contains("#[expect(unsafe_code");
        files += usize::from(expects);
        for (number, line) in library_lines(&path) {
            let code = line.split("//").next().unwrap_or_default();
            let is_unsafe = code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe");
            assert!(!is_unsafe || expects, "{}:{number} is unsafe without a reason: {line}", path.display());
        }
        assert!(!text.contains("allow(unsafe_code"), "{} allows what it should expect", path.display());
    }
    assert!(files > 5, "the ledger was found");
}

/// A file that no `mod` line names would not be compiled, and none of its tests run.
#[test]
fn every_test_file_is_declared() {
    let text = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    for root in ["tests/it", "tests/alloc"].map(|root| Path::new(env!("CARGO_MANIFEST_DIR")).join(root)) {
        for path in sources("tests").into_iter().filter(|path| path.starts_with(&root)) {
            let mut module = path.as_path();
            if path.ends_with("main.rs") {
                continue;
            }
            if path.ends_with("mod.rs") {
                module = path.parent().expect("a folder");
            }
            let (folder, name) = (module.parent().expect("a folder"), module.file_stem().expect("a name"));
            let line = format!("mod {};", name.display());
            let declared = [folder.join("mod.rs"), folder.join("main.rs")].iter().any(|parent| {
                text(parent).lines().any(|found| found == line || found.strip_prefix("pub(crate) ") == Some(&line))
            });
            assert!(declared, "{} is not compiled: no `{line}`", path.display());
        }
    }
}

/// The modules of `src/lib.rs`, in their order, which is the layering.
fn modules() -> Vec<String> {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("the crate's root");
    let name = |line: &str| line.rsplit_once("mod ").and_then(|(_, name)| name.strip_suffix(';')).map(str::to_owned);
    lib.lines().filter(|line| !line.starts_with("//") && line.ends_with(';')).filter_map(name).collect()
}

#[test]
fn modules_use_only_those_above() {
    let modules = modules();
    let rank = |name: &str| modules.iter().position(|module| module == name);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut arrows = 0;
    for path in sources("src") {
        let inside = path.strip_prefix(&root).expect("a source of the crate");
        let first = inside.iter().next().and_then(|part| part.to_str()).unwrap_or_default();
        let Some(own) = rank(first.trim_end_matches(".rs")) else { continue };
        for (number, line) in library_lines(&path) {
            for used in line.split("crate::").skip(1) {
                let name = used.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
                let Some(used) = rank(name) else { continue };
                arrows += usize::from(used != own);
                assert!(used <= own, "{}:{number} uses `{name}`, which src/lib.rs declares below it", path.display());
            }
        }
    }
    assert!(arrows > 100, "the uses were found");
}

/// The labels of invariants in a line, each with the byte at which it begins.
fn labels(line: &str) -> impl Iterator<Item = (usize, &str)> {
    line.match_indices("INV-").map(|(at, _)| {
        let end =
            line[at..].find(|c: char| !c.is_alphanumeric() && !"-._".contains(c)).map_or(line.len(), |len| at + len);
        (at, line[at..end].trim_end_matches(['.', '-']))
    })
}

#[test]
fn labels_are_defined_once() {
    let (mut defined, mut cited) = (HashMap::new(), Vec::new());
    for path in ["src", "loom_tests", "tests"].into_iter().flat_map(sources) {
        if path.ends_with("tests/it/house.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a readable source");
        for (number, line) in text.lines().enumerate() {
            for (at, label) in labels(line) {
                let place = format!("{}:{}", path.display(), number + 1);
                let heads =
                    line[..at].trim_start_matches(['/', '!', ' ']) == "- " && line[at + label.len()..].starts_with(':');
                if !heads {
                    cited.push((label.to_owned(), place));
                } else if let Some(other) = defined.insert(label.to_owned(), place.clone()) {
                    panic!("{label} is defined at {other} and at {place}");
                }
            }
        }
    }
    assert!(defined.len() > 50, "the labels were found");
    for (label, place) in cited {
        assert!(defined.contains_key(&label), "{place} cites {label}, which no header defines");
    }
}

#[test]
fn comments_have_at_most_120_columns() {
    for path in ["src", "tests", "loom_tests", "examples"].into_iter().flat_map(sources) {
        let text = fs::read_to_string(&path).expect("a readable source");
        for (number, line) in text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("//")) {
            let columns = line.chars().count();
            assert!(columns <= 120, "{}:{} has {columns} columns", path.display(), number + 1);
        }
    }
}

/// Mistakes are made on a copy of the sources, by `.ci/mutants`.
#[test]
fn sources_hold_no_fault_injection() {
    for path in sources("src") {
        for (number, line) in library_lines(&path) {
            for word in ["mutant!", "ord!(\"", "SHARDED_ARENA_WEAKEN"] {
                assert!(!line.contains(word), "{}:{number} names {word}: {line}", path.display());
            }
        }
    }
}

/// The name of the test that begins below a line, if one does.
fn test_names(text: &str) -> impl Iterator<Item = &str> {
    text.split("#[test]").skip(1).filter_map(|behind| {
        let name = behind.split_once("fn ")?.1;
        name.split(|c: char| !c.is_alphanumeric() && c != '_').next()
    })
}

/// `subject_condition_result`; the clauses of `tests/it/systems` quote what systems are known for.
#[test]
fn test_names_are_short_and_plain() {
    const BANNED: [&str; 10] =
        ["who", "whoever", "nobody", "somebody", "what", "whatever", "that", "which", "it", "gives"];
    for path in sources("tests") {
        let text = fs::read_to_string(&path).expect("a readable source");
        for name in test_names(&text).filter(|name| !name.contains("__") && !name.is_empty()) {
            let words: Vec<_> = name.split('_').collect();
            let banned = words.iter().find(|word| BANNED.contains(word));
            assert!(words.len() <= 6 && banned.is_none(), "{}: {name}: {banned:?}", path.display());
        }
    }
}
