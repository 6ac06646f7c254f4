//! TQCV corpora on disk: read in place, as records or as rows; written, merged, searched and checked; their metadata.
//!
//! `tq_format` says what the bytes are and `tq_codec` what the numbers mean; this gets them out of a mapped file and into
//! an [`Output`](crate::Output).

mod file;
mod merge;
mod metadata;
mod read;
mod search;
mod verify;
mod write;

pub use file::{Corpus, CorpusFileError};
pub use merge::{MergeIds, merge_corpora};
pub use metadata::{Metadata, MetadataError, check_json};
pub use read::CorpusRows;
pub use search::SearchError;
pub use verify::{Fault, FaultKind, Verification};
pub use write::{CorpusRowWriter, CorpusWriter};
