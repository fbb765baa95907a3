//! Collections through serde: written as std's are, read into a given allocator, which refuses what is too much.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use crate::support::{self, assert_empty, heap};
use serde::de::value::{Error as ValueError, MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, value::BytesDeserializer};
use serde::{Deserialize, Serialize};
use sharded_arena::boxed::{Arc as ArenaArc, Box as ArenaBox};
use sharded_arena::collections::seed::{BoxIn, BoxStrIn, HashMapIn, HashSetIn, StringIn, VecIn};
use sharded_arena::collections::{HashMap, HashSet, String, Vec};
use sharded_arena::{Arena, Heap, Scratch, format_in, vec_in};

/// Reads `json`, all of it.
fn read<'j, S: DeserializeSeed<'j>>(seed: S, json: &'j str) -> Result<S::Value, serde_json::Error> {
    let mut input = serde_json::Deserializer::from_str(json);
    let value = seed.deserialize(&mut input)?;
    input.end()?;
    Ok(value)
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Point {
    x: i32,
    name: std::string::String,
}

#[test]
fn serialised_form_equals_std() {
    let (heap, arena) = (heap(1 << 20, true), Arena::new());
    let text = format_in!(&heap, "{}\n\"quoted\" ß", 7);
    assert_eq!(serde_json::to_string(&text).expect("json"), serde_json::to_string(text.as_str()).expect("json"));
    assert_eq!(serde_json::to_string(&text.into_boxed_str()).expect("json"), r#""7\n\"quoted\" ß""#);
    let point = Point { x: 1, name: "one".to_owned() };
    let boxed = ArenaBox::new_in(point.clone(), &heap);
    assert_eq!(serde_json::to_string(&boxed).expect("json"), serde_json::to_string(&point).expect("json"));
    let shared = ArenaArc::new_in(point.clone(), &heap);
    let (twice, twice_std) = ([shared.clone(), shared], [&point, &point]);
    assert_eq!(serde_json::to_string(&twice).expect("json"), serde_json::to_string(&twice_std).expect("json"));
    drop(twice);
    let values = vec_in![&arena; String::from_str_in("a", &heap), String::from_str_in("b", &heap)];
    let mut table: HashMap<u8, Vec<String<&Heap>, &Arena>, &Heap> = HashMap::new_in(&heap);
    table.insert(5, values);
    assert_eq!(serde_json::to_string(&table).expect("json"), r#"{"5":["a","b"]}"#);
    let mut set: HashSet<bool, &Arena> = HashSet::new_in(&arena);
    set.insert(true);
    assert_eq!(serde_json::to_string(&set).expect("json"), "[true]");
    drop((table, boxed));
    assert_empty(&heap);
}

/// Everything nested, in whatever hands out memory.
fn returns<A: sharded_arena::allocator_api2::alloc::Allocator + Clone>(alloc: &A) {
    type Std = BTreeMap<std::string::String, std::vec::Vec<(u32, Option<std::string::String>)>>;
    let std: Std = (0..50).map(|n| (format!("k\n{n}"), (0..n).map(|m| (m, Some(format!("v{m}")))).collect())).collect();
    let json = serde_json::to_string(&std).expect("json");
    let rows = VecIn(PhantomData::<(u32, Option<std::string::String>)>, alloc.clone());
    let table = read(HashMapIn(StringIn(alloc.clone()), rows, alloc.clone()), &json).expect("a table");
    assert_eq!(table.len(), 50);
    assert!(std.iter().all(|(key, rows)| table[key.as_str()][..] == rows[..]));
    let again: Std = serde_json::from_str(&serde_json::to_string(&table).expect("json")).expect("a table");
    assert_eq!(again, std);
    let names = HashSetIn(BoxStrIn(alloc.clone()), alloc.clone());
    let names = read(names, r#"["a", "b\u00e9", "a"]"#).expect("a set");
    assert!(names.len() == 2 && names.contains("bé"));
    let boxes = VecIn(BoxIn(PhantomData::<Point>, alloc.clone()), alloc.clone());
    let boxes = read(boxes, r#"[{"x": 4, "name": "n"}, {"name": "", "x": -1}]"#).expect("boxes");
    assert_eq!(boxes.iter().map(|point| point.x).collect::<std::vec::Vec<_>>(), [4, -1]);
    let last = read(HashMapIn(PhantomData::<u8>, PhantomData::<u8>, alloc.clone()), r#"{"1": 2, "1": 3}"#);
    assert_eq!(last.expect("a table")[&1], 3);
    assert_eq!(read(VecIn(PhantomData::<()>, alloc.clone()), "[null, null]").expect("no bytes").len(), 2);
}

#[test]
fn input_is_read_into_any_allocator() {
    for checked in [false, true] {
        let heap = heap(1 << 20, checked);
        returns(&&heap);
        returns(&heap);
        assert_empty(&heap);
    }
    returns(&&Arena::new());
    Scratch::new().scope(|scope| returns(&&*scope));
}

#[test]
fn malformed_input_is_a_format_error() {
    let heap = heap(1 << 20, true);
    let table = || HashMapIn(StringIn(&heap), VecIn(StringIn(&heap), &heap), &heap);
    let error = |json| read(table(), json).expect_err("no table").to_string();
    assert_eq!(error("[]"), "invalid type: sequence, expected a map at line 1 column 0");
    assert!(error(r#"{"a": "b"}"#).contains("invalid type: string \"b\", expected a sequence"));
    assert!(error(r#"{"a": ["b", 7]}"#).contains("invalid type: integer `7`, expected a string"));
    assert!(error(r#"{"a": ["b"], "c": ["d""#).contains("EOF"));
    let not_utf8 = StringIn(&heap).deserialize(BytesDeserializer::<ValueError>::new(&[b'a', 0xFF]));
    assert_eq!(not_utf8.expect_err("no text").to_string(), "invalid value: byte array, expected a string");
    let utf8 = StringIn(&heap).deserialize(BytesDeserializer::<ValueError>::new("é".as_bytes()));
    assert_eq!(utf8.expect("a text"), "é");
    let from_str = BoxStrIn(&heap).deserialize(StrDeserializer::<ValueError>::new("str"));
    assert_eq!(&*from_str.expect("a text"), "str");
    assert_empty(&heap);
}

#[test]
fn refusal_is_an_error_without_leaks() {
    let heap = heap(12 << 10, true);
    let long = format!("\"{}\"", "x".repeat(20_000));
    let error = read(StringIn(&heap), &long).expect_err("too long");
    assert!(error.to_string().starts_with("limit reached: 20000 bytes (alignment 1)"), "{error}");
    let error = read(BoxIn(PhantomData::<Large>, &heap), "7").expect_err("too large");
    assert!(error.to_string().starts_with("limit reached: 16000 bytes (alignment 1)"), "{error}");
    let many = format!("[{}1]", "1,".repeat(5_000));
    let error = read(VecIn(PhantomData::<u64>, &heap), &many).expect_err("too many");
    assert!(error.to_string().contains("bytes (alignment 8)"), "{error}");
    let different: std::vec::Vec<u64> = (0..5_000).collect();
    let different = serde_json::to_string(&different).expect("json");
    let error = read(HashSetIn(PhantomData::<u64>, &heap), &different).expect_err("too many");
    assert!(error.to_string().contains(" of the region's 12288 bytes in use"), "{error}");
    let table: BTreeMap<u64, u64> = (0..5_000).map(|n| (n, n)).collect();
    let table = serde_json::to_string(&table).expect("json");
    let error = read(HashMapIn(PhantomData::<u64>, PhantomData::<u64>, &heap), &table).expect_err("too many");
    assert!(error.to_string().contains(" of the region's 12288 bytes in use"), "{error}");
    // What was read before the text that is refused is dropped.
    let nested = format!("[\"a\", \"b\", {long}]");
    assert!(read(VecIn(StringIn(&heap), &heap), &nested).is_err());
    assert_empty(&heap);
}

/// Sixteen thousand bytes, read from one number.
#[derive(Debug)]
struct Large([u8; 16_000]);

impl<'de> Deserialize<'de> for Large {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        u8::deserialize(input).map(|byte| Self([byte; 16_000])).inspect(|large| assert_eq!(large.0[15_999], 7))
    }
}

/// Yields three values and says they are as many as `says`.
struct Hostile {
    yielded: u32,
    says: usize,
}

impl Hostile {
    fn new(says: usize) -> Self {
        Self { yielded: 0, says }
    }
}

impl Iterator for Hostile {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.yielded += 1;
        (self.yielded <= 3).then_some(self.yielded)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = if self.yielded > 3 { 0 } else { self.says };
        (left, Some(left))
    }
}

/// Three values of no size that are said to be 2^60.
fn empties() -> impl serde::Deserializer<'static, Error = ValueError> {
    SeqDeserializer::new(Hostile::new(1 << 60).map(|_| SeqDeserializer::new(std::iter::empty::<u32>())))
}

#[test]
fn length_hint_of_input_is_capped() {
    let heap = heap(1 << 20, true);
    // More than there is, and what there would be room for.
    for says in [1 << 60, 30_000] {
        let input = || SeqDeserializer::<_, ValueError>::new(Hostile::new(says));
        let values = VecIn(PhantomData::<u32>, &heap).deserialize(input()).expect("three");
        assert!(values == [1, 2, 3] && values.capacity() <= 1024, "{}", values.capacity());
        let set = HashSetIn(PhantomData::<u32>, &heap).deserialize(input()).expect("three");
        assert!(set.len() == 3 && set.capacity() <= 2048, "{}", set.capacity());
        let pairs = Hostile::new(says).map(|number| (number, number));
        let table = HashMapIn(PhantomData::<u32>, PhantomData::<u32>, &heap)
            .deserialize(MapDeserializer::<_, ValueError>::new(pairs))
            .expect("three");
        assert!(table.len() == 3 && table.capacity() <= 1024, "{}", table.capacity());
        assert_eq!(VecIn(PhantomData::<[u32; 0]>, &heap).deserialize(empties()).expect("three").len(), 3);
        assert!(heap.peak_memory_usage() < 40 << 10, "{}", heap.stats());
        drop((values, set, table));
        assert_empty(&heap);
        // In a heap that has not even that much the three are read.
        let full = support::heap(4096, true);
        let most = full.alloc(support::layout(3_000, 16)).expect("room");
        assert_eq!(VecIn(PhantomData::<u32>, &full).deserialize(input()).expect("three"), [1, 2, 3]);
        assert_eq!((most.len(), full.live_bytes()), (3_000, 3_000));
    }
}
