//! What a COPY, or `tq_import` and `tq_export`, which run one, can be refused for: the statement, its options and columns, and what its rows hold.

use pgrx::PgSqlErrorCode as Code;

use super::*;

/// What a COPY, or `tq_import` and `tq_export`, which run one, can be refused for: the statement, its options and columns, and what its rows hold.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    #[error("tq_run_copy is called by COPY alone")]
    RunCopyCalled,
    #[error("COPY FORMAT {format} does not support {what}")]
    Unsupported { format: &'static str, what: String, hint: Option<&'static str> },
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
    ExportMetadata(tq_files::MetadataError),
    #[error("could not write the header of the corpus: {0}")]
    ExportHeader(#[source] CorpusError),
    #[error("relation referenced by COPY statement has changed")]
    ExportRelationChanged,
    #[error("option \"{option}\": {problem}")]
    OptionValue { option: String, problem: String },
    #[error("COPY FORMAT {format} needs one column of type {wanted}, but {got}")]
    Columns { format: &'static str, wanted: &'static str, got: String },
    #[error("column \"{column}\" is of type {got}, not {wanted}")]
    ColumnType { column: String, got: String, wanted: &'static str },
    #[error("vectors of \"{}\" do not fit column \"{column}\": {source}", path.display())]
    Rows { path: PathBuf, column: String, source: Box<Error> },
    #[error("option \"codec\" needs a column of type tqvec, which \"{column}\" is not")]
    CodecWithoutRecords { column: String },
    #[error(
        "the query gives no rows, and its column's type does not say how many dimensions the vectors have"
    )]
    ExportNoDimension,
    #[error("COPY FROM not supported with row-level security")]
    FromRowSecurity,
    #[error("records of \"{}\" do not fit column \"{column}\": {source}", path.display())]
    Typmod { path: PathBuf, column: String, source: Box<Error> },
    #[error("column \"{column}\" is of type {got}, which can't take ids")]
    IdType { column: String, got: String },
    #[error("COPY from stdin failed: {0}")]
    Failed(String),
    #[error("unexpected EOF on client connection with an open transaction")]
    ClientGone,
    #[error("unexpected message type 0x{0:02X} during COPY from stdin")]
    Protocol(i32),
    #[error("option \"{0}\" needs a second column to fill")]
    IdsWithoutColumn(&'static str),
    #[error("files of format {0} are read, but not written")]
    NotWritten(&'static str),
    #[error("generated column \"{0}\" is not supported in COPY FROM WHERE conditions")]
    WhereGenerated(String),
}

impl CopyError {
    pub(super) fn code(&self) -> Code {
        match self {
            CopyError::FunctionOptionUnknown { .. } | CopyError::OptionValue { .. } => {
                Code::ERRCODE_INVALID_PARAMETER_VALUE
            }
            CopyError::Failed(_) => Code::ERRCODE_QUERY_CANCELED,
            CopyError::ClientGone => Code::ERRCODE_CONNECTION_FAILURE,
            CopyError::Protocol(_) => Code::ERRCODE_PROTOCOL_VIOLATION,
            CopyError::IdType { .. } => Code::ERRCODE_DATATYPE_MISMATCH,
            CopyError::IdsWithoutColumn(_) => Code::ERRCODE_INVALID_COLUMN_REFERENCE,
            CopyError::Rows { source, .. } => source.code(),
            CopyError::CodecWithoutRecords { .. } => Code::ERRCODE_INVALID_PARAMETER_VALUE,
            CopyError::Typmod { source, .. } | CopyError::ExportRow { source, .. } => source.code(),
            CopyError::ExportColumns { .. } => Code::ERRCODE_INVALID_COLUMN_REFERENCE,
            CopyError::ExportIdType { .. } => Code::ERRCODE_DATATYPE_MISMATCH,
            CopyError::ExportNull(_) => Code::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            CopyError::ExportCodec { .. } | CopyError::ExportEmpty | CopyError::ExportNoDimension => {
                Code::ERRCODE_DATA_EXCEPTION
            }
            CopyError::ExportIds { .. } | CopyError::ExportMetadata(_) => {
                Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED
            }
            CopyError::ExportHeader(_) => Code::ERRCODE_INTERNAL_ERROR,
            CopyError::ExportRelationChanged => Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            CopyError::RunCopyCalled => Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            CopyError::Unsupported { .. }
            | CopyError::NotWritten(_)
            | CopyError::FromRowSecurity
            | CopyError::OptionMisplaced { .. } => Code::ERRCODE_FEATURE_NOT_SUPPORTED,
            CopyError::OptionUnknown { .. } | CopyError::OptionTwice(_) => Code::ERRCODE_SYNTAX_ERROR,
            CopyError::Columns { .. } | CopyError::ImportColumns { .. } => {
                Code::ERRCODE_INVALID_COLUMN_REFERENCE
            }
            CopyError::WhereGenerated(_) => Code::ERRCODE_INVALID_COLUMN_REFERENCE,
            CopyError::ColumnType { .. } => Code::ERRCODE_DATATYPE_MISMATCH,
        }
    }

    pub(super) fn detail(&self) -> Option<String> {
        match self {
            CopyError::Typmod { .. } => {
                Some("A record is never recompressed silently; nothing of the file was loaded.".into())
            },
            CopyError::ExportRow { source, .. } => match **source {
                Error::Vector(VectorError::TypmodDimension { .. })
                | Error::Vector(VectorError::TypmodBitWidth { .. })
                | Error::Vector(VectorError::TypmodResidual { .. })
                | Error::Copy(CopyError::ExportCodec { .. }) => {
                    Some("All records of a corpus have one codec, and with it one dimension and bit width.".into())
                }
                _ => None,
            },
            CopyError::ExportIds { .. } => {
                Some("Ids are part of the metadata, which takes 16 MiB at most; whole numbers that follow one another take little of it.".into())
            },
            _ => None,
        }
    }

    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self {
            CopyError::ExportRow { source, .. } => return source.hint(),
            CopyError::ExportNoDimension => {
                "Select a column whose type says it, as tqvec(1536, 4) or vector(1536), or write no empty file."
            }
            CopyError::ExportColumns { ids: false, .. } => {
                "Select the vectors alone: files of this format have no ids. Those of safetensors, ztensor and burnpack have them in a tensor of their own."
            }
            CopyError::ExportColumns { .. } | CopyError::ExportIdType { .. } => {
                "Select the records and, for ids, one column of type bigint, integer, smallint, uuid, text or varchar."
            }
            CopyError::NotWritten(_) => {
                "Formats that are written are tqcv, qvec, ztensor, burnpack, npy, safetensors and fbin."
            }
            CopyError::ExportNull(_) => "Leave such rows out, with WHERE ... IS NOT NULL.",
            CopyError::ExportCodec { .. } => {
                "Select the rows of one codec: WHERE tq_config_hash(...) = '...'."
            }
            CopyError::ExportEmpty => {
                "Declare the column with dimension and bit width, as tqvec(1536, 4), or name a codec with the option CODEC."
            }
            CopyError::ExportIds { .. } => {
                "Write fewer rows to a file, or use bigint ids, in their order; or leave them out and keep them in a file of their own, in the same order."
            }
            CopyError::Columns { .. } => "Name the column: COPY table (column) FROM ...",
            CopyError::ImportColumns { .. } => {
                "Name the column: tq_import(table, path, '{\"column\": \"embedding\"}')."
            }
            CopyError::OptionUnknown { hint, .. }
            | CopyError::OptionMisplaced { hint, .. }
            | CopyError::FunctionOptionUnknown { hint, .. } => return Some(hint.clone()),
            CopyError::FromRowSecurity => "Use INSERT statements instead.",
            CopyError::IdType { .. } => "Ids go into smallint, integer, bigint, uuid, text or varchar.",
            CopyError::IdsWithoutColumn(_) => {
                "Name both: COPY table (id, embedding) FROM ..., or the option \"id_column\" of tq_import."
            }
            CopyError::Typmod { source, .. } => match **source {
                Error::Vector(VectorError::TypmodDimension { .. }) => {
                    "Declare the column as the file is, or without a type modifier."
                }
                _ => {
                    "Declare the column as the file is, or without a type modifier, or set the option RECOMPRESS to true."
                }
            },
            CopyError::Unsupported { hint, .. } => return hint.map(Into::into),
            _ => return None,
        };
        Some(hint.into())
    }
}
