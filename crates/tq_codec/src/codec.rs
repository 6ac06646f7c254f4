//! A codec in working order, and decoding records with it; encoding is `encode`'s and `batch`'s.

use crate::centre::Centre;
use crate::tolerance::{FOREIGN_TOLERANCE, norm_tolerance};
use crate::{
    BUILTIN_SEED, Codebook, CodecConfig, CodecDefinition, CodecError, ConfigHash, Rotation, kernel_width,
};
use std::sync::Arc;
use tq_format::{BitWidth, RecordBuilder, RecordShape, RecordView, ShapeDifference};
use tq_simd::{Level, Width};

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
    centre: Option<Arc<Centre>>,
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
    /// [`CodecError::BitWidthMismatch`] if the codebook is for another width, [`CodecError::CodesMismatch`] if for codes of another kind,
    /// [`CodecError::RotationMismatch`] if the rotation is of another kind, seed or dimension, and [`CodecError::CentreMissing`] if the
    /// configuration has a centre, which [`Codec::with_centre`] gives it.
    pub fn new(config: CodecConfig, codebook: Codebook, rotation: Arc<Rotation>) -> Result<Self, CodecError> {
        if config.centre().is_some() {
            return Err(CodecError::CentreMissing);
        }
        if codebook.bit_width() != config.bit_width() {
            return Err(CodecError::BitWidthMismatch {
                expected: config.bit_width(),
                got: codebook.bit_width(),
            });
        }
        if codebook.codes() != config.codes() {
            return Err(CodecError::CodesMismatch { expected: config.codes(), got: codebook.codes() });
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
            && Codebook::builtin(config.codes(), config.bit_width(), config.dimension()).as_ref()
                == Ok(&codebook);
        let norm_tolerance = norm_tolerance(config.dimension());
        Ok(Self {
            config,
            hash,
            codebook,
            rotation,
            centre: None,
            builder,
            builtin,
            norm_tolerance,
            level: Level::detect(),
        })
    }

    /// The codec with a centre, which is taken off vectors before they are quantised: records of another hash. `poll` is called every few
    /// milliseconds where a large matrix is read, and may unwind.
    ///
    /// # Errors
    /// [`CodecError::CentreLength`], [`CodecError::CentreTooLong`], [`CodecError::NotFinite`], [`CodecError::Memory`].
    pub fn with_centre(self, centre: &[f32], poll: &mut dyn FnMut()) -> Result<Self, CodecError> {
        let config = self.config.with_centre(centre)?;
        let hash = config.hash();
        Ok(Self {
            centre: Some(Centre::new(centre, &self.rotation, poll)?),
            builder: RecordBuilder::new(
                hash.as_bytes(),
                config.dimension(),
                config.bit_width(),
                config.residual(),
            )?,
            builtin: false,
            config,
            hash,
            ..self
        })
    }

    /// The built-in codec with scalar codes on that kind of rotation: [`BUILTIN_SEED`], Lloyd-Max codebook.
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
        Self::builtin_of(config, rotation)
    }

    /// The built-in codec of a configuration with [`BUILTIN_SEED`] and no centre.
    ///
    /// # Errors
    /// [`CodecError::TrellisOfEightBits`], and those of [`Codec::new`].
    pub fn builtin_of(config: CodecConfig, rotation: Arc<Rotation>) -> Result<Self, CodecError> {
        let codebook = Codebook::builtin(config.codes(), config.bit_width(), config.dimension())?;
        Self::new(config, codebook, rotation)
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

    /// What defines it.
    ///
    /// # Errors
    /// [`CodecError::Memory`].
    pub fn definition(&self) -> Result<CodecDefinition, CodecError> {
        let centre = self.centre().map(tq_memory::copied).transpose()?;
        CodecDefinition::new(self.config.without_centre(), self.codebook.clone(), centre)
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

    /// The centre, not rotated, if there is one.
    pub fn centre(&self) -> Option<&[f32]> {
        self.centre.as_ref().map(|centre| centre.vector())
    }

    pub(crate) fn rotated_centre(&self) -> Option<&Centre> {
        self.centre.as_deref()
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

    /// How kernels read the codec's rows.
    pub(crate) fn kernel_width(&self) -> Width {
        kernel_width(self.config.bit_width(), self.config.codes())
    }

    pub(crate) fn dimension(&self) -> usize {
        self.config.dimension() as usize
    }

    /// Decompresses a record to a vector of length *d*: codebook entries, plus residual and centre in f32, rotated back
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
        self.dequantize_parts(record.codes(), record.residual(), out);
    }

    /// Decompresses the payload of one of the codec's records, kept without its header, into `out` and leaves it rotated, as
    /// [`Codec::decode_rotated`] does with a whole one.
    ///
    /// # Panics
    /// If the lengths of `codes`, `residual` and `out` aren't the codec's.
    pub fn dequantize_parts(&self, codes: &[u8], residual: Option<&[u8]>, out: &mut [f32]) {
        tq_simd::dequantize(self.level, self.kernel_width(), codes, residual, self.codebook.entries(), out);
        if let Some(centre) = &self.centre {
            centre.add(out);
        }
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
        self.check_shape(&record.shape())
    }

    /// Checks that records of that shape are this codec's.
    ///
    /// # Errors
    /// [`CodecError::ConfigMismatch`] if they bear another hash; [`CodecError::DimensionMismatch`],
    /// [`CodecError::BitWidthMismatch`] or [`CodecError::ResidualMismatch`] if they bear the codec's and contradict it.
    pub fn check_shape(&self, shape: &RecordShape) -> Result<(), CodecError> {
        let expected = self.record_shape();
        if shape.hash_field != expected.hash_field {
            let got = String::from_utf8_lossy(&shape.hash_field).trim_end_matches('\0').to_owned();
            return Err(CodecError::ConfigMismatch { expected: self.hash.to_string(), got });
        }
        match expected.difference(shape) {
            None | Some(ShapeDifference::Hash) => Ok(()),
            Some(ShapeDifference::Dimension { expected, got }) => {
                Err(CodecError::DimensionMismatch { expected: expected as usize, got: got as usize })
            }
            Some(ShapeDifference::BitWidth { expected, got }) => {
                Err(CodecError::BitWidthMismatch { expected, got })
            }
            Some(ShapeDifference::Residual { expected }) => Err(CodecError::ResidualMismatch { expected }),
        }
    }

    /// What all records of this codec have in common.
    pub fn record_shape(&self) -> RecordShape {
        let config = &self.config;
        RecordShape {
            hash_field: *self.hash.as_bytes(),
            dimension: config.dimension(),
            bit_width: config.bit_width(),
            residual: config.residual(),
        }
    }
}
