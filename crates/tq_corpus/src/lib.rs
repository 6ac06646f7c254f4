//! Files of vectors: mapping them, surviving what other processes do to them meanwhile, reading corpora from them, and
//! writing files whole or not at all.
//!
//! Bytes mean what `tq_format` says; this crate gets at them. Everything read from a file passes through a
//! [`MapGuard`], because a mapping of a file that someone truncates turns reads into SIGBUS, and in a database server
//! that would take every session down. Here it becomes an ordinary error.

mod atomic;
mod burnpack;
mod cbor;
mod container;
mod detect;
mod error;
mod floats;
mod guard;
mod map;
mod matrix;
mod merge;
mod metadata;
mod number;
mod qvec;
mod read;
mod rows;
mod search;
mod spool;
mod tqcv;
mod tqcv_rows;
mod verify;
mod ztensor;

pub use atomic::{AtomicFile, remove_unfinished};
pub use burnpack::{BurnpackFile, BurnpackOptions, BurnpackWriter, merge_burnpacks};
pub use container::{Container, ContainerError, OpenError, Tensor};
pub use detect::{FileFormat, ZtensorGeneration, detect};
pub use error::FileError;
pub use floats::FloatType;
pub use map::{MapGuard, MappedFile};
pub use matrix::{MatrixEntry, MatrixError, MatrixFile, MatrixFolder, MatrixKey};
pub use merge::{MergeError, MergeIds, Merged, merge_corpora};
pub use metadata::{Ids, Metadata, MetadataError, check_json, parse_uuid, uuid_text};
pub use number::{Numbers, Real};
pub use qvec::{QvecFile, QvecFileError, QvecOptions, QvecRowId, QvecRows, QvecVersion, QvecWriter};
pub use read::read_small;
pub use rows::{Output, RowReader, RowWriter, RowsError};
pub use search::{Neighbour, SearchError};
pub use tqcv::{Corpus, CorpusFileError};
pub use tqcv_rows::{CorpusRowWriter, CorpusRows};
pub use verify::{Fault, FaultKind, Verification};
pub use ztensor::{ZtensorFile, ZtensorOptions, ZtensorWriter, merge_ztensors};
