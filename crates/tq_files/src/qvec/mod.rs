//! Indexes of quantvec on disk: read in place, searched, decoded to rows, and written.
//!
//! `tq_format` says what the bytes are and `tq_codec` what the numbers mean; this gets them out of a mapped file and into
//! an [`Output`](crate::Output).

mod error;
mod file;
mod read;
mod search;
mod waiting;
mod write;

pub use error::QvecFileError;
pub use file::QvecFile;
pub use read::QvecRows;
pub use write::{QvecOptions, QvecVersion, QvecWriter};
