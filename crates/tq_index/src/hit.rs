//! What a search is asked, and what it gives.

use tq_simd::Level;

use crate::error::IndexError;
use crate::layout::Tid;
use crate::probes::ListOptions;

/// Measures records that aren't of the index's codec.
pub trait Others {
    /// An error of measuring, or of the index.
    type Error: From<IndexError>;

    /// The distance of a row's record, as the operator has it; for inner products the negative one. `None` leaves the row out: it is known
    /// to be no result.
    ///
    /// # Errors
    /// Its own.
    fn distance(&mut self, tid: Tid, record: &[u8]) -> Result<Option<f64>, Self::Error>;
}

/// A row that was found.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Hit {
    /// Which.
    pub tid: Tid,
    /// How far it is; `None` for NULL.
    pub distance: Option<f64>,
}

/// How to search.
#[derive(Clone, Copy, Debug)]
pub struct ScanOptions {
    /// How many standard deviations below its estimate a row's distance is expected at the least.
    pub epsilon: f64,
    /// Bytes of memory that candidates may take.
    pub memory: usize,
    /// The kernels to use.
    pub level: Level,
    /// Which lists to look at, if the index has any.
    pub lists: ListOptions,
}

/// What a search has done.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ScanCounts {
    /// Passes over the slots.
    pub passes: u64,
    /// Slots looked at.
    pub slots: u64,
    /// Rows measured by their codes.
    pub refined: u64,
}
