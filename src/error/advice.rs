//! What is said below a message: the detail that explains it, and the hint at the way out.

use super::Error;
use super::crates::codec::codec_hint;
use super::crates::files::{corpus_file_hint, file_hint};
use super::crates::index::index_hint;
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
            Error::Reject(error) => error.detail(),
            _ => None,
        }
    }

    /// The way out of it, for whoever tells of it in a message of their own.
    pub(crate) fn advice(&self) -> Option<String> {
        self.hint()
    }

    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Codec(error) => codec_hint(error)?,
            Error::CorpusFile { source, .. } => corpus_file_hint(source)?,
            Error::File(error) => file_hint(error)?,
            Error::Encoding(EncodingError::Foreign(_)) => {
                "Use a database of encoding UTF8, or names, paths and options in ASCII."
            }
            Error::FileAccess(AccessError::Role { access: FileAccess::Read, .. }) => {
                "Ask for membership in pg_read_server_files, or let such a role load the file."
            }
            Error::FileAccess(AccessError::Role { access: FileAccess::Write, .. }) => {
                "Ask for membership in pg_write_server_files, or let such a role write the file."
            }
            Error::Copy(error) => return error.hint(),
            Error::Format(error) => return error.hint(),
            Error::Registry(error) => return error.hint(),
            Error::Vector(error) => return error.hint(),
            Error::Column(error) => return error.hint(),
            Error::Sample(error) => return error.hint(),
            Error::Reject(error) => return error.hint(),
            Error::Index { source, .. } => index_hint(source)?,
            Error::IndexUse(error) => error.hint()?,
            _ => return None,
        };
        Some(hint.into())
    }
}
