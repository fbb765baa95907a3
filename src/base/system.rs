//! `SystemRefusal`: addresses or memory that the operating system, or the global allocator, did not give.

use core::fmt;
use std::io;

/// Where a caller finds the limits of a process.
pub(super) const HINT: &str = "see the limits of the process (`ulimit -v` and `-d`, `-l` for locked memory) and of the \
                               system (vm.max_map_count, vm.overcommit_memory)";

/// Addresses or memory that the operating system, or the global allocator, refused. Nothing was changed by it.
///
/// A request that meets it may succeed later: the next one asks the system again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SystemRefusal {
    /// Bytes asked of the system; `usize::MAX` if no address space has as many.
    pub asked: usize,
    /// The system's number of the error (`errno`); `None` for a refusal of the global allocator, which has none.
    pub os_error: Option<i32>,
    kind: io::ErrorKind,
}

impl SystemRefusal {
    /// The system's refusal of `asked` bytes.
    pub(crate) fn of(asked: usize, error: &io::Error) -> Self {
        Self { asked, os_error: error.raw_os_error(), kind: error.kind() }
    }

    /// The global allocator's refusal of `asked` bytes.
    pub(crate) const fn of_allocator(asked: usize) -> Self {
        Self { asked, os_error: None, kind: io::ErrorKind::OutOfMemory }
    }

    /// Returns the cause as an error of the standard library, without the figure.
    #[must_use]
    pub fn cause(&self) -> io::Error {
        self.os_error.map_or_else(|| self.kind.into(), io::Error::from_raw_os_error)
    }
}

impl fmt::Display for SystemRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the system refused {} bytes: {}; {HINT}", self.asked, self.cause())
    }
}

impl std::error::Error for SystemRefusal {}
