//! Words of messages that come from the crates, which count from 0 and know nothing of SQL.

use std::path::Path;

use tq_codec::CodecError;
use tq_files::CorpusFileError;
use tq_format::tqcb::TqcbError;

pub(super) fn residual_words(expected: bool) -> &'static str {
    if expected { "with an FP16 residual" } else { "without an FP16 residual" }
}

/// The codec counts elements from 0, SQL from 1.
pub(super) fn codec_message(error: &CodecError) -> String {
    match error {
        CodecError::NotFinite { index, value } => format!("element {} of the vector is {value}", index + 1),
        CodecError::NormOutOfRange { norm, tolerance } => {
            let percent = (100.0 * tolerance).floor();
            format!("the vector's norm {norm:.4} is not within {percent:.0} % of 1")
        }
        CodecError::NormTooSmall { norm } => {
            format!("the vector's norm {norm:.1e} is too small for the codec")
        }
        CodecError::NormTooLarge { norm } => {
            format!("the vector's norm {norm:.3e} is too large to be rotated in single precision")
        }
        CodecError::DecodedOverflow { index } => {
            format!("element {} of the decompressed vector is out of range for real", index + 1)
        }
        CodecError::ResidualOverflow { index } => {
            format!("the residual of rotated element {} does not fit into half precision", index + 1)
        }
        CodecError::CodebookNotFinite { index } => format!("codebook entry {} is not finite", index + 1),
        CodecError::CodebookNotAscending { index } => {
            format!("codebook entry {} is not above the entry before it", index + 1)
        }
        CodecError::Row { row, source } => format!("row {}: {}", row + 1, codec_message(source)),
        other => other.to_string(),
    }
}

pub(super) fn corpus_file_message(path: &Path, source: &CorpusFileError) -> String {
    match source {
        CorpusFileError::File(error) => error.to_string(),
        CorpusFileError::Format(error) => format!("invalid TQCV file \"{}\": {error}", path.display()),
    }
}

/// The format counts entries from 0, SQL from 1.
pub(super) fn tqcb_message(error: &TqcbError) -> String {
    match error {
        TqcbError::NotFinite { index } => codec_message(&CodecError::CodebookNotFinite { index: *index }),
        TqcbError::NotAscending { index } => {
            codec_message(&CodecError::CodebookNotAscending { index: *index })
        }
        other => other.to_string(),
    }
}

pub(super) fn sidecar_message(error: &CodecError) -> String {
    match error {
        CodecError::Sidecar { reason } => reason.clone(),
        other => codec_message(other),
    }
}

/// Text from a file, printable, and not longer than a hash and a bit.
pub(super) fn shortened(text: &str) -> String {
    let end = text.floor_char_boundary(80);
    let dots = if end < text.len() { "..." } else { "" };
    format!("{}{dots}", text[..end].escape_debug())
}
