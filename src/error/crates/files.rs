//! What files are refused for, whatever is done with them.

use std::io::ErrorKind;
use std::path::Path;

use pgrx::PgSqlErrorCode as Code;
use tq_files::{ContainerError, CorpusFileError, FileError, RowsError};
use tq_format::{CorpusError, qvec};

use super::codec::codec_code;

/// What a matrix in a file can be refused for.
pub(in crate::error) fn rows_code(error: &RowsError) -> Code {
    match error {
        RowsError::File(error) => file_code(error),
        RowsError::Container(error) => container_code(error),
        RowsError::Memory(_) => Code::ERRCODE_OUT_OF_MEMORY,
        RowsError::Value { .. } => Code::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
        RowsError::Corpus(_) => Code::ERRCODE_BAD_COPY_FILE_FORMAT,
        RowsError::Codec { source, .. } | RowsError::Setup(source) => codec_code(source),
        RowsError::Qvec(qvec::Error::OutOfMemory { .. }) => Code::ERRCODE_OUT_OF_MEMORY,
        RowsError::Qvec(_) => Code::ERRCODE_BAD_COPY_FILE_FORMAT,
        RowsError::QvecSeed { .. } => Code::ERRCODE_INVALID_PARAMETER_VALUE,
        RowsError::QvecTooMany { .. } => Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        RowsError::QvecId { .. } => Code::ERRCODE_DATA_EXCEPTION,
        RowsError::QvecDuplicateId { .. } => Code::ERRCODE_UNIQUE_VIOLATION,
        RowsError::QvecIdCount { .. } => Code::ERRCODE_INTERNAL_ERROR,
    }
}

/// What a file of tensors can be refused for.
pub(in crate::error) fn container_code(error: &ContainerError) -> Code {
    match error {
        ContainerError::Memory(_) => Code::ERRCODE_OUT_OF_MEMORY,
        ContainerError::Unsupported(_) | ContainerError::NotRead { .. } | ContainerError::NotCells { .. } => {
            Code::ERRCODE_FEATURE_NOT_SUPPORTED
        }
        ContainerError::NotRows { .. } | ContainerError::NotIds { .. } => Code::ERRCODE_DATATYPE_MISMATCH,
        ContainerError::Checksum { .. } => Code::ERRCODE_DATA_CORRUPTED,
        ContainerError::Malformed(_) => Code::ERRCODE_BAD_COPY_FILE_FORMAT,
    }
}

/// As core's `errcode_for_file_access`.
pub(in crate::error) fn file_code(error: &FileError) -> Code {
    match error {
        FileError::Io { source, .. } => match source.kind() {
            ErrorKind::NotFound => Code::ERRCODE_UNDEFINED_FILE,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE
            }
            ErrorKind::NotADirectory | ErrorKind::IsADirectory => Code::ERRCODE_WRONG_OBJECT_TYPE,
            ErrorKind::StorageFull => Code::ERRCODE_DISK_FULL,
            ErrorKind::OutOfMemory => Code::ERRCODE_OUT_OF_MEMORY,
            _ => Code::ERRCODE_IO_ERROR,
        },
        FileError::IsDirectory { .. } | FileError::NotRegular { .. } => Code::ERRCODE_WRONG_OBJECT_TYPE,
        FileError::TooLong { .. } => Code::ERRCODE_BAD_COPY_FILE_FORMAT,
        _ => Code::ERRCODE_IO_ERROR,
    }
}

/// The way out where a corpus can't be read.
pub(in crate::error) fn corpus_file_hint(error: &CorpusFileError) -> Option<&'static str> {
    Some(match error {
        CorpusFileError::Format(CorpusError::BadMagic { .. }) => "tq_file_info tells what a file is.",
        CorpusFileError::Format(CorpusError::Unfinished) => {
            "Its writer did not finish; write the file again."
        }
        CorpusFileError::File(FileError::Io { source, .. })
            if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) =>
        {
            "The path is one of the server, not of the client; psql's \\copy sends a file of the client."
        }
        _ => return None,
    })
}

/// The way out where another file can't be.
pub(in crate::error) fn file_hint(error: &FileError) -> Option<&'static str> {
    match error {
        FileError::Io { source, .. } if source.kind() == ErrorKind::NotFound => {
            Some("The path is one of the server, not of the client.")
        }
        _ => None,
    }
}

/// A corpus is named where its own error doesn't.
pub(in crate::error) fn corpus_file_message(path: &Path, source: &CorpusFileError) -> String {
    match source {
        CorpusFileError::File(error) => error.to_string(),
        CorpusFileError::Format(error) => format!("invalid TQCV file \"{}\": {error}", path.display()),
    }
}
