//! Interners and symbols through serde: written in order, read into a given region, which refuses what is too much.

use serde::de::{DeserializeSeed, IgnoredAny};
use serde::{Deserialize, Serialize};
use sharded_arena::{FrozenInterner, Interner, Region, Symbol};

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("json")
}

fn read_into(names: Interner, json: &str) -> Result<Interner, serde_json::Error> {
    names.deserialize(&mut serde_json::Deserializer::from_str(json))
}

#[derive(Serialize, Deserialize)]
struct Document {
    names: FrozenInterner,
    words: Vec<Symbol>,
}

#[test]
fn symbols_survive_a_round_trip() {
    let names = Interner::new();
    let text = "a rose is a rose is a \"rose\" é 日 ";
    let words: Vec<Symbol> = text.split(' ').map(|word| names.intern(word).expect("no limit")).collect();
    assert_eq!(json(&words), "[0,1,2,0,1,2,0,3,4,5,6]");
    assert_eq!(json(&names), r#"["a","rose","is","\"rose\"","é","日",""]"#);
    let written = json(&Document { names: names.freeze(), words });
    let Document { names, words } = serde_json::from_str(&written).expect("what was written");
    let read: Vec<&str> = words.iter().map(|symbol| names.resolve(*symbol).expect("known")).collect();
    assert_eq!(read.join(" "), text);
    assert_eq!(json(&names), json(&serde_json::from_str::<Interner>(&json(&names)).expect("what was written")));
    assert_eq!((json(&Interner::new()), json(&Interner::new().freeze())), ("[]".into(), "[]".into()));
    assert!(serde_json::from_str::<Interner>("[]").expect("nothing").is_empty());
}

#[test]
fn input_is_appended_to_existing_strings() {
    let names = Interner::new();
    names.intern("first").expect("no limit");
    let names = read_into(names, r#"["second", "th\u0069rd"]"#).expect("new strings");
    assert_eq!(json(&names), r#"["first","second","third"]"#);
    let error = read_into(names, r#"["fourth", "second", "fifth"]"#).expect_err("a string that is there");
    assert!(error.to_string().starts_with("the string \"second\" is there already, as #1"), "{error}");
}

#[test]
fn malformed_input_leaks_nothing() {
    let region = Region::with_capacity(64 << 10).expect("a region");
    for (wrong, why) in [
        (r#"["a", 1]"#, "expected a string"),
        (r#"["a", null]"#, "expected a string"),
        (r#"{"a": 1}"#, "expected a sequence of different strings"),
        (r#""a""#, "expected a sequence of different strings"),
        (r#"["a", "b"#, "EOF"),
        (r#"["a", "b", "a"]"#, "is there already, as #0"),
    ] {
        let error = read_into(Interner::in_region(&region), wrong).expect_err(wrong).to_string();
        assert!(error.contains(why), "{wrong}: {error}");
        assert_eq!(region.memory_usage(), 0);
    }
    let many: Vec<String> = (0..20_000).map(|index| index.to_string()).collect();
    let error = read_into(Interner::in_region(&region), &json(&many)).expect_err("too many").to_string();
    assert!(error.starts_with("the region refused: limit reached") || error.contains("fragmented"), "{error}");
    assert_eq!(region.memory_usage(), 0);
    region.verify().expect("every byte is free");
}

#[test]
fn symbol_is_written_as_index() {
    let symbol = |index| Symbol::from_index(index).expect("small");
    assert_eq!(serde_json::from_str::<Symbol>("7").expect("an index"), symbol(7));
    assert_eq!(json(&symbol(u32::MAX as usize - 1)), "4294967294");
    assert_eq!(serde_json::from_str::<Symbol>("4294967294").expect("the last"), symbol(u32::MAX as usize - 1));
    for wrong in ["4294967295", "4294967296", "-1", "1.5", "\"1\"", "null"] {
        assert!(serde_json::from_str::<Symbol>(wrong).is_err(), "{wrong}");
        serde_json::from_str::<IgnoredAny>(wrong).expect("json at least");
    }
    assert_eq!(serde_json::from_str::<Option<Symbol>>("null").expect("none"), None);
}

/// What is written while others intern is a beginning of what there is in the end.
#[test]
fn interner_serialises_during_interning() {
    let names = Interner::new();
    let written = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|thread| {
                let names = &names;
                scope.spawn(move || (0..4000).all(|index| names.intern(&format!("{}", index * 3 + thread)).is_ok()))
            })
            .collect();
        let mut written = Vec::new();
        while names.len() < 3 * 4000 {
            written.push(json(&names));
        }
        written.push(json(&names));
        assert!(threads.into_iter().all(|thread| thread.join().expect("no panic")));
        written
    });
    let all: Vec<&str> = names.iter().map(|(_, text)| text).collect();
    for json in written {
        let strings: Vec<String> = serde_json::from_str(&json).expect("strings");
        assert!(strings.iter().eq(all.iter().take(strings.len())), "a hole, or another order");
    }
}
