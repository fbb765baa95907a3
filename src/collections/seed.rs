//! Deserialisation into a given allocator: a seed carries it to where the values are made.
//!
//! `serde`'s `Deserialize` makes a value from nothing, so it cannot know the allocator; a `DeserializeSeed` is handed
//! in by the caller. Seeds nest: `VecIn(StringIn(&heap), &heap)` is a vector of texts. `PhantomData::<T>` is the seed
//! of a `T` that needs no allocator.
//!
//! A refusal is an error of the format, with the refusal's text, and what was made until then is dropped. What the
//! input says of its own length is believed up to 4 KiB of values; beyond, a collection grows as values come. The
//! tables have the default hasher, which is fast: who fears chosen collisions reads pairs into a vector and hashes them
//! otherwise.
//!
//! ```
//! use std::marker::PhantomData;
//! use serde::de::DeserializeSeed;
//! use sharded_arena::Heap;
//! use sharded_arena::collections::seed::{HashMapIn, StringIn, VecIn};
//!
//! let heap = Heap::with_capacity(1 << 20)?; // a hostile input gets no more
//! let mut json = serde_json::Deserializer::from_str(r#"{"odd": [1, 3], "even": [2]}"#);
//! let table = HashMapIn(StringIn(&heap), VecIn(PhantomData::<u64>, &heap), &heap).deserialize(&mut json)?;
//! assert_eq!(table["odd"], [1, 3]);
//! assert_eq!(serde_json::to_string(&table["even"])?, "[2]");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use core::fmt;
use core::hash::Hash;

use allocator_api2::alloc::Allocator;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

use super::reserve::reserve;
use super::{HashMap, HashSet, String, Vec, try_reserve};
use crate::boxed::Box;

/// How much room is made for what the input says of its length, in bytes of values.
const BELIEVED_BYTES: usize = 4096;

/// How many values are believed to come.
fn believed<T>(hint: Option<usize>) -> usize {
    match size_of::<T>() {
        0 => 0,
        size => hint.unwrap_or(0).min(BELIEVED_BYTES / size),
    }
}

/// A text in an allocator.
///
/// ```
/// use serde::de::DeserializeSeed;
/// use sharded_arena::{Arena, collections::seed::StringIn};
/// let arena = Arena::new();
/// let text = StringIn(&arena).deserialize(&mut serde_json::Deserializer::from_str(r#""a\nb""#))?;
/// assert_eq!(text, "a\nb");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct StringIn<A>(pub A);

/// A text in an allocator, in a box.
#[derive(Debug, Clone, Copy)]
pub struct BoxStrIn<A>(pub A);

/// A value of a seed, in a box in an allocator.
#[derive(Debug, Clone, Copy)]
pub struct BoxIn<S, A>(pub S, pub A);

/// A vector in an allocator, of values of clones of a seed.
///
/// ```
/// use std::marker::PhantomData;
/// use serde::de::DeserializeSeed;
/// use sharded_arena::{Heap, collections::seed::VecIn};
/// let heap = Heap::with_capacity(4096)?;
/// let numbers = VecIn(PhantomData::<u64>, &heap);
/// let read = |json: &str| numbers.deserialize(&mut serde_json::Deserializer::from_str(json));
/// assert_eq!(read("[1, 2, 3]")?, [1, 2, 3]);
/// let refused = read(&format!("{:?}", vec![0; 1000])).unwrap_err();
/// assert!(refused.to_string().starts_with("limit reached"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct VecIn<S, A>(pub S, pub A);

/// A table in an allocator, of keys and values of clones of two seeds, with the default hasher. Of two values for one
/// key the last stays.
#[derive(Debug, Clone, Copy)]
pub struct HashMapIn<K, V, A>(pub K, pub V, pub A);

/// A set in an allocator, of values of clones of a seed, with the default hasher.
#[derive(Debug, Clone, Copy)]
pub struct HashSetIn<S, A>(pub S, pub A);

// ---- texts and boxes ------------------------------------------------------------------------------------------------

impl<'de, A: Allocator> DeserializeSeed<'de> for StringIn<A> {
    type Value = String<A>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String<A>, D::Error> {
        // A borrowed text will do: it is copied once, into the allocator.
        deserializer.deserialize_str(self)
    }
}

impl<A: Allocator> Visitor<'_> for StringIn<A> {
    type Value = String<A>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String<A>, E> {
        String::try_from_str_in(text, self.0).map_err(E::custom)
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<String<A>, E> {
        match core::str::from_utf8(bytes) {
            Ok(text) => self.visit_str(text),
            Err(_) => Err(E::invalid_value(Unexpected::Bytes(bytes), &self)),
        }
    }
}

impl<'de, A: Allocator> DeserializeSeed<'de> for BoxStrIn<A> {
    type Value = Box<str, A>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Box<str, A>, D::Error> {
        StringIn(self.0).deserialize(deserializer).map(String::into_boxed_str)
    }
}

impl<'de, S: DeserializeSeed<'de>, A: Allocator> DeserializeSeed<'de> for BoxIn<S, A> {
    type Value = Box<S::Value, A>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        Box::try_new_in(self.0.deserialize(deserializer)?, self.1).map_err(D::Error::custom)
    }
}

// ---- sequences and tables -------------------------------------------------------------------------------------------

impl<'de, S: DeserializeSeed<'de> + Clone, A: Allocator> DeserializeSeed<'de> for VecIn<S, A> {
    type Value = Vec<S::Value, A>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, S: DeserializeSeed<'de> + Clone, A: Allocator> Visitor<'de> for VecIn<S, A> {
    type Value = Vec<S::Value, A>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<Q: SeqAccess<'de>>(self, mut input: Q) -> Result<Self::Value, Q::Error> {
        let mut values = Vec::new_in(self.1);
        let _believed = values.try_reserve_exact(believed::<S::Value>(input.size_hint()));
        while let Some(value) = input.next_element_seed(self.0.clone())? {
            reserve(&mut values, 1).map_err(Q::Error::custom)?;
            values.push(value);
        }
        Ok(values)
    }
}

impl<'de, K, V, A> DeserializeSeed<'de> for HashMapIn<K, V, A>
where
    K: DeserializeSeed<'de, Value: Eq + Hash> + Clone,
    V: DeserializeSeed<'de> + Clone,
    A: Allocator,
{
    type Value = HashMap<K::Value, V::Value, A>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, K, V, A> Visitor<'de> for HashMapIn<K, V, A>
where
    K: DeserializeSeed<'de, Value: Eq + Hash> + Clone,
    V: DeserializeSeed<'de> + Clone,
    A: Allocator,
{
    type Value = HashMap<K::Value, V::Value, A>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<Q: MapAccess<'de>>(self, mut input: Q) -> Result<Self::Value, Q::Error> {
        let mut table = super::hash_map_in(self.2);
        let _believed = try_reserve(&mut table, believed::<(K::Value, V::Value)>(input.size_hint()));
        while let Some((key, value)) = input.next_entry_seed(self.0.clone(), self.1.clone())? {
            try_reserve(&mut table, 1).map_err(Q::Error::custom)?;
            table.insert(key, value);
        }
        Ok(table)
    }
}

impl<'de, S, A> DeserializeSeed<'de> for HashSetIn<S, A>
where
    S: DeserializeSeed<'de, Value: Eq + Hash> + Clone,
    A: Allocator,
{
    type Value = HashSet<S::Value, A>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, S, A> Visitor<'de> for HashSetIn<S, A>
where
    S: DeserializeSeed<'de, Value: Eq + Hash> + Clone,
    A: Allocator,
{
    type Value = HashSet<S::Value, A>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<Q: SeqAccess<'de>>(self, mut input: Q) -> Result<Self::Value, Q::Error> {
        let mut set = super::hash_set_in(self.1);
        let _believed = try_reserve(&mut set, believed::<S::Value>(input.size_hint()));
        while let Some(value) = input.next_element_seed(self.0.clone())? {
            try_reserve(&mut set, 1).map_err(Q::Error::custom)?;
            set.insert(value);
        }
        Ok(set)
    }
}
