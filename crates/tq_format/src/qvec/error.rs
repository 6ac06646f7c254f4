//! What can be wrong with a QVEC file, one variant a cause, each with quantvec's code for it.

use super::{HEADER_LEN, MAX_DIMENSION};

/// Why bytes are not a QVEC index.
///
/// `offset` counts bytes from the start of the file, `slot` vectors from 0, as quantvec does.
#[derive(thiserror::Error, Debug, Clone, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are the numbers of the message above each")]
pub enum Error {
    /// The file ends inside its header.
    #[error("qvec header is truncated: {HEADER_LEN} bytes needed, {got} present")]
    TooShort { got: u64 },
    /// The file doesn't start with `QVEC`.
    #[error("not a qvec file: it starts with \"{}\"", got.escape_ascii())]
    BadMagic { got: [u8; 4] },
    /// The version byte is neither 1 nor 2.
    #[error("unknown qvec version {got}")]
    BadVersion { got: u8 },
    /// The kind is neither positional (0) nor keyed by ids (1).
    #[error("invalid kind {got} in the qvec header: must be 0 or 1")]
    BadKind { got: u8 },
    /// The metric is unknown.
    #[error("invalid metric {got} in the qvec header: must be 0, 1 or 2")]
    BadMetric { got: u8 },
    /// The bit width is not 2, 3 or 4.
    #[error("invalid bit width {got} in the qvec header: must be 2, 3 or 4")]
    BadBits { got: u8 },
    /// The dimension is zero or not a multiple of 8.
    #[error("qvec header has dimension {got}: must be a positive multiple of 8")]
    BadDimension { got: u32 },
    /// The dimension is above [`MAX_DIMENSION`].
    #[error("qvec header has dimension {got}: at most {MAX_DIMENSION} is allowed")]
    DimensionTooLarge { got: u32 },
    /// The seed is NaN or an infinity.
    #[error("qvec header has seed {got}: must be finite")]
    BadSeed { got: f64 },
    /// The file ends inside a field of its body.
    #[error("qvec file is truncated in {field}, at byte {offset}: {needed} bytes needed, {got} present")]
    Truncated { field: &'static str, offset: u64, needed: u64, got: u64 },
    /// Bytes follow the last field, from `offset` on.
    #[error("qvec file has {surplus} surplus bytes after its last field, from byte {offset} on")]
    TrailingBytes { offset: u64, surplus: u64 },
    /// The byte that says whether a calibration follows is neither 0 nor 1.
    #[error("invalid calibration flag {got} at byte {offset} of the qvec file: must be 0 or 1")]
    CalibrationFlag { offset: u64, got: u8 },
    /// A number of the calibration is not finite, or a scale of it is 0.
    #[error("calibration {field} of coordinate {coordinate}, at byte {offset} of the qvec file, is {got}")]
    Calibration { field: &'static str, coordinate: u32, offset: u64, got: f32 },
    /// The byte that says whether an inverted file follows is neither 0 nor 1.
    #[error("invalid ivf flag {got} at byte {offset} of the qvec file: must be 0 or 1")]
    IvfFlag { offset: u64, got: u8 },
    /// The file ends inside its inverted file.
    #[error("qvec file is truncated in {field}, at byte {offset}: {needed} bytes needed, {got} present")]
    IvfTruncated { field: &'static str, offset: u64, needed: u64, got: u64 },
    /// The number of lists is impossible.
    #[error("ivf of the qvec file has {got} lists, at byte {offset}: must be 2 to 4194304")]
    IvfLists { offset: u64, got: u32 },
    /// The number of lists to probe is impossible.
    #[error("ivf of the qvec file probes {got} lists, at byte {offset}: must be 1 to {lists}")]
    IvfProbes { offset: u64, got: u32, lists: u32 },
    /// A coordinate of a centroid is not finite.
    #[error("coordinate {coordinate} of ivf centroid {list}, at byte {offset} of the qvec file, is {got}")]
    IvfCentroid { list: u32, coordinate: u32, offset: u64, got: f32 },
    /// A vector is in a list that doesn't exist.
    #[error("ivf list of slot {slot}, at byte {offset} of the qvec file, is {got}: there are {lists}")]
    IvfSlot { slot: u32, offset: u64, got: u32, lists: u32 },
    /// The file ends inside an id.
    #[error(
        "qvec file is truncated in the {field} of the id of slot {slot}, at byte {offset}: {needed} bytes needed, {got} present"
    )]
    IdTruncated { slot: u32, field: &'static str, offset: u64, needed: u64, got: u64 },
    /// An id is of an unknown kind.
    #[error("id of slot {slot}, at byte {offset} of the qvec file, has unknown tag {got}")]
    IdTag { slot: u32, offset: u64, got: u8 },
    /// An id is not UTF-8.
    #[error("id of slot {slot}, at byte {offset} of the qvec file, is not valid UTF-8")]
    IdUtf8 { slot: u32, offset: u64 },
    /// An integer is not written as `0|-?[1-9][0-9]*`.
    #[error(
        "integer id of slot {slot}, at byte {offset} of the qvec file, is not a canonical decimal number"
    )]
    IdInteger { slot: u32, offset: u64 },
    /// A number is NaN or an infinity.
    #[error("number id of slot {slot}, at byte {offset} of the qvec file, is {got}: must be finite")]
    IdNotFinite { slot: u32, offset: u64, got: f64 },
    /// Two vectors have the same id.
    #[error("id of slot {slot}, at byte {offset} of the qvec file, is that of slot {first} too")]
    IdDuplicate { slot: u32, offset: u64, first: u32 },
    /// A vector's scale is not finite and positive.
    #[error("scale of slot {slot}, at byte {offset} of the qvec file, is {got}: must be finite and above 0")]
    BadScale { slot: u32, offset: u64, got: f32 },
    /// A vector's norm is not finite and positive.
    #[error("norm of slot {slot}, at byte {offset} of the qvec file, is {got}: must be finite and above 0")]
    BadNorm { slot: u32, offset: u64, got: f32 },
    /// There is no memory to compare the ids; less than the file's size is needed.
    #[error("cannot allocate {bytes} bytes to compare the ids of the qvec file")]
    OutOfMemory { bytes: u64 },
    /// A vector was asked for that the file doesn't have.
    #[error("qvec file has no slot {slot}: it has {count}")]
    NoSuchSlot { slot: u32, count: u32 },
}

impl Error {
    /// quantvec's code for the error. `BAD_SCALE` and `BAD_NORM` are ours, as it doesn't check these, and so are
    /// `OUT_OF_MEMORY` and `NO_SUCH_SLOT`, which no file is to blame for.
    pub fn code(&self) -> &'static str {
        use Error as E;
        match self {
            E::TooShort { .. } => "TOO_SHORT",
            E::BadMagic { .. } => "BAD_MAGIC",
            E::BadVersion { .. } => "BAD_VERSION",
            E::BadKind { .. } => "BAD_KIND",
            E::BadMetric { .. } => "BAD_METRIC",
            E::BadBits { .. } => "BAD_BITS",
            E::BadDimension { .. } | E::DimensionTooLarge { .. } => "BAD_DIM",
            E::BadSeed { .. } => "BAD_SEED",
            E::Truncated { .. }
            | E::TrailingBytes { .. }
            | E::CalibrationFlag { .. }
            | E::IdTruncated { .. } => "BAD_LENGTH",
            E::Calibration { .. } => "BAD_CALIBRATION",
            E::IvfFlag { .. }
            | E::IvfTruncated { .. }
            | E::IvfLists { .. }
            | E::IvfProbes { .. }
            | E::IvfCentroid { .. }
            | E::IvfSlot { .. } => "BAD_IVF",
            E::IdTag { .. }
            | E::IdUtf8 { .. }
            | E::IdInteger { .. }
            | E::IdNotFinite { .. }
            | E::IdDuplicate { .. } => "BAD_ID",
            E::BadScale { .. } => "BAD_SCALE",
            E::BadNorm { .. } => "BAD_NORM",
            E::OutOfMemory { .. } => "OUT_OF_MEMORY",
            E::NoSuchSlot { .. } => "NO_SUCH_SLOT",
        }
    }
}
