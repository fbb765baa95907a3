//! A region's extents as plain figures, for tools and pictures. What fills them lives with the part.

/// One extent, in bytes from the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Extent {
    /// Bytes from the base of the arena or region.
    pub offset: usize,
    /// Length in bytes.
    pub len: usize,
    /// Handed out, or free.
    pub used: bool,
}

impl Extent {
    pub(crate) fn new(offset: usize, len: usize, used: bool) -> Self {
        Self { offset, len, used }
    }
}
