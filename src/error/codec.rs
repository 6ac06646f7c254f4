//! What goes wrong with codecs: finding, registering, exchanging them, and keeping their rotations.

use pgrx::PgSqlErrorCode as Code;

use super::*;
use crate::server::recovery::is_upkeep;

/// What goes wrong with codecs: finding, registering, exchanging them, and keeping their rotations.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistryError {
    #[error("codec with config_hash \"{0}\" is not registered")]
    UnknownCodec(String),
    #[error("codec \"{0}\" does not exist")]
    NoSuchCodec(String),
    #[error("codec \"{0}\" already exists")]
    CodecExists(String),
    #[error("codec \"{existing}\" has the same config_hash \"{hash}\" and another codebook")]
    CodebookConflict { existing: String, hash: String },
    #[error("codec \"{0}\" has a centre, which TinyQuant's files have no place for")]
    CentreInFiles(String),
    #[error("codec \"{0}\" has trellis codes, which TinyQuant's files can't describe")]
    TrellisInFiles(String),
    #[error("the same codec is already registered as \"{0}\"")]
    CodecRegistered(String),
    #[error("seed {0} belongs to the built-in codec")]
    ReservedSeed(u64),
    #[error("seed {0} is out of range: it must be a whole number from 0 to 18446744073709551615")]
    SeedRange(String),
    #[error("dimension {0} is out of range (1 to {MAX_DIMENSION})")]
    Dimension(i32),
    #[error("registered codecs are immutable")]
    CodecUpdate,
    #[error("function \"{0}\" was not called by trigger manager")]
    NotTrigger(&'static str),
    #[error("codec name must not be empty")]
    CodecNameEmpty,
    #[error("\"{}\" can't be the name of this codec: it means something else", shortened(.0))]
    CodecNameTaken(String),
    #[error("a rotation of {0} dimensions is too large to be kept")]
    RotationTooLarge(u32),
    #[error("a file below \"pg_tinyquant\" was changed while it was in use")]
    RotationLost,
    #[error("codec \"{name}\" is named by the types of: {columns}")]
    CodecInUse { name: String, columns: String },
    #[error("registered codecs are named by the types of: {0}")]
    CodecsInUse(String),
    #[error("codec \"{existing}\" has a config_hash that begins as this one's does: \"{prefix}\"")]
    CodecPrefix { existing: String, prefix: String },
    #[error("table tq_codec has no column for centres")]
    OldRegistry,
    #[error("table tq_codec of extension tinyquant was not found")]
    NoRegistry,
    #[error(
        "codec \"{name}\": config_hash \"{given}\" is not the hash of its fields, which is \"{computed}\""
    )]
    CodecHash { name: String, given: String, computed: String },
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

impl RegistryError {
    pub(super) fn code(&self) -> Code {
        match self {
            RegistryError::CodebookFile { .. }
            | RegistryError::SidecarFile { .. }
            | RegistryError::SidecarHash { .. }
            | RegistryError::CodecFilesDiffer { .. } => Code::ERRCODE_BAD_COPY_FILE_FORMAT,
            RegistryError::SeedRange(_) => Code::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
            RegistryError::ReservedSeed(_)
            | RegistryError::CodecNameEmpty
            | RegistryError::CodecNameTaken(_)
            | RegistryError::CodecHash { .. }
            | RegistryError::CodecFilesSame(_) => Code::ERRCODE_INVALID_PARAMETER_VALUE,
            RegistryError::Dimension(_) => Code::ERRCODE_DATA_EXCEPTION,
            RegistryError::NotTrigger(_) => Code::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
            RegistryError::RotationLost => Code::ERRCODE_IO_ERROR,
            RegistryError::RotationTooLarge(_) => Code::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            RegistryError::UnknownCodec(_) | RegistryError::NoSuchCodec(_) | RegistryError::NoRegistry => {
                Code::ERRCODE_UNDEFINED_OBJECT
            }
            RegistryError::CodecExists(_)
            | RegistryError::CodecRegistered(_)
            | RegistryError::CodebookConflict { .. } => Code::ERRCODE_DUPLICATE_OBJECT,
            RegistryError::CentreInFiles(_) | RegistryError::TrellisInFiles(_) => {
                Code::ERRCODE_FEATURE_NOT_SUPPORTED
            }
            RegistryError::CodecInUse { .. } | RegistryError::CodecsInUse(_) => {
                Code::ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST
            }
            RegistryError::CodecPrefix { .. } => Code::ERRCODE_DUPLICATE_OBJECT,
            RegistryError::OldRegistry => Code::ERRCODE_UNDEFINED_COLUMN,
            RegistryError::CodecUpdate => Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        }
    }

    pub(super) fn detail(&self) -> Option<String> {
        None
    }

    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self {
            RegistryError::UnknownCodec(_) if is_upkeep() => {
                "Register the codec first (in a restore: load tq_codec before), or drop what decodes its records: an index or statistics on an expression."
            }
            RegistryError::UnknownCodec(_) => {
                "Register it with tq_create_codec, giving the seed and codebook that it was made with, or from TinyQuant's files with tq_import_codec."
            }
            RegistryError::NoSuchCodec(_) => {
                "SELECT name, config_hash FROM tq_catalog.tq_codec lists the registered codecs."
            }
            RegistryError::CodebookConflict { .. } => {
                "The config_hash does not cover the codebook; choose another seed."
            }
            RegistryError::CentreInFiles(_) | RegistryError::TrellisInFiles(_) => {
                "A corpus carries it: COPY (SELECT column FROM table) TO file (FORMAT tqcv)."
            }
            RegistryError::CodecNameTaken(_) => {
                "64 hexadecimal digits are a codec's hash, tqvec(1536, 4) is a built-in codec, and numbers and words such as hadamard mean something else in a column's type."
            }
            RegistryError::ReservedSeed(_) => {
                "Choose another seed; the built-in codec needs no registration."
            }
            RegistryError::CodecUpdate => "Drop the codec with tq_drop_codec and create another.",
            RegistryError::RotationLost => "Run the statement again: the file is built anew.",
            RegistryError::CodecInUse { .. } | RegistryError::CodecsInUse(_) => {
                "Drop these, or give them another type, first."
            }
            RegistryError::CodecPrefix { .. } => "Types name codecs by these digits; choose another seed.",
            RegistryError::OldRegistry => "Run ALTER EXTENSION tinyquant UPDATE in this database.",
            RegistryError::NoRegistry => "Run CREATE EXTENSION tinyquant in this database.",
            RegistryError::SidecarHash { .. } => {
                "A field or the hash was changed. If the fields are right, remove config_hash from the file."
            }
            RegistryError::CodecFilesDiffer { .. } => "The files belong to different codecs.",
            _ => return None,
        };
        Some(hint.into())
    }
}
