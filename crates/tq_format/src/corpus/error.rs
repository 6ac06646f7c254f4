//! What can be wrong with a corpus file, one variant a cause. Faults of a record say which one and where.

use super::{MAX_CONFIG_HASH_LEN, MAX_METADATA_LEN};
use crate::{MAX_DIMENSION, RecordError, ShapeDifference};

/// Where a record is, for messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) number: u64,
    pub(super) offset: u64,
}

/// Why bytes are not a TQCV corpus, or why one could not be written.
///
/// `number` counts records from 1; `offset` is where the record's length prefix starts, in bytes from the start of
/// the file, unless a field says otherwise.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are the numbers of the message above each")]
pub enum CorpusError {
    /// There is no memory for the header, or for a corpus that is gathered there.
    #[error("{0}")]
    Memory(#[from] tq_memory::OutOfMemory),
    /// The file ends inside its header.
    #[error("corpus header is truncated: {needed} bytes needed, {got} present")]
    HeaderTruncated { needed: u64, got: u64 },
    /// The file starts with `TQCX`: its writer has not finished it.
    #[error("corpus file is unfinished: its writer did not complete it")]
    Unfinished,
    /// The file starts with neither `TQCV` nor `TQCX`.
    #[error("not a TQCV corpus file: it starts with \"{}\"", got.escape_ascii())]
    BadMagic { got: [u8; 4] },
    /// The version byte is not 1.
    #[error("unknown corpus version {got}")]
    UnknownVersion { got: u8 },
    /// A reserved byte of the header, at `offset`, is not zero.
    #[error("reserved byte {offset} of the corpus header is {got}: must be 0")]
    ReservedNotZero { offset: u64, got: u8 },
    /// The dimension is zero.
    #[error("corpus header has dimension 0")]
    DimensionZero,
    /// The dimension is above [`MAX_DIMENSION`].
    #[error("corpus header has dimension {got}: at most {MAX_DIMENSION} is allowed")]
    DimensionTooLarge { got: u32 },
    /// The bit width is not 2, 4 or 8.
    #[error("invalid bit width {got} in the corpus header: must be 2, 4 or 8")]
    InvalidBitWidth { got: u8 },
    /// The residual flag is neither 0 nor 1.
    #[error("invalid residual flag {got} in the corpus header: must be 0 or 1")]
    InvalidResidualFlag { got: u8 },
    /// The configuration hash has more than [`MAX_CONFIG_HASH_LEN`] bytes.
    #[error("configuration hash of the corpus has {got} bytes: at most {MAX_CONFIG_HASH_LEN} are allowed")]
    HashTooLong { got: u64 },
    /// The configuration hash is not UTF-8.
    #[error("configuration hash of the corpus is not valid UTF-8")]
    InvalidUtf8,
    /// The configuration hash is hexadecimal, but in capital letters.
    #[error(
        "configuration hash of the corpus has capital letters: its hexadecimal digits must be lower-case"
    )]
    HashCapitals,
    /// There are more than [`MAX_METADATA_LEN`] bytes of metadata.
    #[error("corpus metadata has {got} bytes: at most {MAX_METADATA_LEN} are allowed")]
    MetadataTooLong { got: u64 },
    /// A byte that fills the header up, at `offset`, is not zero.
    #[error("padding byte {offset} of the corpus header is not zero")]
    HeaderPadding { offset: u64 },
    /// The file ends after a whole record, at `offset`, before it has as many as its header says.
    #[error("corpus header announces {count} records but the file ends after {present}, at byte {offset}")]
    CountExceedsFile { count: u64, present: u64, offset: u64 },
    /// The file ends inside a record, `needed` bytes long with its length prefix.
    #[error(
        "corpus is truncated in record {number} of {count}, at byte {offset}: {needed} bytes needed, {got} present"
    )]
    Truncated { number: u64, count: u64, offset: u64, needed: u64, got: u64 },
    /// Bytes follow the last record, from `offset` on.
    #[error("corpus has {surplus} surplus bytes after its {count} records, from byte {offset} on")]
    TrailingBytes { count: u64, offset: u64, surplus: u64 },
    /// A record is not valid by itself.
    #[error("record {number} of the corpus, at byte {offset}: {source}")]
    Record { number: u64, offset: u64, source: RecordError },
    /// A record's length prefix is not the length that follows from the header.
    #[error("record {number} of the corpus, at byte {offset}, has length {got}: {expected} expected")]
    RecordLength { number: u64, offset: u64, expected: u32, got: u32 },
    /// A record was made with another configuration.
    #[error(
        "record {number} of the corpus, at byte {offset}, has another configuration hash than the corpus"
    )]
    RecordHash { number: u64, offset: u64 },
    /// A record has another dimension than the header.
    #[error(
        "record {number} of the corpus, at byte {offset}, has dimension {got}: the corpus has {expected}"
    )]
    RecordDimension { number: u64, offset: u64, expected: u32, got: u32 },
    /// A record has another bit width than the header.
    #[error(
        "record {number} of the corpus, at byte {offset}, has bit width {got}: the corpus has {expected}"
    )]
    RecordBitWidth { number: u64, offset: u64, expected: u8, got: u8 },
    /// A record has a residual and the header says none has, or the other way round.
    #[error(
        "record {number} of the corpus, at byte {offset}, {} residual: the corpus is one {}",
        if *.expected { "has no" } else { "has a" },
        if *.expected { "with residuals" } else { "without" }
    )]
    RecordResidual { number: u64, offset: u64, expected: bool },
    /// A record was asked for that the corpus doesn't have.
    #[error("corpus has no record {number}: it has {count}")]
    NoSuchRecord { number: u64, count: u64 },
}

impl CorpusError {
    /// A record that is unlike the corpus.
    pub(super) fn unlike(difference: ShapeDifference, Place { number, offset }: Place) -> Self {
        match difference {
            ShapeDifference::Dimension { expected, got } => {
                CorpusError::RecordDimension { number, offset, expected, got }
            }
            ShapeDifference::BitWidth { expected, got } => {
                let (expected, got) = (expected.bits(), got.bits());
                CorpusError::RecordBitWidth { number, offset, expected, got }
            }
            ShapeDifference::Residual { expected } => {
                CorpusError::RecordResidual { number, offset, expected }
            }
            ShapeDifference::Hash => CorpusError::RecordHash { number, offset },
        }
    }

    /// The record at fault, counted from 1.
    pub fn record_number(&self) -> Option<u64> {
        match *self {
            CorpusError::Truncated { number, .. }
            | CorpusError::Record { number, .. }
            | CorpusError::RecordLength { number, .. }
            | CorpusError::RecordHash { number, .. }
            | CorpusError::RecordDimension { number, .. }
            | CorpusError::RecordBitWidth { number, .. }
            | CorpusError::RecordResidual { number, .. }
            | CorpusError::NoSuchRecord { number, .. } => Some(number),
            _ => None,
        }
    }

    /// The byte of the file at which the fault is, or the record at fault begins.
    pub fn offset(&self) -> Option<u64> {
        match *self {
            CorpusError::ReservedNotZero { offset, .. }
            | CorpusError::HeaderPadding { offset }
            | CorpusError::CountExceedsFile { offset, .. }
            | CorpusError::Truncated { offset, .. }
            | CorpusError::TrailingBytes { offset, .. }
            | CorpusError::Record { offset, .. }
            | CorpusError::RecordLength { offset, .. }
            | CorpusError::RecordHash { offset, .. }
            | CorpusError::RecordDimension { offset, .. }
            | CorpusError::RecordBitWidth { offset, .. }
            | CorpusError::RecordResidual { offset, .. } => Some(offset),
            _ => None,
        }
    }
}
