//! The one error of this crate.

use std::collections::TryReserveError;
use std::fmt;
use std::io;

/// Memory that the system refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfMemory {
    /// How many bytes were asked for; 0 if that isn't known.
    pub bytes: usize,
}

impl OutOfMemory {
    /// For so many values of `T`.
    pub fn of<T>(count: usize) -> Self {
        Self { bytes: count.saturating_mul(size_of::<T>()) }
    }
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bytes {
            0 => f.write_str("cannot allocate memory"),
            bytes => write!(f, "cannot allocate {bytes} bytes"),
        }
    }
}

impl std::error::Error for OutOfMemory {}

impl From<TryReserveError> for OutOfMemory {
    fn from(_: TryReserveError) -> Self {
        Self { bytes: 0 }
    }
}

/// For readers and writers, whose errors are those of the system.
impl From<OutOfMemory> for io::Error {
    fn from(_: OutOfMemory) -> Self {
        // Without a box around the numbers: memory is short.
        io::ErrorKind::OutOfMemory.into()
    }
}
