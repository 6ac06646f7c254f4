//! What a file of vectors can be refused for, on its way in or out.

use pgrx::PgSqlErrorCode as Code;
use tq_files::{ContainerError, MergeError, RowsError};

use super::crates::files::{container_code, file_code, rows_code};
use super::*;

/// What a file of vectors can be refused for, on its way in or out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormatError {
    #[error("could not read what was written to a temporary file")]
    SpoolDamaged,
    #[error("invalid file \"{}\": {source}", path.display())]
    Rows { path: PathBuf, source: tq_files::RowsError },
    #[error("row {row}: {source}")]
    FileRow { row: u64, source: Box<Error> },
    #[error("\"{}\" has no tensor \"{}\"", path.display(), shortened(tensor))]
    NoSuchTensor { path: PathBuf, tensor: String, hint: String },
    #[error("\"{}\" has {} that can be read as vectors", path.display(), if *.several { "several tensors" } else { "no tensor" })]
    TensorChoice { path: PathBuf, several: bool, hint: String },
    #[error("\"{}\" is of format {got}, not {wanted}", path.display())]
    OtherFormat { path: PathBuf, got: &'static str, wanted: &'static str },
    #[error("codec \"{codec}\" is for {expected} dimensions, and the vectors of \"{}\" have {got}", path.display())]
    CodecDimension { codec: String, expected: u32, path: PathBuf, got: u32 },
    #[error("\"{}\" is not a file of a known format", .0.display())]
    UnknownFormat(PathBuf),
    #[error("could not merge: {0}")]
    Merge(#[source] tq_files::MergeError),
    #[error("{count} files are too many to be merged at once")]
    MergeCount { count: usize, most: usize },
    #[error("\"{}\" is of format {got}, \"{}\" of format {expected}", path.display(), first.display())]
    MergeFormats { path: PathBuf, got: &'static str, first: PathBuf, expected: &'static str },
    #[error("QVEC files can't be merged")]
    MergeQvec,
    #[error("files of format {0} can't be merged")]
    MergeArrays(&'static str),
    #[error("\"{}\" has {ids} ids for {rows} vectors", path.display())]
    IdCount { path: PathBuf, ids: u64, rows: u64 },
    #[error("\"{}\" is of format {format}, which has no tensors of ids", path.display())]
    NoIdTensors { path: PathBuf, format: &'static str },
    #[error("\"{}\" does not have one tensor only, which would be the ids", path.display())]
    IdTensorChoice { path: PathBuf, option: String },
    #[error("\"{}\" is a QVEC file, which can't be searched by l1", .0.display())]
    IndexMetric(PathBuf),
    #[error("there are fewer ids than vectors")]
    KeysMissing,
    #[error("number {0} is no double and no whole number, and so no key of a QVEC file")]
    KeyNumber(String),
    #[error("{0}")]
    WriteRows(#[source] tq_files::RowsError),
    #[error("invalid TQCV file \"{}\": {source}", path.display())]
    CorpusMetadata { path: PathBuf, source: tq_files::MetadataError },
    #[error(
        "invalid TQCV file \"{}\": its metadata describes codec \"{described}\", but its records are of codec \"{stated}\"",
        path.display()
    )]
    CorpusCodec { path: PathBuf, described: String, stated: String },
    #[error("records of \"{}\" are of codec \"{got}\", not \"{wanted}\"", path.display())]
    CorpusOtherCodec { path: PathBuf, wanted: String, got: String },
    #[error("\"{}\" has no ids for column \"{column}\"", path.display())]
    NoIds { path: PathBuf, column: String },
    #[error("temporary file size exceeds temp_file_limit ({0}kB)")]
    TempFileLimit(u64),
    #[error("id {} of record {record} does not fit column \"{column}\"", shortened(id))]
    CorpusId { record: u64, id: String, column: String },
    #[error("{0}")]
    BadRecord(#[source] CorpusError),
    #[error("record {record}: {source}")]
    CorpusRecord { record: u64, source: Box<Error> },
    #[error("\"{}\": {source}", path.display())]
    CorpusRow { path: PathBuf, source: Box<Error> },
}

impl FormatError {
    pub(super) fn code(&self) -> Code {
        match self {
            FormatError::KeyNumber(_) => Code::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
            FormatError::CodecDimension { .. } => Code::ERRCODE_DATA_EXCEPTION,
            FormatError::CorpusMetadata { .. }
            | FormatError::CorpusCodec { .. }
            | FormatError::BadRecord(_) => Code::ERRCODE_BAD_COPY_FILE_FORMAT,
            FormatError::TempFileLimit(_) => Code::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
            FormatError::CorpusOtherCodec { .. } => Code::ERRCODE_DATA_EXCEPTION,
            FormatError::NoIds { .. } => Code::ERRCODE_INVALID_COLUMN_REFERENCE,
            FormatError::CorpusId { .. } => Code::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
            FormatError::CorpusRecord { source, .. }
            | FormatError::CorpusRow { source, .. }
            | FormatError::FileRow { source, .. } => source.code(),
            FormatError::Rows { source, .. } | FormatError::WriteRows(source) => rows_code(source),
            FormatError::TensorChoice { .. } | FormatError::IdTensorChoice { .. } => {
                Code::ERRCODE_INVALID_PARAMETER_VALUE
            }
            FormatError::IdCount { .. } => Code::ERRCODE_DATA_EXCEPTION,
            FormatError::NoIdTensors { .. } => Code::ERRCODE_WRONG_OBJECT_TYPE,
            FormatError::NoSuchTensor { .. } => Code::ERRCODE_UNDEFINED_OBJECT,
            FormatError::UnknownFormat(_) | FormatError::OtherFormat { .. } | FormatError::KeysMissing => {
                Code::ERRCODE_BAD_COPY_FILE_FORMAT
            }
            FormatError::Merge(MergeError::File(error)) => file_code(error),
            FormatError::Merge(
                MergeError::Corpus { .. } | MergeError::Metadata { .. } | MergeError::CodecHash { .. },
            ) => Code::ERRCODE_BAD_COPY_FILE_FORMAT,
            FormatError::Merge(MergeError::Tensors { source, .. }) => container_code(source),
            FormatError::Merge(MergeError::Rows { source, .. }) => rows_code(source),
            FormatError::Merge(MergeError::Clash { .. }) => Code::ERRCODE_DUPLICATE_OBJECT,
            FormatError::Merge(MergeError::Header(_) | MergeError::MergedMetadata(_))
            | FormatError::MergeCount { .. } => Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            FormatError::Merge(MergeError::Nothing) => Code::ERRCODE_INVALID_PARAMETER_VALUE,
            FormatError::Merge(_) | FormatError::MergeFormats { .. } => Code::ERRCODE_DATA_EXCEPTION,
            FormatError::MergeQvec | FormatError::MergeArrays(_) | FormatError::IndexMetric(_) => {
                Code::ERRCODE_FEATURE_NOT_SUPPORTED
            }
            FormatError::SpoolDamaged => Code::ERRCODE_IO_ERROR,
        }
    }

    pub(super) fn detail(&self) -> Option<String> {
        None
    }

    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self {
            FormatError::OtherFormat { got, .. } => return Some(format!("Its FORMAT is {got}.")),
            FormatError::NoSuchTensor { hint, .. } | FormatError::TensorChoice { hint, .. } => {
                return Some(hint.clone());
            }
            FormatError::UnknownFormat(_) => {
                "Known by their content are TQCV, QVEC, zTensor, Burnpack, NumPy's, safetensors, GGUF and PyTorch's; by their names .fvecs, .bvecs, .ivecs, .fbin, .u8bin and .i8bin."
            }
            FormatError::Rows {
                source: RowsError::Container(ContainerError::NotRead { hint, .. }), ..
            } => hint,
            FormatError::IdTensorChoice { option, .. } => {
                return Some(format!("Name it with the option {option}."));
            }
            FormatError::MergeArrays(_) => {
                "Convert each into a zTensor, safetensors or Burnpack file, each with tensors of its own, and merge those."
            }
            FormatError::Merge(MergeError::IdsMissing { .. } | MergeError::IdsType { .. }) => {
                "Leave the ids out with '{\"ids\": \"drop\"}'."
            }
            FormatError::Merge(MergeError::Unlike { .. }) => {
                "Only corpora of one codec can be merged; tq_convert compresses one anew."
            }
            FormatError::MergeCount { most, .. } => {
                return Some(format!("Merge at most {most} files, and what came of them again."));
            }
            FormatError::MergeQvec => {
                "Its vectors can be copied into one table and out again, or converted into a corpus."
            }
            FormatError::IndexMetric(_) => "Metrics of a QVEC file are 'cosine', 'inner_product' and 'l2'.",
            FormatError::WriteRows(RowsError::Setup(CodecError::QuantvecDimension { .. })) => {
                "A QVEC file can't hold such vectors; the other formats take any dimension."
            }
            FormatError::WriteRows(RowsError::QvecDuplicateId { .. }) => {
                "Ids of a QVEC file are unique: select each once, with DISTINCT ON (id) for instance."
            }
            FormatError::WriteRows(RowsError::QvecTooMany { .. }) => {
                "Write the rows into several files, or with fewer BITS."
            }
            FormatError::CorpusOtherCodec { .. } => "Leave the option CODEC away, or set RECOMPRESS to true.",
            FormatError::NoIds { .. } => {
                "Fill the vectors' column alone, or set the option IDS to 'ordinal' for the records' numbers."
            }
            FormatError::CorpusRecord { source, .. }
            | FormatError::CorpusRow { source, .. }
            | FormatError::FileRow { source, .. } => return source.hint(),
            _ => return None,
        };
        Some(hint.into())
    }
}
