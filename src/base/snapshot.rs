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

/// All extents of a region in address order, and the figures that go with them.
///
/// Copied in bounded holds of the lock: exact when the region is quiet; beside running threads every extent was true
/// when it was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Bytes of address space.
    pub capacity: usize,
    /// Bytes that may be handed out at once.
    pub limit: usize,
    /// Bytes handed out when the copy began.
    pub usage: usize,
    /// The extents, without gaps.
    pub extents: Vec<Extent>,
}
