//! Indexes of quantvec on disk: read in place, searched, decoded to rows, and written.
//!
//! `tq_format` says what the bytes are and `tq_codec` what the numbers mean; this gets them out of a mapped file and into
//! an [`Output`](crate::Output).

mod file;
mod rows;
mod search;
mod waiting;
mod writer;

pub use file::{QvecFile, QvecFileError, QvecRowId};
pub use rows::QvecRows;
pub use writer::{QvecOptions, QvecVersion, QvecWriter};
