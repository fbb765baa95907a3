//! Texts, boxes and shared values are serialised as what they hold. Vectors and tables are by their own crates.

use allocator_api2::alloc::Allocator;
use serde::ser::{Serialize, Serializer};

use super::String;
use crate::boxed::{Arc, Box};

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

/// What is shared is written each time.
impl<T: ?Sized + Serialize, A: Allocator + Clone> Serialize for Arc<T, A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}
