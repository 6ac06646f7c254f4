//! The one place that chooses SQLSTATEs.
//!
//! Every error a user can meet is a variant of [`Error`], or an error of one of the pure crates wrapped in one;
//! [`Error::report`] gives it its code, message, detail and hint. Messages follow PostgreSQL's style: lower case,
//! no full stop, the offending value named; details and hints are sentences.

use std::ffi::CStr;
use std::io::ErrorKind;
use std::path::PathBuf;

use pgrx::PgSqlErrorCode as Code;
use pgrx::pg_sys::panic::ErrorReport;
use tq_codec::CodecError;
use tq_corpus::{ContainerError, CorpusFileError, FileError, MergeError, RowsError};
use tq_format::{BitWidth, CorpusError, MAX_DIMENSION, QvecError, RecordError, tqcb::TqcbError};
use tq_memory::OutOfMemory;

use self::messages::{
    codec_message, corpus_file_message, file_message, residual_words, shortened, sidecar_message,
    tqcb_message,
};
use crate::copy::KeptError;
use crate::encoding;
use crate::files::FileAccess;

mod advice;
mod messages;

/// Anything that goes wrong in the extension and is not PostgreSQL's own error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A record whose bytes break the Level-1 format.
    #[error("invalid tqvec record: {0}")]
    Record(#[from] RecordError),
    /// The codec refused its input.
    #[error("{}", codec_message(.0))]
    Codec(#[from] CodecError),
    /// A corpus file could not be opened, mapped or read.
    #[error("{}", corpus_file_message(path, source))]
    CorpusFile { path: PathBuf, source: CorpusFileError },
    /// Any other file could not be opened, read or written.
    #[error("{}", file_message(.0))]
    File(#[from] FileError),

    /// Memory that the system refused.
    #[error("{0}")]
    Memory(#[from] OutOfMemory),

    /// PostgreSQL's own, which is raised again as it was.
    #[error("an error of PostgreSQL's was lost")]
    Kept(KeptError),

    #[error("invalid input syntax for type tqvec: \"{0}\"")]
    TextSyntax(String),
    #[error("invalid hexadecimal data for type tqvec: {0}")]
    TextHex(#[source] tq_format::TextError),
    #[error("\"{0}\" is out of range for type tqvec")]
    TextRange(String),

    #[error("type modifier of tqvec: {0}")]
    TypmodSyntax(String),
    #[error("expected {expected} dimensions, not {got}")]
    TypmodDimension { expected: u32, got: u32 },
    #[error("expected {expected} bits a dimension, not {got}")]
    TypmodBitWidth { expected: u8, got: u8 },
    #[error("expected a record {}, but it has {}", residual_words(*.expected), if *.expected { "none" } else { "one" })]
    TypmodResidual { expected: bool },

    #[error("expected the {expected} rotation, not {got}")]
    TypmodRotation { expected: &'static str, got: &'static str },

    #[error("the array must have one dimension, not {0}")]
    ArrayDimensions(i32),
    #[error("the array must not contain nulls")]
    ArrayNulls,
    #[error("the array must not be empty")]
    ArrayEmpty,

    #[error("the array is damaged")]
    ArrayDamaged,
    #[error("different vector dimensions {0} and {1}")]
    DimensionsDiffer(u32, u32),
    #[error("the sum is out of range for real")]
    SumOverflow,
    #[error("aggregate function called in non-aggregate context")]
    NotAggregate,
    #[error("bit width must be 2, 4 or 8, not {0}")]
    BitWidth(i32),
    #[error("unknown rotation \"{0}\"")]
    Rotation(String),

    #[error("the record's config_hash contains a NUL byte, which text can't")]
    HashNotText,
    #[error("codec with config_hash \"{0}\" is not registered")]
    UnknownCodec(String),
    #[error("codec \"{0}\" does not exist")]
    NoSuchCodec(String),
    #[error("codec \"{0}\" already exists")]
    CodecExists(String),
    #[error("codec \"{existing}\" has the same config_hash \"{hash}\" and another codebook")]
    CodebookConflict { existing: String, hash: String },
    #[error("the same codec is already registered as \"{0}\"")]
    CodecRegistered(String),
    #[error("seed {0} belongs to the built-in codec")]
    ReservedSeed(u64),
    #[error("seed {0} is out of range: it must be a whole number from 0 to 18446744073709551615")]
    SeedRange(String),
    #[error("registered codecs are immutable")]
    CodecUpdate,
    #[error("codec name must not be empty")]
    CodecNameEmpty,
    #[error("\"{}\" can't be the name of this codec: it names another", shortened(.0))]
    CodecNameTaken(String),
    #[error(transparent)]
    RotationFile(#[from] tq_corpus::MatrixError),
    #[error("a rotation of {0} dimensions is too large to be kept")]
    RotationTooLarge(u32),
    #[error("a file below \"pg_tinyquant\" was changed while it was in use")]
    RotationLost,
    #[error("extension \"vector\" is not installed in this database")]
    NoPgvector,
    #[error("table tq_codec of extension tinyquant was not found")]
    NoRegistry,
    #[error(
        "codec \"{name}\": config_hash \"{given}\" is not the hash of its fields, which is \"{computed}\""
    )]
    CodecHash { name: String, given: String, computed: String },
    #[error("argument \"{0}\" must not be null")]
    NullArgument(&'static str),
    #[error("k must be at least 1, not {0}")]
    NeighbourCount(i32),
    #[error("unknown metric \"{0}\"")]
    UnknownMetric(String),
    #[error("query on table tq_codec failed: {0}")]
    Spi(#[from] pgrx::spi::SpiError),

    #[error("unknown training method \"{0}\"")]
    TrainingMethod(String),
    #[error("sample must be 1 to {most} vectors, not {vectors}")]
    SampleSize { vectors: i32, most: usize },
    #[error("the sample has more than {} MB of vectors", .most >> 20)]
    SampleTooLarge { most: usize },
    #[error("cannot allocate memory for {0} vectors of the sample")]
    SampleMemory(u64),
    #[error("row {row} of the sample: {source}")]
    SampleRow { row: u64, source: Box<Error> },
    #[error("batch must be at least 1, not {0}")]
    BatchSize(i32),
    #[error("tq_compress_column cannot be called inside a transaction")]
    CallInTransaction,
    #[error("relation with OID {0} does not exist")]
    NoSuchRelation(u32),
    #[error("column \"{column}\" of relation \"{table}\" does not exist")]
    NoSuchColumn { table: String, column: String },
    #[error("\"{0}\" is not a table")]
    NotTable(String),
    #[error("column \"{column}\" is of type {got}, not tqvec")]
    ColumnType { column: String, got: String },
    #[error("codec \"{codec}\" does not fit column \"{column}\": {source}")]
    ColumnCodec { codec: String, column: String, source: Box<Error> },
    #[error("row at ctid {position} of \"{table}\": {source}")]
    ColumnRow { table: String, position: String, source: Box<Error> },

    #[error("tq_run_copy is called by COPY alone")]
    RunCopyCalled,
    #[error("COPY FORMAT {format} does not support {what}")]
    CopyUnsupported { format: &'static str, what: String, hint: Option<&'static str> },
    #[error("option \"{option}\" not recognized")]
    OptionUnknown { option: String, hint: String },
    #[error("option \"{option}\" not recognized")]
    FunctionOptionUnknown { option: String, hint: String },
    #[error("tq_import needs one column of type {wanted}, but {got}")]
    ImportColumns { wanted: &'static str, got: String },
    #[error("conflicting or redundant options: \"{0}\" is given twice")]
    OptionTwice(String),
    #[error("COPY {option} cannot be used with {direction}")]
    OptionMisplaced { option: String, direction: &'static str, hint: String },
    #[error("COPY FORMAT {format} needs one column of type {wanted}{}, but {got}", if *.ids { ", and for ids one other" } else { "" })]
    ExportColumns { format: &'static str, wanted: &'static str, ids: bool, got: String },
    #[error("column \"{column}\" is of type {got}, which holds no ids")]
    ExportIdType { column: String, got: String },
    #[error("row {row}: {source}")]
    ExportRow { row: u64, source: Box<Error> },
    #[error("the {0} is null")]
    ExportNull(&'static str),
    #[error("expected codec \"{expected}\", not \"{got}\"")]
    ExportCodec { expected: String, got: String },
    #[error("the query gives no rows, and nothing else says what the corpus is to hold")]
    ExportEmpty,
    #[error("the ids of {rows} rows take more room than the format has")]
    ExportIds { rows: u64 },
    #[error(transparent)]
    ExportMetadata(tq_corpus::MetadataError),
    #[error("could not write the header of the corpus: {0}")]
    ExportHeader(#[source] CorpusError),
    #[error("relation referenced by COPY statement has changed")]
    ExportRelationChanged,
    #[error("could not read what was written to a temporary file")]
    SpoolDamaged,
    #[error("option \"{option}\": {problem}")]
    OptionValue { option: String, problem: String },
    #[error("COPY FORMAT {format} needs one column of type {wanted}, but {got}")]
    CopyColumns { format: &'static str, wanted: &'static str, got: String },
    #[error("column \"{column}\" is of type {got}, not {wanted}")]
    CopyColumnType { column: String, got: String, wanted: &'static str },
    #[error("invalid file \"{}\": {source}", path.display())]
    Rows { path: PathBuf, source: tq_corpus::RowsError },
    #[error("row {row}: {source}")]
    FileRow { row: u64, source: Box<Error> },
    #[error("vectors of \"{}\" do not fit column \"{column}\": {source}", path.display())]
    CopyRows { path: PathBuf, column: String, source: Box<Error> },
    #[error("option \"codec\" needs a column of type tqvec, which \"{column}\" is not")]
    CodecWithoutRecords { column: String },
    #[error("\"{}\" has no tensor \"{}\"", path.display(), shortened(tensor))]
    NoSuchTensor { path: PathBuf, tensor: String, hint: String },
    #[error("\"{}\" has {} that can be read as vectors", path.display(), if *.several { "several tensors" } else { "no tensor" })]
    TensorChoice { path: PathBuf, several: bool, hint: String },
    #[error(
        "the query gives no rows, and its column's type does not say how many dimensions the vectors have"
    )]
    ExportNoDimension,
    #[error("\"{}\" is of format {got}, not {wanted}", path.display())]
    OtherFormat { path: PathBuf, got: &'static str, wanted: &'static str },
    #[error("codec \"{codec}\" is for {expected} dimensions, and the vectors of \"{}\" have {got}", path.display())]
    CodecDimension { codec: String, expected: u32, path: PathBuf, got: u32 },
    #[error("text that is not ASCII can't be used in a database of encoding {0}")]
    Encoding(String),
    #[error("text is not valid UTF-8")]
    NotUtf8,
    #[error("\"{}\" is not a file of a known format", .0.display())]
    UnknownFormat(PathBuf),
    #[error("could not merge: {0}")]
    Merge(#[source] tq_corpus::MergeError),
    #[error("{count} files are too many to be merged at once")]
    MergeCount { count: usize, most: usize },
    #[error("\"{}\" is of format {got}, \"{}\" of format {expected}", path.display(), first.display())]
    MergeFormats { path: PathBuf, got: &'static str, first: PathBuf, expected: &'static str },
    #[error("QVEC files can't be merged")]
    MergeQvec,
    #[error("\"{}\" is a QVEC file, which can't be searched by l1", .0.display())]
    IndexMetric(PathBuf),
    #[error("there are fewer ids than vectors")]
    KeysMissing,
    #[error("number {0} is no double and no whole number, and so no key of a QVEC file")]
    KeyNumber(String),
    #[error("{0}")]
    WriteRows(#[source] tq_corpus::RowsError),
    #[error("{0} is out of range for type halfvec")]
    HalfOverflow(f32),
    #[error("{0} dimensions are more than a vector of pgvector's can have")]
    PgvectorDimension(usize),
    #[error("relative path not allowed for {whom}: \"{path}\"")]
    RelativePath { whom: String, path: String },
    #[error("permission denied to {action}")]
    ServerFileRole { access: FileAccess, action: &'static str },
    #[error("COPY FROM not supported with row-level security")]
    CopyFromRowSecurity,
    #[error("records of \"{}\" do not fit column \"{column}\": {source}", path.display())]
    CopyTypmod { path: PathBuf, column: String, source: Box<Error> },
    #[error("column \"{column}\" is of type {got}, which can't take ids")]
    CopyIdType { column: String, got: String },
    #[error("invalid TQCV file \"{}\": {source}", path.display())]
    CorpusMetadata { path: PathBuf, source: tq_corpus::MetadataError },
    #[error(
        "invalid TQCV file \"{}\": its metadata describes codec \"{described}\", but its records are of codec \"{stated}\"",
        path.display()
    )]
    CorpusCodec { path: PathBuf, described: String, stated: String },
    #[error("records of \"{}\" are of codec \"{got}\", not \"{wanted}\"", path.display())]
    CorpusOtherCodec { path: PathBuf, wanted: String, got: String },
    #[error("\"{}\" has no ids for column \"{column}\"", path.display())]
    NoIds { path: PathBuf, column: String },
    #[error("COPY from stdin failed: {0}")]
    CopyFailed(String),
    #[error("unexpected EOF on client connection with an open transaction")]
    ClientGone,
    #[error("unexpected message type 0x{0:02X} during COPY from stdin")]
    CopyProtocol(i32),
    #[error("temporary file size exceeds temp_file_limit ({0}kB)")]
    TempFileLimit(u64),
    #[error("option \"ids\" needs a second column to fill")]
    IdsWithoutColumn,
    #[error("id {} of record {record} does not fit column \"{column}\"", shortened(id))]
    CorpusId { record: u64, id: String, column: String },
    #[error("record {record}: {source}")]
    CorpusRecord { record: u64, source: Box<Error> },
    #[error("\"{}\": {source}", path.display())]
    CorpusRow { path: PathBuf, source: Box<Error> },
    #[error("generated column \"{0}\" is not supported in COPY FROM WHERE conditions")]
    CopyWhereGenerated(String),

    #[error("invalid codebook in \"{}\": {}", path.display(), tqcb_message(source))]
    CodebookFile { path: PathBuf, source: TqcbError },
    #[error("invalid codec configuration in \"{}\": {}", path.display(), sidecar_message(source))]
    SidecarFile { path: PathBuf, source: CodecError },
    #[error(
        "config_hash \"{}\" in \"{}\" is not the hash of its fields, which is \"{computed}\"",
        shortened(stated),
        path.display()
    )]
    SidecarHash { path: PathBuf, stated: String, computed: String },
    #[error(
        "codebook \"{}\" is for {} bits a dimension, configuration \"{}\" for {}",
        codebook.0.display(), codebook.1.bits(), sidecar.0.display(), sidecar.1.bits()
    )]
    CodecFilesDiffer { codebook: (PathBuf, BitWidth), sidecar: (PathBuf, BitWidth) },
    #[error("codebook and configuration must be two files, not both \"{}\"", .0.display())]
    CodecFilesSame(PathBuf),
}

impl Error {
    /// The report that PostgreSQL shows: SQLSTATE, message, detail and hint.
    pub(crate) fn report(&self) -> ErrorReport {
        let code = self.code();
        if matches!(code, Code::ERRCODE_OUT_OF_MEMORY) {
            crate::memory::go_to_error_context();
        }
        let mut report = ErrorReport::new(code, encoding::message(self.to_string()), "tinyquant");
        if let Some(detail) = self.detail() {
            report = report.set_detail(encoding::message(detail));
        }
        if let Some(hint) = self.hint() {
            report = report.set_hint(encoding::message(hint));
        }
        report
    }

    fn code(&self) -> Code {
        match self {
            error if is_memory(error) => Code::ERRCODE_OUT_OF_MEMORY,
            Error::Memory(_) => Code::ERRCODE_OUT_OF_MEMORY,
            Error::Record(_) => Code::ERRCODE_INVALID_BINARY_REPRESENTATION,
            Error::Codec(error) => codec_code(error),
            Error::CorpusFile { source: CorpusFileError::File(error), .. } => file_code(error),
            Error::File(error) => file_code(error),
            Error::CorpusFile { .. }
            | Error::CodebookFile { .. }
            | Error::SidecarFile { .. }
            | Error::SidecarHash { .. }
            | Error::CodecFilesDiffer { .. } => Code::ERRCODE_BAD_COPY_FILE_FORMAT,
            Error::TextSyntax(_) | Error::TextHex(_) => Code::ERRCODE_INVALID_TEXT_REPRESENTATION,
            Error::TextRange(_)
            | Error::SeedRange(_)
            | Error::SumOverflow
            | Error::HalfOverflow(_)
            | Error::KeyNumber(_) => Code::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
            Error::TypmodSyntax(_)
            | Error::BitWidth(_)
            | Error::Rotation(_)
            | Error::ReservedSeed(_)
            | Error::CodecNameEmpty
            | Error::CodecNameTaken(_)
            | Error::CodecHash { .. }
            | Error::FunctionOptionUnknown { .. }
            | Error::CodecFilesSame(_)
            | Error::OptionValue { .. } => Code::ERRCODE_INVALID_PARAMETER_VALUE,
            Error::TypmodDimension { .. }
            | Error::TypmodBitWidth { .. }
            | Error::TypmodResidual { .. }
            | Error::TypmodRotation { .. }
            | Error::DimensionsDiffer(..)
            | Error::CodecDimension { .. }
            | Error::ArrayEmpty => Code::ERRCODE_DATA_EXCEPTION,
            Error::CorpusMetadata { .. } | Error::CorpusCodec { .. } => Code::ERRCODE_BAD_COPY_FILE_FORMAT,
            Error::CopyFailed(_) => Code::ERRCODE_QUERY_CANCELED,
            Error::ClientGone => Code::ERRCODE_CONNECTION_FAILURE,
            Error::CopyProtocol(_) => Code::ERRCODE_PROTOCOL_VIOLATION,
            Error::TempFileLimit(_) => Code::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
            Error::CorpusOtherCodec { .. } => Code::ERRCODE_DATA_EXCEPTION,
            Error::CopyIdType { .. } => Code::ERRCODE_DATATYPE_MISMATCH,
            Error::NoIds { .. } | Error::IdsWithoutColumn => Code::ERRCODE_INVALID_COLUMN_REFERENCE,
            Error::CorpusId { .. } => Code::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
            Error::CorpusRecord { source, .. }
            | Error::CorpusRow { source, .. }
            | Error::FileRow { source, .. }
            | Error::CopyRows { source, .. } => source.code(),
            Error::Rows { source, .. } | Error::WriteRows(source) => rows_code(source),
            Error::CodecWithoutRecords { .. } | Error::TensorChoice { .. } => {
                Code::ERRCODE_INVALID_PARAMETER_VALUE
            }
            Error::NoSuchTensor { .. } => Code::ERRCODE_UNDEFINED_OBJECT,
            Error::UnknownFormat(_) | Error::OtherFormat { .. } | Error::KeysMissing => {
                Code::ERRCODE_BAD_COPY_FILE_FORMAT
            }
            Error::Merge(MergeError::File(error)) => file_code(error),
            Error::Merge(
                MergeError::Corpus { .. } | MergeError::Metadata { .. } | MergeError::CodecHash { .. },
            ) => Code::ERRCODE_BAD_COPY_FILE_FORMAT,
            Error::Merge(MergeError::Tensors { source, .. }) => container_code(source),
            Error::Merge(MergeError::Rows { source, .. }) => rows_code(source),
            Error::Merge(MergeError::Clash { .. }) => Code::ERRCODE_DUPLICATE_OBJECT,
            Error::Merge(MergeError::Header(_) | MergeError::MergedMetadata(_))
            | Error::MergeCount { .. } => Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            Error::Merge(MergeError::Nothing) => Code::ERRCODE_INVALID_PARAMETER_VALUE,
            Error::Merge(_) | Error::MergeFormats { .. } => Code::ERRCODE_DATA_EXCEPTION,
            Error::NotUtf8 => Code::ERRCODE_CHARACTER_NOT_IN_REPERTOIRE,
            Error::Encoding(_) | Error::MergeQvec | Error::IndexMetric(_) => {
                Code::ERRCODE_FEATURE_NOT_SUPPORTED
            }
            Error::CopyTypmod { source, .. }
            | Error::ExportRow { source, .. }
            | Error::ColumnRow { source, .. }
            | Error::SampleRow { source, .. }
            | Error::ColumnCodec { source, .. } => source.code(),
            Error::BatchSize(_)
            | Error::TrainingMethod(_)
            | Error::SampleSize { .. }
            | Error::NeighbourCount(_)
            | Error::UnknownMetric(_) => Code::ERRCODE_INVALID_PARAMETER_VALUE,
            Error::CallInTransaction => Code::ERRCODE_INVALID_TRANSACTION_TERMINATION,
            Error::NoSuchRelation(_) => Code::ERRCODE_UNDEFINED_TABLE,
            Error::NoSuchColumn { .. } => Code::ERRCODE_UNDEFINED_COLUMN,
            Error::NotTable(_) => Code::ERRCODE_WRONG_OBJECT_TYPE,
            Error::ColumnType { .. } => Code::ERRCODE_DATATYPE_MISMATCH,
            Error::ArrayDimensions(_) => Code::ERRCODE_ARRAY_ELEMENT_ERROR,
            Error::ExportColumns { .. } => Code::ERRCODE_INVALID_COLUMN_REFERENCE,
            Error::ExportIdType { .. } => Code::ERRCODE_DATATYPE_MISMATCH,
            Error::ExportNull(_) => Code::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            Error::ExportCodec { .. } | Error::ExportEmpty | Error::ExportNoDimension => {
                Code::ERRCODE_DATA_EXCEPTION
            }
            Error::ExportIds { .. } | Error::ExportMetadata(_) => Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            Error::ExportHeader(_) => Code::ERRCODE_INTERNAL_ERROR,
            Error::ExportRelationChanged => Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Error::SpoolDamaged => Code::ERRCODE_IO_ERROR,
            Error::HashNotText => Code::ERRCODE_UNTRANSLATABLE_CHARACTER,
            Error::RotationFile(_) | Error::RotationLost => Code::ERRCODE_IO_ERROR,
            Error::RotationTooLarge(_) | Error::SampleTooLarge { .. } | Error::PgvectorDimension(_) => {
                Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED
            }
            Error::SampleMemory(_) => Code::ERRCODE_OUT_OF_MEMORY,
            Error::NotAggregate | Error::Kept(_) => Code::ERRCODE_INTERNAL_ERROR,
            Error::ArrayDamaged => Code::ERRCODE_DATA_CORRUPTED,
            Error::Spi(_) => Code::ERRCODE_INTERNAL_ERROR,
            Error::ArrayNulls | Error::NullArgument(_) => Code::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            Error::UnknownCodec(_) | Error::NoSuchCodec(_) | Error::NoRegistry | Error::NoPgvector => {
                Code::ERRCODE_UNDEFINED_OBJECT
            }
            Error::CodecExists(_) | Error::CodecRegistered(_) | Error::CodebookConflict { .. } => {
                Code::ERRCODE_DUPLICATE_OBJECT
            }
            Error::CodecUpdate | Error::RunCopyCalled => Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Error::CopyUnsupported { .. } | Error::CopyFromRowSecurity | Error::OptionMisplaced { .. } => {
                Code::ERRCODE_FEATURE_NOT_SUPPORTED
            }
            Error::OptionUnknown { .. } | Error::OptionTwice(_) => Code::ERRCODE_SYNTAX_ERROR,
            Error::CopyColumns { .. } | Error::ImportColumns { .. } => Code::ERRCODE_INVALID_COLUMN_REFERENCE,
            Error::CopyWhereGenerated(_) => Code::ERRCODE_INVALID_COLUMN_REFERENCE,
            Error::CopyColumnType { .. } => Code::ERRCODE_DATATYPE_MISMATCH,
            Error::RelativePath { .. } => Code::ERRCODE_INVALID_NAME,
            Error::ServerFileRole { .. } => Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
        }
    }
}

/// Whether memory that was refused is behind an error, however deep: that is the error then, and what was to be done with the
/// memory its circumstances.
fn is_memory(error: &Error) -> bool {
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = next {
        let system = error.downcast_ref::<std::io::Error>();
        if error.is::<OutOfMemory>() || system.is_some_and(|error| error.kind() == ErrorKind::OutOfMemory) {
            return true;
        }
        next = error.source();
    }
    false
}

fn codec_code(error: &CodecError) -> Code {
    match error {
        CodecError::DimensionOutOfRange { dimension } if *dimension > u64::from(MAX_DIMENSION) => {
            Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED
        }
        CodecError::RotationUnavailable { .. } => Code::ERRCODE_FEATURE_NOT_SUPPORTED,
        CodecError::OutOfMemory { .. } | CodecError::TrainingMemory { .. } => Code::ERRCODE_OUT_OF_MEMORY,
        CodecError::ResidualOverflow { .. } => Code::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
        CodecError::NeighboursOutOfRange { .. }
        | CodecError::QueriesOutOfRange { .. }
        | CodecError::CodebookCount { .. }
        | CodecError::CodebookNotFinite { .. }
        | CodecError::CodebookNotAscending { .. } => Code::ERRCODE_INVALID_PARAMETER_VALUE,
        _ => Code::ERRCODE_DATA_EXCEPTION,
    }
}

/// What a matrix in a file can be refused for.
fn rows_code(error: &RowsError) -> Code {
    match error {
        RowsError::File(error) => file_code(error),
        RowsError::Container(error) => container_code(error),
        RowsError::Memory(_) => Code::ERRCODE_OUT_OF_MEMORY,
        RowsError::Value { .. } => Code::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
        RowsError::Corpus(_) => Code::ERRCODE_BAD_COPY_FILE_FORMAT,
        RowsError::Codec { source, .. } | RowsError::Setup(source) => codec_code(source),
        RowsError::Qvec(QvecError::OutOfMemory { .. }) => Code::ERRCODE_OUT_OF_MEMORY,
        RowsError::Qvec(_) => Code::ERRCODE_BAD_COPY_FILE_FORMAT,
        RowsError::QvecSeed { .. } => Code::ERRCODE_INVALID_PARAMETER_VALUE,
        RowsError::QvecTooMany { .. } => Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        RowsError::QvecId { .. } => Code::ERRCODE_DATA_EXCEPTION,
        RowsError::QvecDuplicateId { .. } => Code::ERRCODE_UNIQUE_VIOLATION,
        RowsError::QvecIdCount { .. } => Code::ERRCODE_INTERNAL_ERROR,
    }
}

/// What a file of tensors can be refused for.
fn container_code(error: &ContainerError) -> Code {
    match error {
        ContainerError::Memory(_) => Code::ERRCODE_OUT_OF_MEMORY,
        ContainerError::Unsupported(_) => Code::ERRCODE_FEATURE_NOT_SUPPORTED,
        ContainerError::NotRows { .. } => Code::ERRCODE_DATATYPE_MISMATCH,
        ContainerError::Checksum { .. } => Code::ERRCODE_DATA_CORRUPTED,
        ContainerError::Malformed(_) => Code::ERRCODE_BAD_COPY_FILE_FORMAT,
    }
}

/// As core's `errcode_for_file_access`.
fn file_code(error: &FileError) -> Code {
    match error {
        FileError::Io { source, .. } => match source.kind() {
            std::io::ErrorKind::NotFound => Code::ERRCODE_UNDEFINED_FILE,
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE
            }
            std::io::ErrorKind::NotADirectory | std::io::ErrorKind::IsADirectory => {
                Code::ERRCODE_WRONG_OBJECT_TYPE
            }
            std::io::ErrorKind::StorageFull => Code::ERRCODE_DISK_FULL,
            std::io::ErrorKind::OutOfMemory => Code::ERRCODE_OUT_OF_MEMORY,
            _ => Code::ERRCODE_IO_ERROR,
        },
        FileError::IsDirectory { .. } | FileError::NotRegular { .. } => Code::ERRCODE_WRONG_OBJECT_TYPE,
        FileError::TooLong { .. } => Code::ERRCODE_BAD_COPY_FILE_FORMAT,
        _ => Code::ERRCODE_IO_ERROR,
    }
}

/// Whether an error of PostgreSQL's, given by its code and untranslated message, is about a COPY format that it doesn't know.
pub(crate) fn is_unknown_copy_format(code: i32, message: &CStr) -> bool {
    code == Code::ERRCODE_INVALID_PARAMETER_VALUE as i32 && message == c"COPY format \"%s\" not recognized"
}

impl From<Error> for ErrorReport {
    fn from(error: Error) -> Self {
        error.report()
    }
}

/// What SQL-callable functions return: pgrx raises the report with its own SQLSTATE.
pub(crate) type SqlResult<T> = Result<T, ErrorReport>;

/// A text of a user's, for an error to repeat: its beginning, if it is long.
pub(crate) fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(MOST_REPEATED)].to_string()
}

/// Bytes of a text that an error repeats. Messages are made where memory may be short.
const MOST_REPEATED: usize = 1000;

/// Raises the error, for the places that PostgreSQL calls without expecting a result to look at.
pub(crate) fn raise(error: Error) -> ! {
    error.report().report(pgrx::PgLogLevel::ERROR);
    unreachable!("an ERROR report does not return")
}

/// Writes to the server's log.
pub(crate) fn log(message: String, detail: &str) {
    let report =
        ErrorReport::new(Code::ERRCODE_SUCCESSFUL_COMPLETION, message, "tinyquant").set_detail(detail);
    report.report(pgrx::PgLogLevel::LOG);
}

/// Sends a WARNING.
pub(crate) fn warning(message: String, detail: &str) {
    let report = ErrorReport::new(Code::ERRCODE_WARNING, message, "tinyquant").set_detail(detail);
    report.report(pgrx::PgLogLevel::WARNING);
}

/// Sends a NOTICE.
pub(crate) fn notice(message: String, detail: Option<String>, hint: Option<String>) {
    let mut report =
        ErrorReport::new(Code::ERRCODE_SUCCESSFUL_COMPLETION, encoding::message(message), "tinyquant");
    if let Some(detail) = detail {
        report = report.set_detail(encoding::message(detail));
    }
    if let Some(hint) = hint {
        report = report.set_hint(encoding::message(hint));
    }
    report.report(pgrx::PgLogLevel::NOTICE);
}
