//! serde: a symbol is its index; an interner is the sequence of its strings in the order of their symbols, so that
//! symbols written beside it lead to the same strings when both are read again.
//!
//! An interner reads into itself: it is the seed of what it will be, for which the caller chooses the region. A
//! sequence with a string that is there already is refused, for the symbols of those behind it would be others.

use core::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, SeqAccess, Unexpected, Visitor};
use serde::ser::{Serialize, SerializeSeq, Serializer};

use super::{FrozenInterner, Inner, Interner, Symbol};

impl Serialize for Symbol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Below `u32::MAX`: a symbol's index.
        u32::try_from(self.index()).unwrap_or(u32::MAX).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Symbol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let index = u32::deserialize(deserializer)?;
        let refused = || D::Error::invalid_value(Unexpected::Unsigned(index.into()), &"an index below 2^32 - 1");
        Symbol::from_index(index as usize).ok_or_else(refused)
    }
}

/// Writes the strings there are, in order. Waits for those that another thread has taken a number for, a moment ago.
fn serialize<S: Serializer>(inner: Option<&Inner>, serializer: S) -> Result<S::Ok, S::Error> {
    let len = inner.map_or(0, Inner::len);
    let mut strings = serializer.serialize_seq(Some(len))?;
    if let Some(inner) = inner {
        for symbol in (0..len).filter_map(Symbol::from_index) {
            strings.serialize_element(inner.wait_for(symbol))?;
        }
    }
    strings.end()
}

/// A sequence of strings in the order of their symbols. Strings that are interned meanwhile may be left out.
impl Serialize for Interner {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(self.inner.made(), serializer)
    }
}

/// A sequence of strings in the order of their symbols.
impl Serialize for FrozenInterner {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(self.inner(), serializer)
    }
}

/// Reads into an interner of its own region, without a limit: for input that is trusted. The error of a string that
/// comes twice, or that is refused, is the format's.
impl<'de> Deserialize<'de> for Interner {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DeserializeSeed::deserialize(Interner::new(), deserializer)
    }
}

/// As for [`Interner`], frozen.
impl<'de> Deserialize<'de> for FrozenInterner {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(<Interner as Deserialize>::deserialize(deserializer)?.freeze())
    }
}

/// Reads into this interner, behind the strings that it has, within its region's limit. The error of a string that it
/// has already, or that is refused, is the format's; then the interner is dropped.
///
/// ```
/// use serde::de::DeserializeSeed;
/// use sharded_arena::{Interner, Region};
/// let region = Region::with_capacity(64 << 10)?; // a hostile input gets no more
/// let read = |json: &str| Interner::in_region(&region).deserialize(&mut serde_json::Deserializer::from_str(json));
/// let names = read(r#"["ada", "grace"]"#)?;
/// assert_eq!(names.get("grace").map(|symbol| symbol.index()), Some(1));
/// assert_eq!(serde_json::to_string(&names)?, r#"["ada","grace"]"#);
/// assert!(read(r#"["ada", "ada"]"#).unwrap_err().to_string().starts_with("the string \"ada\" is there already"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl<'de> DeserializeSeed<'de> for Interner {
    type Value = Interner;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Interner, D::Error> {
        deserializer.deserialize_seq(Strings(self))
    }
}

/// Interns a sequence of strings.
struct Strings(Interner);

impl<'de> Visitor<'de> for Strings {
    type Value = Interner;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence of different strings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Interner, A::Error> {
        while sequence.next_element_seed(One(&self.0))?.is_some() {}
        Ok(self.0)
    }
}

/// Interns one string, which is new.
struct One<'a>(&'a Interner);

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        // A borrowed text will do: it is copied once, into the region.
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for One<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let next = self.0.len();
        let symbol = self.0.intern(text).map_err(|error| E::custom(format_args!("the region refused: {error}")))?;
        if symbol.index() < next {
            return Err(E::custom(format_args!("the string {text:?} is there already, as {symbol}")));
        }
        Ok(())
    }
}
