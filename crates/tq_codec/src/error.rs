//! What can go wrong between floats and records, one variant for each cause.
//!
//! Callers translate variants to their own codes and hints, so every variant carries the numbers that a
//! message to a user needs, and none carries prose.

use tq_format::BitWidth;
use tq_memory::OutOfMemory;

/// An error of configuring a codec, of encoding, of decoding or of preparing a query.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// A codec's dimension lies outside `1..=MAX_DIMENSION`.
    #[error("dimension {dimension} is out of range (1 to {})", tq_format::MAX_DIMENSION)]
    DimensionOutOfRange {
        /// The dimension asked for.
        dimension: u64,
    },
    /// A vector or record has another dimension than the codec.
    #[error("expected {expected} dimensions, not {got}")]
    DimensionMismatch {
        /// The codec's dimension.
        expected: usize,
        /// The dimension met.
        got: usize,
    },
    /// A bit width other than 2, 4 and 8.
    #[error("bit width {bits} is not supported (2, 4 or 8)")]
    BitWidthUnsupported {
        /// The width asked for.
        bits: u32,
    },
    /// A vector holds NaN or an infinity.
    #[error("element {index} of the vector is {value}")]
    NotFinite {
        /// Position in the vector, from 0.
        index: usize,
        /// The value there.
        value: f32,
    },
    /// A vector without direction where a direction is needed.
    #[error("the vector is zero")]
    ZeroVector,
    /// The built-in codec without residual is for vectors of about unit length.
    #[error("the vector's norm {norm} is not within {:.0} % of 1", (100.0 * .tolerance).floor())]
    NormOutOfRange {
        /// The vector's Euclidean norm.
        norm: f64,
        /// How far from 1 it may be.
        tolerance: f64,
    },
    /// The built-in codec with residual is for vectors that are not vanishingly short.
    #[error("the vector's norm {norm:e} is too small for the codec")]
    NormTooSmall {
        /// The vector's Euclidean norm.
        norm: f64,
    },
    /// A vector that single precision can't rotate.
    #[error("the vector's norm {norm:e} is too large to be rotated in single precision")]
    NormTooLarge {
        /// The vector's Euclidean norm.
        norm: f64,
    },
    /// A record stands for a vector that single precision can't hold.
    #[error("element {index} of the decompressed vector is out of range for real")]
    DecodedOverflow {
        /// Position in the vector, from 0.
        index: usize,
    },
    /// What quantisation leaves is beyond the largest finite FP16 number.
    #[error("the residual of rotated element {index} does not fit into half precision")]
    ResidualOverflow {
        /// Position in the rotated vector, from 0.
        index: usize,
    },
    /// A codebook has the wrong number of entries for its bit width.
    #[error("a codebook of {bits} bits{} has {expected} entries, not {got}", of_codes(*codes))]
    CodebookCount {
        /// The kind of codes that it is for.
        codes: crate::CodeKind,
        /// The bit width.
        bits: u8,
        /// Two to the power of the bit width, or 256 for a trellis.
        expected: usize,
        /// The number of entries given.
        got: usize,
    },
    /// Eight bits choose one of 256 entries as they are.
    #[error("trellis codes have 2 or 4 bits, not 8")]
    TrellisOfEightBits,
    /// A codebook is for codes of another kind than the configuration's.
    #[error("the codebook is for {got} codes, not {expected} ones")]
    CodesMismatch {
        /// The configuration's kind.
        expected: crate::CodeKind,
        /// The codebook's.
        got: crate::CodeKind,
    },
    /// The entries of a trellis are too large or too small for its sums of squares.
    #[error("the largest entry of a trellis must be between 2^-100 and 2^100, not {largest:e}")]
    TrellisRange {
        /// The largest absolute value.
        largest: f32,
    },
    /// A codebook entry is NaN or an infinity.
    #[error("codebook entry {index} is not finite")]
    CodebookNotFinite {
        /// Position of the entry, from 0.
        index: usize,
    },
    /// A codebook entry is not above the one before it.
    #[error("codebook entry {index} is not above the entry before it")]
    CodebookNotAscending {
        /// Position of the entry, from 1.
        index: usize,
    },
    /// A sample is too poor to train a codebook on.
    #[error("a codebook of {needed} entries needs as many distinct values, not {got}")]
    TooFewDistinct {
        /// The number of entries.
        needed: usize,
        /// The distinct values (for quantiles: entries) that the sample has.
        got: usize,
    },
    /// A sample has too few rows for as many neighbours.
    #[error("{k} neighbours need a sample of at least {} vectors, not {rows}", .k + 1)]
    SampleTooSmall {
        /// The rows of the sample.
        rows: usize,
        /// The neighbours asked for.
        k: usize,
    },
    /// An impossible number of neighbours.
    #[error("k must be 1 to {}, not {k}", crate::evaluate::MOST_NEIGHBOURS)]
    NeighboursOutOfRange {
        /// The neighbours asked for.
        k: i64,
    },
    /// An impossible number of queries.
    #[error("queries must be 1 to {}, not {queries}", crate::evaluate::MOST_QUERIES)]
    QueriesOutOfRange {
        /// The queries asked for.
        queries: i64,
    },
    /// Something is wrong with one of many vectors.
    #[error("row {row}: {source}")]
    Row {
        /// The row, from 0.
        row: usize,
        /// What is wrong with it.
        source: Box<CodecError>,
    },
    /// A record was made by another codec.
    #[error("the record's codec is {got}, not {expected}")]
    ConfigMismatch {
        /// The codec's hash.
        expected: String,
        /// The record's hash field, with trailing NULs stripped.
        got: String,
    },
    /// Two parts that belong together have different bit widths.
    #[error("expected a bit width of {}, not {}", .expected.bits(), .got.bits())]
    BitWidthMismatch {
        /// The configuration's width.
        expected: BitWidth,
        /// The width met.
        got: BitWidth,
    },
    /// A record has a residual and the codec says it has none, or the other way round.
    #[error("the codec {} a residual and the record has {}", if *.expected { "demands" } else { "forbids" },
            if *.expected { "none" } else { "one" })]
    ResidualMismatch {
        /// Whether the codec keeps residuals.
        expected: bool,
    },
    /// The rotation is named but can't be built by this version.
    #[error("rotation \"{name}\" is not available")]
    RotationUnavailable {
        /// The rotation's name.
        name: &'static str,
    },
    /// A rotation of another kind, seed or dimension than the configuration's.
    #[error("expected the {expected} rotation, not {got}")]
    RotationMismatch {
        /// Kind, seed and dimension of the configuration.
        expected: String,
        /// Kind, seed and dimension of the rotation given.
        got: String,
    },
    /// A matrix given for a rotation has the wrong number of values.
    #[error("the rotation's matrix has {got} values, not {expected}")]
    MatrixLength {
        /// The dimension squared.
        expected: usize,
        /// The number of values given.
        got: usize,
    },
    /// A centre has another length than the codec's vectors.
    #[error("the centre has {got} dimensions, not {expected}")]
    CentreLength {
        /// The codec's dimension.
        expected: usize,
        /// The length given.
        got: usize,
    },
    /// A centre is far longer than any vector that is worth compressing.
    #[error("the centre's norm {norm:.3e} is larger than 2^40")]
    CentreTooLong {
        /// Its norm.
        norm: f64,
    },
    /// The configuration names a centre that wasn't given.
    #[error("the codec's centre is missing")]
    CentreMissing,
    /// quantvec's codec has no such dimension.
    #[error("dimension {dimension} is not a multiple of 8 from 8 to {}", tq_format::qvec::MAX_DIMENSION)]
    QuantvecDimension {
        /// The dimension asked for.
        dimension: u64,
    },
    /// The norm of a vector, or the scale that goes with it, isn't a positive number of single precision.
    #[error("a vector of norm {norm} can't be scaled in single precision")]
    QuantvecRange {
        /// The vector's Euclidean norm.
        norm: f64,
    },
    /// The rotation does not fit into memory, while it is built or as a whole.
    #[error("cannot allocate the memory for a rotation, whose matrix takes {bytes} bytes")]
    OutOfMemory {
        /// The size of its matrix; building it takes several times that.
        bytes: usize,
    },
    /// There is no memory for vectors, records or what is made of them meanwhile.
    #[error("{0}")]
    Memory(#[from] OutOfMemory),
    /// What a codebook is trained on does not fit into memory.
    #[error("cannot allocate {bytes} bytes to train a codebook")]
    TrainingMemory {
        /// The size of the allocation that failed.
        bytes: usize,
    },
    /// A buffer for the result has the wrong length.
    #[error("the output buffer holds {got} values, not {expected}")]
    OutputLength {
        /// The length needed.
        expected: usize,
        /// The length given.
        got: usize,
    },
    /// A record could not be written.
    #[error(transparent)]
    Record(#[from] tq_format::RecordError),
    /// Threads for bulk work could not be started.
    #[error("cannot start {threads} threads: {reason}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system says.
        reason: String,
    },
    /// A thread that did a part of the work panicked.
    #[error("a thread failed: {message}")]
    WorkerPanicked {
        /// The panic's message.
        message: String,
    },
    /// A configuration file could not be understood.
    #[error("malformed codec configuration: {reason}")]
    Sidecar {
        /// What the JSON parser says.
        reason: String,
    },
}

/// What a codebook's bits are said to be for, if that isn't what they mostly are.
fn of_codes(codes: crate::CodeKind) -> &'static str {
    match codes {
        crate::CodeKind::Scalar => "",
        crate::CodeKind::Trellis => " for a trellis",
    }
}

/// An error of encoding or decoding many vectors, with the first row that it concerns.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("row {row}: {source}")]
pub struct BatchError {
    /// The row, from 0.
    pub row: usize,
    /// What is wrong with it.
    pub source: CodecError,
}

impl From<OutOfMemory> for BatchError {
    fn from(error: OutOfMemory) -> Self {
        Self { row: 0, source: error.into() }
    }
}
