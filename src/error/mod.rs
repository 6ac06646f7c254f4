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
use tq_files::{CorpusFileError, FileError};
use tq_format::{BitWidth, CorpusError, MAX_DIMENSION, RecordError, tqcb::TqcbError};
use tq_index::IndexError;
use tq_memory::OutOfMemory;

use self::crates::codec::{codec_code, codec_message, sidecar_message, tqcb_message};
use self::crates::files::{corpus_file_message, file_code};
use self::crates::index::{index_code, index_message};
use self::messages::{residual_words, shortened};
use crate::server::aggregate_state::NotAggregate;
use crate::server::encoding::{self, EncodingError};
use crate::server::file_access::AccessError;
use crate::server::kept_error::{CallError, KeptError};

mod advice;
mod codec;
mod column;
mod copy;
mod crates;
mod file;
mod index;
pub(crate) mod interrupts;
mod messages;
mod reject;
mod sample;
mod vector;

pub(crate) use self::codec::RegistryError;
pub(crate) use self::column::ColumnError;
pub(crate) use self::copy::CopyError;
pub(crate) use self::file::FormatError;
pub(crate) use self::index::IndexUseError;
pub(crate) use self::reject::RejectError;
pub(crate) use self::sample::SampleError;
pub(crate) use self::vector::VectorError;

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
    #[error(transparent)]
    File(#[from] FileError),
    /// Memory that the system refused.
    #[error("{0}")]
    Memory(#[from] OutOfMemory),
    /// PostgreSQL's own, which is raised again as it was.
    #[error("an error of PostgreSQL's was lost")]
    Kept(KeptError),
    #[error(transparent)]
    RotationFile(#[from] tq_files::MatrixError),
    #[error("query on table tq_codec failed: {0}")]
    Spi(#[from] pgrx::spi::SpiError),
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    #[error(transparent)]
    FileAccess(#[from] AccessError),
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Vector(#[from] VectorError),
    #[error(transparent)]
    Column(#[from] ColumnError),
    #[error(transparent)]
    Sample(#[from] SampleError),
    #[error(transparent)]
    Reject(#[from] RejectError),
    /// An index, by its name, is damaged or can't go on.
    #[error("{}", index_message(name, source))]
    Index { name: String, source: IndexError },
    #[error(transparent)]
    IndexUse(#[from] IndexUseError),
}

impl Error {
    /// The report that PostgreSQL shows: SQLSTATE, message, detail and hint.
    pub(crate) fn report(&self) -> ErrorReport {
        let code = self.code();
        if matches!(code, Code::ERRCODE_OUT_OF_MEMORY) {
            crate::server::memory::go_to_error_context();
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

    /// Whether it is about the value that was given and not about the server.
    pub(crate) fn is_about_data(&self) -> bool {
        // The first two characters of an SQLSTATE, its class.
        const CLASS: i32 = (1 << 12) - 1;
        self.code() as i32 & CLASS == Code::ERRCODE_DATA_EXCEPTION as i32 & CLASS
            || matches!(self, Error::Codec(CodecError::DimensionOutOfRange { .. }))
    }

    /// Whether it is about one vector, or one record, so that others can be stored without it.
    pub(crate) fn is_about_row(&self) -> bool {
        match self {
            Error::Codec(error) => matches!(
                error,
                CodecError::NotFinite { .. }
                    | CodecError::ZeroVector
                    | CodecError::NormOutOfRange { .. }
                    | CodecError::NormTooSmall { .. }
                    | CodecError::NormTooLarge { .. }
                    | CodecError::ResidualOverflow { .. }
                    | CodecError::DecodedOverflow { .. }
                    | CodecError::DimensionOutOfRange { .. }
            ),
            Error::Vector(error) => matches!(
                error,
                VectorError::NotFinite { .. }
                    | VectorError::TextRange(_)
                    | VectorError::HalfOverflow(_)
                    | VectorError::TypmodDimension { .. }
                    | VectorError::ArrayDimensions(_)
                    | VectorError::ArrayNulls
                    | VectorError::ArrayEmpty
            ),
            _ => false,
        }
    }

    pub(crate) fn code(&self) -> Code {
        match self {
            error if is_memory(error) => Code::ERRCODE_OUT_OF_MEMORY,
            Error::Memory(_) => Code::ERRCODE_OUT_OF_MEMORY,
            Error::Record(_) => Code::ERRCODE_INVALID_BINARY_REPRESENTATION,
            Error::Codec(error) => codec_code(error),
            Error::CorpusFile { source: CorpusFileError::File(error), .. } => file_code(error),
            Error::File(error) => file_code(error),
            Error::CorpusFile { .. } => Code::ERRCODE_BAD_COPY_FILE_FORMAT,
            Error::Encoding(EncodingError::NotUtf8) => Code::ERRCODE_CHARACTER_NOT_IN_REPERTOIRE,
            Error::Encoding(EncodingError::Foreign(_)) => Code::ERRCODE_FEATURE_NOT_SUPPORTED,
            Error::RotationFile(_) => Code::ERRCODE_IO_ERROR,
            Error::Kept(_) => Code::ERRCODE_INTERNAL_ERROR,
            Error::Spi(_) => Code::ERRCODE_INTERNAL_ERROR,
            Error::FileAccess(AccessError::RelativePath { .. }) => Code::ERRCODE_INVALID_NAME,
            Error::FileAccess(AccessError::Role { .. }) => Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
            Error::Copy(error) => error.code(),
            Error::Format(error) => error.code(),
            Error::Registry(error) => error.code(),
            Error::Vector(error) => error.code(),
            Error::Column(error) => error.code(),
            Error::Sample(error) => error.code(),
            Error::Reject(error) => error.code(),
            Error::Index { source, .. } => index_code(source),
            Error::IndexUse(error) => error.code(),
        }
    }

    /// An error of an index, for whoever knows its name to say.
    pub(crate) fn index(source: IndexError) -> Self {
        Error::Index { name: String::new(), source }
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

/// Whether an error of PostgreSQL's, given by its code and untranslated message, is about a COPY format that it doesn't know.
pub(crate) fn is_unknown_copy_format(code: i32, message: &CStr) -> bool {
    code == Code::ERRCODE_INVALID_PARAMETER_VALUE as i32 && message == c"COPY format \"%s\" not recognized"
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Kept(error) => Error::Kept(error),
            CallError::Memory(error) => Error::Memory(error),
        }
    }
}

impl From<NotAggregate> for Error {
    fn from(_: NotAggregate) -> Self {
        Error::Vector(VectorError::NotAggregate)
    }
}

/// What stands on the ground knows nothing of [`Error`]; functions that SQL calls pass its errors on as any other.
macro_rules! reported {
    ($($ground:ty),*) => {
        $(impl From<$ground> for ErrorReport {
            fn from(error: $ground) -> Self {
                Error::from(error).report()
            }
        })*
    };
}
reported!(EncodingError, AccessError, NotAggregate);

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
