//! `Extent`: a range of a region in granules. Pure numbers.

/// A range `[offset, offset + len)` in granules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Extent {
    /// First granule.
    pub(crate) offset: u32,
    /// Length in granules.
    pub(crate) len: u32,
}

impl Extent {
    pub(crate) fn new(offset: u32, len: u32) -> Self {
        Self { offset, len }
    }

    /// The part that begins at `granule`, which lies in the extent.
    pub(crate) fn from(self, granule: u32) -> Self {
        Self { offset: granule, len: self.end() - granule }
    }

    /// The granule behind the last.
    pub(crate) fn end(self) -> u32 {
        self.offset + self.len
    }
}
