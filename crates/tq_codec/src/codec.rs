//! A codec in working order, and decoding records with it; encoding is `encode`'s and `batch`'s.

use crate::{BUILTIN_SEED, Codebook, CodecConfig, CodecError, ConfigHash, Rotation, kernel_width};
use std::sync::Arc;
use tq_format::{BitWidth, RecordBuilder, RecordView};
use tq_simd::Level;

/// How far a norm may be from 1 of what records of other codecs decode to: TinyQuant's codebooks of two bits make 0.42 of 1.
const FOREIGN_TOLERANCE: f64 = 0.7;

/// How far a norm may be from 1 in the few dimensions in which records decode to any norm that two bits allow: their entries are
/// 0.45 and 1.51 / √*d*.
const WIDEST_TOLERANCE: f64 = 0.55;

/// How far the norm of a vector may be from 1 under the built-in codec without residual.
///
/// The rule is there for data of another length: a tenth is theirs. The rest is for vectors that were decoded from a record, which
/// are to be compressed again. Those of the coarsest records, of two bits, have norms about 0.94 with a standard deviation of
/// 0.27 / √*d*. At the edge, a fifth at 384 dimensions, the squared error is a fifth greater than at 1.
pub(crate) fn norm_tolerance(dimension: u32) -> f64 {
    (0.1 + 2.0 / f64::from(dimension).sqrt()).min(WIDEST_TOLERANCE)
}

/// Refuses what `f32` can't hold.
///
/// # Errors
/// [`CodecError::DecodedOverflow`].
pub(crate) fn check_decoded(vector: &[f32]) -> Result<(), CodecError> {
    match vector.iter().position(|x| !x.is_finite()) {
        Some(index) => Err(CodecError::DecodedOverflow { index }),
        None => Ok(()),
    }
}

/// A configuration with the codebook and the rotation that belong to it.
#[derive(Clone, Debug)]
pub struct Codec {
    config: CodecConfig,
    hash: ConfigHash,
    codebook: Codebook,
    rotation: Arc<Rotation>,
    builder: RecordBuilder,
    builtin: bool,
    /// How far a norm may be from 1, under the built-in codec without residual.
    norm_tolerance: f64,
    level: Level,
}

impl Codec {
    /// A codec from its parts.
    ///
    /// # Errors
    /// [`CodecError::BitWidthMismatch`] if the codebook is for another width, and
    /// [`CodecError::RotationMismatch`] if the rotation is of another kind, seed or dimension.
    pub fn new(config: CodecConfig, codebook: Codebook, rotation: Arc<Rotation>) -> Result<Self, CodecError> {
        if codebook.bit_width() != config.bit_width() {
            return Err(CodecError::BitWidthMismatch {
                expected: config.bit_width(),
                got: codebook.bit_width(),
            });
        }
        let expected = (config.rotation(), config.seed(), config.dimension());
        let got = (rotation.kind(), rotation.seed(), rotation.dimension());
        if expected != got {
            return Err(CodecError::RotationMismatch {
                expected: Rotation::describe(expected.0, expected.1, expected.2),
                got: Rotation::describe(got.0, got.1, got.2),
            });
        }
        let hash = config.hash();
        let builder =
            RecordBuilder::new(hash.as_bytes(), config.dimension(), config.bit_width(), config.residual())?;
        let builtin = config.seed() == BUILTIN_SEED
            && codebook == Codebook::lloyd_max(config.bit_width(), config.dimension());
        let norm_tolerance = norm_tolerance(config.dimension());
        Ok(Self {
            config,
            hash,
            codebook,
            rotation,
            builder,
            builtin,
            norm_tolerance,
            level: Level::detect(),
        })
    }

    /// The built-in codec on that kind of rotation: [`BUILTIN_SEED`], Lloyd-Max codebook.
    ///
    /// # Errors
    /// [`CodecError::DimensionOutOfRange`], and [`CodecError::RotationMismatch`] unless `rotation` is that
    /// of [`BUILTIN_SEED`] in that dimension.
    pub fn builtin(
        dimension: u32,
        bit_width: BitWidth,
        residual: bool,
        rotation: Arc<Rotation>,
    ) -> Result<Self, CodecError> {
        let config = CodecConfig::new(bit_width, BUILTIN_SEED, dimension, residual, rotation.kind())?;
        Self::new(config, Codebook::lloyd_max(bit_width, dimension), rotation)
    }

    /// This codec for vectors that were decoded from records of `from`.
    ///
    /// Under the built-in codec without residual, the rule about norms would stop at what `from` has done to them: it goes where
    /// `from` has had it itself, and lets pass what is between 0.3 and 1.7 where `from` is of another seed or codebook, and without residual.
    #[must_use]
    pub fn recompressing(&self, from: &Codec) -> Self {
        let norm_tolerance = match (from.config.residual(), from.builtin) {
            (true, _) => self.norm_tolerance,
            (false, true) => f64::INFINITY,
            (false, false) => FOREIGN_TOLERANCE,
        };
        Self { norm_tolerance, ..self.clone() }
    }

    /// What the codec's hash covers.
    pub fn config(&self) -> &CodecConfig {
        &self.config
    }

    /// The hash in the codec's records.
    pub fn hash(&self) -> &ConfigHash {
        &self.hash
    }

    /// The codebook.
    pub fn codebook(&self) -> &Codebook {
        &self.codebook
    }

    /// The rotation, to be shared with other codecs of the same kind, seed and dimension.
    pub fn rotation(&self) -> &Arc<Rotation> {
        &self.rotation
    }

    /// Whether this is a built-in codec: its seed and its codebook are.
    pub fn is_builtin(&self) -> bool {
        self.builtin
    }

    pub(crate) fn builder(&self) -> &RecordBuilder {
        &self.builder
    }

    pub(crate) fn norm_tolerance(&self) -> f64 {
        self.norm_tolerance
    }

    pub(crate) fn level(&self) -> Level {
        self.level
    }

    pub(crate) fn dimension(&self) -> usize {
        self.config.dimension() as usize
    }

    /// Decompresses a record to a vector of length *d*: codebook entries, plus residual in f32, rotated back
    /// and rounded once.
    ///
    /// # Errors
    /// As [`Codec::decode_rotated`], but for the buffer's length; [`CodecError::DecodedOverflow`], [`CodecError::Memory`].
    pub fn decode(&self, record: &RecordView<'_>) -> Result<Vec<f32>, CodecError> {
        self.decode_polling(record, &mut || {})
    }

    /// [`Codec::decode`] with `poll` called every few milliseconds where a large matrix is read; it may unwind.
    ///
    /// # Errors
    /// Those of [`Codec::decode`].
    pub fn decode_polling(
        &self,
        record: &RecordView<'_>,
        poll: &mut dyn FnMut(),
    ) -> Result<Vec<f32>, CodecError> {
        let mut rotated = tq_memory::filled(self.dimension(), 0.0)?;
        self.decode_rotated(record, &mut rotated)?;
        let mut vector = tq_memory::filled(self.dimension(), 0.0)?;
        self.rotation.apply_inverse_polling(&rotated, &mut vector, poll);
        check_decoded(&vector)?;
        Ok(vector)
    }

    /// Decompresses a record into `out` (length *d*) and leaves it rotated: enough for norms, inner products
    /// and Euclidean distances among vectors of one rotation, at a fraction of the cost.
    ///
    /// # Errors
    /// [`CodecError::ConfigMismatch`] for a record of another codec; [`CodecError::DimensionMismatch`],
    /// [`CodecError::BitWidthMismatch`] or [`CodecError::ResidualMismatch`] for one that bears the codec's
    /// hash and contradicts it; [`CodecError::OutputLength`].
    pub fn decode_rotated(&self, record: &RecordView<'_>, out: &mut [f32]) -> Result<(), CodecError> {
        self.check_record(record)?;
        if out.len() != self.dimension() {
            return Err(CodecError::OutputLength { expected: self.dimension(), got: out.len() });
        }
        self.dequantize(record, out);
        Ok(())
    }

    /// Dequantises a record that [`Codec::matches`], into `out` of length *d*.
    pub(crate) fn dequantize(&self, record: &RecordView<'_>, out: &mut [f32]) {
        let width = kernel_width(self.config.bit_width());
        tq_simd::dequantize(
            self.level,
            width,
            record.codes(),
            record.residual(),
            self.codebook.entries(),
            out,
        );
    }

    /// Whether the record is one of this codec. The hash alone isn't enough: a forged record may bear it and
    /// have another shape.
    #[inline]
    pub(crate) fn matches(&self, record: &RecordView<'_>) -> bool {
        record.hash_field() == self.hash.as_bytes() && self.fits(record)
    }

    /// Whether the record has the codec's dimension, width and residual.
    #[inline]
    pub(crate) fn fits(&self, record: &RecordView<'_>) -> bool {
        record.dimension() == self.config.dimension()
            && record.bit_width() == self.config.bit_width()
            && record.has_residual() == self.config.residual()
    }

    pub(crate) fn check_record(&self, record: &RecordView<'_>) -> Result<(), CodecError> {
        if self.matches(record) {
            return Ok(());
        }
        let config = &self.config;
        if record.hash_field() != self.hash.as_bytes() {
            let field = String::from_utf8_lossy(record.hash_field());
            return Err(CodecError::ConfigMismatch {
                expected: self.hash.to_string(),
                got: field.trim_end_matches('\0').to_owned(),
            });
        }
        if record.dimension() != config.dimension() {
            return Err(CodecError::DimensionMismatch {
                expected: self.dimension(),
                got: record.dimension() as usize,
            });
        }
        if record.bit_width() != config.bit_width() {
            return Err(CodecError::BitWidthMismatch {
                expected: config.bit_width(),
                got: record.bit_width(),
            });
        }
        Err(CodecError::ResidualMismatch { expected: config.residual() })
    }
}
