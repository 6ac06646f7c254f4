//! quantvec's codec: what the numbers in a QVEC index mean.
//!
//! ```text
//! encode   x ─/‖x‖─▶ u ─rotate─▶ y ─nearest centroid─▶ codes;  scale = ‖x‖ / Σ y·r, r the centroids of the codes
//! decode   codes ─▶ r ─rotate back─▶ w;  ‖x‖·w/‖r‖ keeps the norm, scale·w the estimates
//! search   query ─rotate once─▶ table of products;  each vector: scale · Σ of one product a coordinate
//! ```
//! Rotation and codebook follow from dimension, bits and seed alone. It is not TinyQuant's codec: the same idea, but another random
//! stream, another codebook, and a factor for each vector that makes its estimates unbiased. So vectors go from one to the other as floats.
//!
//! Source: quantvec's code, whose codes these equal except where a rotated value is within rounding of a boundary;
//! scales and scores agree to the last bits of `f32`. Its optional first step, fitting shifts and scales to each rotated
//! coordinate (*calibration*), is understood where an index has it, and not made.

mod codebook;
mod decode;
mod encode;
mod query;
mod random;
mod rotation;

pub use decode::QuantvecDecoding;
pub use encode::QuantvecRows;
pub use query::QuantvecQuery;

use crate::{CodecError, Workers};
use codebook::QuantvecCodebook;
use rotation::QuantvecRotation;
use tq_format::qvec;
use tq_simd::Level;

/// Vectors of a block: enough for a product of matrices at full speed, few enough to stay in the cache.
const ROWS: usize = 128;

/// A codec of a dimension, a width and a seed, ready to encode, decode and measure.
pub struct Quantvec {
    bits: qvec::Bits,
    dimension: usize,
    rotation: QuantvecRotation,
    codebook: QuantvecCodebook,
    calibration: Option<Calibration>,
    level: Level,
}

/// What turns a rotated coordinate `y` into the number that is quantised: `(y + shift) · scale`.
struct Calibration {
    shifts: Vec<f32>,
    scales: Vec<f32>,
}

impl Quantvec {
    /// The codec of so many dimensions, a multiple of 8, and of a seed, any finite number.
    ///
    /// Unless the dimension is a power of two, the rotation is a dense matrix: making it takes time proportional to the cube
    /// of the dimension (a fifth of a second at 1536) and `16·d²` bytes, and it holds `4·d²`. `poll` is called between
    /// steps of some ten milliseconds, and may unwind.
    ///
    /// # Errors
    /// [`CodecError::QuantvecDimension`], [`CodecError::OutOfMemory`].
    pub fn new(
        dimension: u32,
        bits: qvec::Bits,
        seed: f64,
        poll: &mut dyn FnMut(),
    ) -> Result<Self, CodecError> {
        if dimension == 0 || !dimension.is_multiple_of(8) || dimension > qvec::MAX_DIMENSION {
            return Err(CodecError::QuantvecDimension { dimension: dimension.into() });
        }
        let rotation = QuantvecRotation::new(dimension as usize, seed, poll)?;
        let codebook = QuantvecCodebook::new(dimension, bits);
        poll();
        let dimension = dimension as usize;
        Ok(Self { bits, dimension, rotation, codebook, calibration: None, level: Level::detect() })
    }

    /// The same codec behind a calibration: a shift and a scale for each coordinate, all finite and no scale 0.
    ///
    /// # Errors
    /// [`CodecError::DimensionMismatch`].
    pub fn with_calibration(mut self, shifts: Vec<f32>, scales: Vec<f32>) -> Result<Self, CodecError> {
        for numbers in [&shifts, &scales] {
            if numbers.len() != self.dimension {
                return Err(CodecError::DimensionMismatch { expected: self.dimension, got: numbers.len() });
            }
        }
        self.calibration = Some(Calibration { shifts, scales });
        Ok(self)
    }

    /// Dimensions of a vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Bits of a code.
    pub fn bits(&self) -> qvec::Bits {
        self.bits
    }

    /// Bytes of the codes of a vector.
    pub fn row_len(&self) -> usize {
        self.bits.row_len(self.dimension as u32)
    }

    /// Rows that several threads encode or decode in some ten milliseconds, for callers with other duties.
    pub fn round_rows(&self, workers: &Workers) -> usize {
        Workers::round_rows(self.dimension) * workers.threads()
    }

    /// The centroids, ascending, one a code.
    pub fn centroids(&self) -> &[f32] {
        self.codebook.centroids()
    }

    /// Rotates a vector of the codec's dimension, one rounding a coordinate.
    ///
    /// # Errors
    /// [`CodecError::DimensionMismatch`].
    pub fn rotate(&self, x: &[f32]) -> Result<Vec<f32>, CodecError> {
        self.check_dimension(x.len())?;
        let mut y = tq_memory::filled(x.len(), 0.0)?;
        self.rotation.apply(self.level, x, &mut y, &mut Vec::new())?;
        Ok(y)
    }

    /// What a rotated coordinate's code stands for.
    fn level_of(&self, coordinate: usize, code: u8) -> f64 {
        let centroid = f64::from(self.codebook.centroid(code));
        match &self.calibration {
            None => centroid,
            Some(Calibration { shifts, scales }) => {
                centroid / f64::from(scales[coordinate]) - f64::from(shifts[coordinate])
            }
        }
    }

    fn check_dimension(&self, got: usize) -> Result<(), CodecError> {
        match got == self.dimension {
            true => Ok(()),
            false => Err(CodecError::DimensionMismatch { expected: self.dimension, got }),
        }
    }
}

impl std::fmt::Debug for Quantvec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Quantvec({} bits, dimension {})", self.bits.bits(), self.dimension)
    }
}
