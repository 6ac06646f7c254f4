//! Merging files of one format: what comes of it, or why it does not.

use std::path::{Path, PathBuf};

use tq_format::CorpusError;
use tq_memory::OutOfMemory;

use crate::container::ContainerError;
use crate::io::FileError;
use crate::rows::RowsError;
use crate::tqcv::{CorpusFileError, MetadataError};

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merged {
    /// The records of a corpus, or the tensors of another file.
    pub count: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Whether metadata that isn't ours was left out, because not all files had the same.
    pub foreign_dropped: bool,
}

/// Why files could not be merged.
#[derive(thiserror::Error, Debug)]
#[non_exhaustive]
pub enum MergeError {
    /// No files.
    #[error("there are no files to merge")]
    Nothing,
    /// A file itself, or the output.
    #[error(transparent)]
    File(#[from] FileError),
    /// What stands in a corpus.
    #[error("file \"{}\": {source}", path.display())]
    Corpus {
        /// The corpus.
        path: PathBuf,
        /// What is wrong.
        source: CorpusError,
    },
    /// What stands in a file of tensors.
    #[error("file \"{}\": {source}", path.display())]
    Tensors {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ContainerError,
    },
    /// A number of a tensor that has to be converted, or another thing in its rows.
    #[error("file \"{}\": {source}", path.display())]
    Rows {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: RowsError,
    },
    /// The metadata of a corpus.
    #[error("file \"{}\": {source}", path.display())]
    Metadata {
        /// The corpus.
        path: PathBuf,
        /// What is wrong.
        source: MetadataError,
    },
    /// Two corpora are of different codecs.
    #[error("{what} of file \"{}\" is {got}, and that of \"{}\" is {expected}", path.display(), first.display())]
    Unlike {
        /// The first corpus.
        first: PathBuf,
        /// The one that is unlike.
        path: PathBuf,
        /// In what they differ.
        what: &'static str,
        /// The first one's.
        expected: String,
        /// The other one's.
        got: String,
    },
    /// Two corpora describe different codecs under one hash.
    #[error(
        "files \"{}\" and \"{}\" describe codecs with different codebooks under one hash",
        first.display(),
        path.display()
    )]
    Codec {
        /// The first that describes one.
        first: PathBuf,
        /// The one that contradicts it.
        path: PathBuf,
    },
    /// A corpus describes another codec than its records have.
    #[error("file \"{}\" describes the codec {described}, and its records are of {hash}", path.display())]
    CodecHash {
        /// The corpus.
        path: PathBuf,
        /// The hash of what it describes.
        described: String,
        /// The hash of its records.
        hash: String,
    },
    /// One corpus has ids, another has none.
    #[error("file \"{}\" has ids, and \"{}\" has none", with.display(), without.display())]
    IdsMissing {
        /// The one with ids.
        with: PathBuf,
        /// The one without.
        without: PathBuf,
    },
    /// The ids are of different types.
    #[error("file \"{}\" has ids of type {got}, and \"{}\" of type {expected}", path.display(), first.display())]
    IdsType {
        /// The first corpus with ids.
        first: PathBuf,
        /// The one whose ids are of another type.
        path: PathBuf,
        /// The first one's type.
        expected: &'static str,
        /// The other one's.
        got: &'static str,
    },
    /// There is no memory for a step, or for what is said of all.
    #[error("{0}")]
    Memory(#[from] OutOfMemory),
    /// What would be written doesn't fit the format.
    #[error("merged corpus: {0}")]
    Header(#[from] CorpusError),
    /// The metadata of all doesn't fit the format.
    #[error("merged corpus: {0}")]
    MergedMetadata(#[from] MetadataError),
    /// Two files have something of the same name.
    #[error("{what} \"{name}\" is in file \"{}\" and in \"{}\"", first.display(), path.display())]
    Clash {
        /// What it is: a tensor, a scalar.
        what: &'static str,
        /// Its name.
        name: String,
        /// The first file that has it.
        first: PathBuf,
        /// Another.
        path: PathBuf,
    },
    /// The tensors of all don't fit the format.
    #[error(transparent)]
    Container(#[from] ContainerError),
}

impl MergeError {
    pub(crate) fn clash(what: &'static str, name: &str, first: &Path, path: &Path) -> Self {
        let name = name.escape_debug().to_string();
        MergeError::Clash { what, name, first: first.to_owned(), path: path.to_owned() }
    }

    pub(crate) fn tensors(path: &Path, error: RowsError) -> Self {
        let path = path.to_owned();
        match error {
            RowsError::File(error) => MergeError::File(error),
            RowsError::Container(source) => MergeError::Tensors { path, source },
            source => MergeError::Rows { path, source },
        }
    }

    pub(crate) fn corpus(path: &Path, error: CorpusFileError) -> Self {
        match error {
            CorpusFileError::File(error) => MergeError::File(error),
            CorpusFileError::Format(source) => MergeError::Corpus { path: path.to_owned(), source },
        }
    }
}

/// Of the merged corpus, not of one of the files.
impl From<CorpusFileError> for MergeError {
    fn from(error: CorpusFileError) -> Self {
        match error {
            CorpusFileError::File(error) => MergeError::File(error),
            CorpusFileError::Format(error) => MergeError::Header(error),
        }
    }
}
