//! Texts and boxes are serialised as what they hold. Vectors and tables are by their own crates.

use allocator_api2::alloc::Allocator;
use serde::ser::{Serialize, Serializer};

use super::String;
use crate::boxed::Box;

impl<A: Allocator> Serialize for String<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<T: ?Sized + Serialize, A: Allocator> Serialize for Box<T, A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}
