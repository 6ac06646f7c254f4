//! What is said below a message: the detail that explains it, and the hint at the way out.

use std::io::ErrorKind;

use tq_codec::CodecError;
use tq_files::{CorpusFileError, FileError};
use tq_format::CorpusError;

use super::Error;
use crate::server::encoding::EncodingError;
use crate::server::file_access::{AccessError, FileAccess};

impl Error {
    pub(super) fn detail(&self) -> Option<String> {
        match self {
            Error::FileAccess(AccessError::Role { access, action }) => {
                Some(format!("Only roles with privileges of the \"{}\" role may {action}.", access.role()))
            }
            Error::Copy(error) => error.detail(),
            Error::Format(error) => error.detail(),
            Error::Registry(error) => error.detail(),
            Error::Vector(error) => error.detail(),
            Error::Column(error) => error.detail(),
            Error::Sample(error) => error.detail(),
            _ => None,
        }
    }

    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Codec(CodecError::NormOutOfRange { .. }) => {
                "Use tq_normalize(v) if only the direction matters (cosine distance), a column with residual, or \
                 a codec trained on your vectors (tq_train_codebook, tq_create_codec)."
            }
            Error::Codec(CodecError::NormTooSmall { .. }) => {
                "Use tq_normalize(v) if only the direction matters (cosine distance), or a codec trained on your vectors. As a query, give it as real[], not as text."
            }
            Error::Codec(CodecError::NormTooLarge { .. }) => {
                "Divide the vectors by some number, or use tq_normalize(v) if only the direction matters."
            }
            Error::Codec(CodecError::DecodedOverflow { .. }) => {
                "The distances <->, <#> and <=> measure a record without decompressing it."
            }
            Error::Codec(CodecError::ZeroVector) => {
                "A zero vector has no direction to compress: store NULL instead. As a query, give it as real[], not as text."
            }
            Error::Codec(CodecError::SampleTooSmall { .. }) => {
                "Ask for fewer neighbours, with k => ..., or give more rows: a row is no neighbour of its own."
            }
            Error::Codec(CodecError::RotationUnavailable { .. }) => "Use rotation 'haar'.",
            Error::CorpusFile { source: CorpusFileError::Format(CorpusError::BadMagic { .. }), .. } => {
                "tq_file_info tells what a file is."
            }
            Error::CorpusFile { source: CorpusFileError::Format(CorpusError::Unfinished), .. } => {
                "Its writer did not finish; write the file again."
            }
            Error::CorpusFile { source: CorpusFileError::File(FileError::Io { source, .. }), .. }
                if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) =>
            {
                "The path is one of the server, not of the client; psql's \\copy sends a file of the client."
            }
            Error::Codec(CodecError::TooFewDistinct { .. }) => {
                "Train on more rows, or choose a smaller bit width."
            }
            Error::Encoding(EncodingError::Foreign(_)) => {
                "Use a database of encoding UTF8, or names, paths and options in ASCII."
            }
            Error::FileAccess(AccessError::Role { access: FileAccess::Read, .. }) => {
                "Ask for membership in pg_read_server_files, or let such a role load the file."
            }
            Error::FileAccess(AccessError::Role { access: FileAccess::Write, .. }) => {
                "Ask for membership in pg_write_server_files, or let such a role write the file."
            }
            Error::File(FileError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                "The path is one of the server, not of the client."
            }
            Error::Copy(error) => return error.hint(),
            Error::Format(error) => return error.hint(),
            Error::Registry(error) => return error.hint(),
            Error::Vector(error) => return error.hint(),
            Error::Column(error) => return error.hint(),
            Error::Sample(error) => return error.hint(),
            _ => return None,
        };
        Some(hint.into())
    }
}
