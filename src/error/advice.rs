//! What is said below a message: the detail that explains it, and the hint at the way out.

use std::io::ErrorKind;

use tq_codec::CodecError;
use tq_corpus::{CorpusFileError, FileError, MergeError, RowsError};
use tq_format::CorpusError;

use super::Error;
use crate::server::encoding::EncodingError;
use crate::server::file_access::{AccessError, FileAccess};
use crate::server::recovery::is_upkeep;

impl Error {
    pub(super) fn detail(&self) -> Option<String> {
        match self {
            Error::FileAccess(AccessError::Role { access, action }) => {
                Some(format!("Only roles with privileges of the \"{}\" role may {action}.", access.role()))
            }
            Error::CopyTypmod { .. } => {
                Some("A record is never recompressed silently; nothing of the file was loaded.".into())
            }
            Error::ExportRow { source, .. } => match **source {
                Error::TypmodDimension { .. }
                | Error::TypmodBitWidth { .. }
                | Error::TypmodResidual { .. }
                | Error::ExportCodec { .. } => {
                    Some("All records of a corpus have one codec, and with it one dimension and bit width.".into())
                }
                _ => None,
            },
            Error::ExportIds { .. } => {
                Some("Ids are part of the metadata, which takes 16 MiB at most; whole numbers that follow one another take little of it.".into())
            }
            Error::ColumnRow { .. } => Some(
                "The batches before are committed; the row's batch is not. Calling again goes on from there."
                    .into(),
            ),
            Error::CallInTransaction => Some("It commits after each batch.".into()),
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
            Error::OnceCall => "Write the cast itself: query::real[].",
            Error::TextSyntax(_) => {
                "Write '[0.1, 0.2, ...]' for floats to compress, or '\\x...' for the hexadecimal digits of a record."
            }
            Error::TypmodSyntax(_) => {
                "Write tqvec, tqvec(dimension), tqvec(dimension, bits), with \"residual\", \"haar\" or \"hadamard\" behind."
            }
            Error::TypmodBitWidth { .. } | Error::TypmodResidual { .. } | Error::TypmodRotation { .. } => {
                "A record is never recompressed silently; use tq_compress(tq_decompress(v), ...) to recompress it."
            }
            Error::UnknownMetric(_) => "Known metrics are 'l2', 'inner_product', 'cosine' and 'l1'.",
            Error::TrainingMethod(_) => "Known methods are 'lloyd' and 'quantile'.",
            Error::Codec(CodecError::TooFewDistinct { .. }) => {
                "Train on more rows, or choose a smaller bit width."
            }
            Error::Rotation(_) => "Known rotations are 'haar' and 'hadamard'.",
            Error::UnknownCodec(_) if is_upkeep() => {
                "Register the codec first (in a restore: load tq_codec before), or drop what decodes its records: an index or statistics on an expression."
            }
            Error::UnknownCodec(_) => {
                "Register it with tq_create_codec, giving the seed and codebook that it was made with, or from TinyQuant's files with tq_import_codec."
            }
            Error::NoSuchCodec(_) => "SELECT name, config_hash FROM tq_codec lists the registered codecs.",
            Error::CodebookConflict { .. } => {
                "The config_hash does not cover the codebook; choose another seed."
            }
            Error::CodecNameTaken(_) => {
                "64 hexadecimal digits are a codec's hash, and a declaration such as tqvec(1536, 4) is a built-in codec."
            }
            Error::Encoding(EncodingError::Foreign(_)) => {
                "Use a database of encoding UTF8, or names, paths and options in ASCII."
            }
            Error::ReservedSeed(_) => "Choose another seed; the built-in codec needs no registration.",
            Error::CodecUpdate => "Drop the codec with tq_drop_codec and create another.",
            Error::RotationLost => "Run the statement again: the file is built anew.",
            Error::NoPgvector => "Run CREATE EXTENSION vector in this database first.",
            Error::ForeignForm(_) => {
                "Let the parameter be of the type that is sent, and cast it: $1::real[]::tqvec, $1::vector::tqvec."
            }
            Error::QueryEmpty | Error::QueryNotSelect => "Give one SELECT, or VALUES, as text.",
            Error::NoRegistry => "Run CREATE EXTENSION tinyquant in this database.",
            Error::CallInTransaction => "Call it by itself, outside of BEGIN and of functions.",
            Error::NotTable(_) => "Name a table, or a partitioned table whose partitions are tables.",
            Error::ColumnRow { source, .. } | Error::ExportRow { source, .. } => return source.hint(),
            Error::SampleRow { source, .. } => return source.hint(),
            Error::SampleTooLarge { .. } => {
                "Evaluate a part of the rows: put a LIMIT into the query, or TABLESAMPLE behind the table in it."
            }
            Error::ExportNoDimension => {
                "Select a column whose type says it, as tqvec(1536, 4) or vector(1536), or write no empty file."
            }
            Error::OtherFormat { got, .. } => return Some(format!("Its FORMAT is {got}.")),
            Error::ExportColumns { ids: false, .. } => {
                "Select the vectors alone: files of this format have no ids."
            }
            Error::ExportColumns { .. } | Error::ExportIdType { .. } => {
                "Select the records and, for ids, one column of type bigint, integer, smallint, uuid, text or varchar."
            }
            Error::ExportNull(_) => "Leave such rows out, with WHERE ... IS NOT NULL.",
            Error::ExportCodec { .. } => "Select the rows of one codec: WHERE tq_config_hash(...) = '...'.",
            Error::ExportEmpty => {
                "Declare the column with dimension and bit width, as tqvec(1536, 4), or name a codec with the option CODEC."
            }
            Error::ExportIds { .. } => {
                "Write fewer rows to a file, or use bigint ids, in their order; or leave them out and keep them in a file of their own, in the same order."
            }
            Error::ColumnCodec { .. } => "Declare the column as the codec is, or without a type modifier.",
            Error::CopyColumns { .. } => "Name the column: COPY table (column) FROM ...",
            Error::ImportColumns { .. } => {
                "Name the column: tq_import(table, path, '{\"column\": \"embedding\"}')."
            }
            Error::OptionUnknown { hint, .. }
            | Error::OptionMisplaced { hint, .. }
            | Error::NoSuchTensor { hint, .. }
            | Error::TensorChoice { hint, .. }
            | Error::FunctionOptionUnknown { hint, .. } => return Some(hint.clone()),
            Error::FileAccess(AccessError::Role { access: FileAccess::Read, .. }) => {
                "Ask for membership in pg_read_server_files, or let such a role load the file."
            }
            Error::FileAccess(AccessError::Role { access: FileAccess::Write, .. }) => {
                "Ask for membership in pg_write_server_files, or let such a role write the file."
            }
            Error::File(FileError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                "The path is one of the server, not of the client."
            }
            Error::SidecarHash { .. } => {
                "A field or the hash was changed. If the fields are right, remove config_hash from the file."
            }
            Error::CodecFilesDiffer { .. } => "The files belong to different codecs.",
            Error::CopyFromRowSecurity => "Use INSERT statements instead.",
            Error::CopyIdType { .. } => "Ids go into smallint, integer, bigint, uuid, text or varchar.",
            Error::UnknownFormat(_) => "Known formats are TQCV, QVEC, zTensor and Burnpack.",
            Error::Merge(MergeError::IdsMissing { .. } | MergeError::IdsType { .. }) => {
                "Leave the ids out with '{\"ids\": \"drop\"}'."
            }
            Error::Merge(MergeError::Unlike { .. }) => {
                "Only corpora of one codec can be merged; tq_convert compresses one anew."
            }
            Error::MergeCount { most, .. } => {
                return Some(format!("Merge at most {most} files, and what came of them again."));
            }
            Error::MergeQvec => {
                "Its vectors can be copied into one table and out again, or converted into a corpus."
            }
            Error::IndexMetric(_) => "Metrics of a QVEC file are 'cosine', 'inner_product' and 'l2'.",
            Error::WriteRows(RowsError::Setup(CodecError::QuantvecDimension { .. })) => {
                "A QVEC file can't hold such vectors; FORMAT tqcv, ztensor and burnpack take any dimension."
            }
            Error::WriteRows(RowsError::QvecDuplicateId { .. }) => {
                "Ids of a QVEC file are unique: select each once, with DISTINCT ON (id) for instance."
            }
            Error::WriteRows(RowsError::QvecTooMany { .. }) => {
                "Write the rows into several files, or with fewer BITS."
            }
            Error::CorpusOtherCodec { .. } => "Leave the option CODEC away, or set RECOMPRESS to true.",
            Error::NoIds { .. } => {
                "Fill the vectors' column alone, or set the option IDS to 'ordinal' for the records' numbers."
            }
            Error::IdsWithoutColumn => {
                "Name both: COPY table (id, embedding) FROM ..., or the option \"id_column\" of tq_import."
            }
            Error::CorpusRecord { source, .. }
            | Error::CorpusRow { source, .. }
            | Error::FileRow { source, .. } => return source.hint(),
            Error::CopyTypmod { source, .. } => match **source {
                Error::TypmodDimension { .. } => {
                    "Declare the column as the file is, or without a type modifier."
                }
                _ => {
                    "Declare the column as the file is, or without a type modifier, or set the option RECOMPRESS to true."
                }
            },
            Error::CopyUnsupported { hint, .. } => return hint.map(Into::into),
            _ => return None,
        };
        Some(hint.into())
    }
}
