//! A codec in working order: encoding vectors to records and decoding them.

use crate::{
    BUILTIN_SEED, Codebook, CodecConfig, CodecError, ConfigHash, Rotation, check_vector, kernel_width,
};
use half::f16;
use std::sync::Arc;
use tq_format::{BitWidth, RecordBuilder, RecordView};
use tq_simd::Level;

/// How far the norm of a vector may be from 1 under the built-in codec without residual.
const NORM_TOLERANCE: f64 = 0.1;

/// A configuration with the codebook and the rotation that belong to it.
#[derive(Debug)]
pub struct Codec {
    config: CodecConfig,
    hash: ConfigHash,
    codebook: Codebook,
    rotation: Arc<Rotation>,
    builder: RecordBuilder,
    builtin: bool,
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
        Ok(Self { config, hash, codebook, rotation, builder, builtin, level: Level::detect() })
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

    fn dimension(&self) -> usize {
        self.config.dimension() as usize
    }

    /// Compresses `vector` (length *d*) and appends the record to `out`, which an error leaves as it was.
    ///
    /// # Errors
    /// [`CodecError::DimensionMismatch`]; [`CodecError::NotFinite`]; under a built-in codec
    /// [`CodecError::ZeroVector`] and, without residual, [`CodecError::NormOutOfRange`] when the norm is not
    /// within 10 % of 1; with residual [`CodecError::ResidualOverflow`] when a rotated element is further
    /// from its codebook entry than half precision reaches (65504).
    pub fn encode(&self, vector: &[f32], out: &mut Vec<u8>) -> Result<(), CodecError> {
        if vector.len() != self.dimension() {
            return Err(CodecError::DimensionMismatch { expected: self.dimension(), got: vector.len() });
        }
        let norm = check_vector(vector)?;
        if self.builtin {
            if norm == 0.0 {
                return Err(CodecError::ZeroVector);
            }
            if !self.config.residual() && (norm - 1.0).abs() > NORM_TOLERANCE {
                return Err(CodecError::NormOutOfRange { norm });
            }
        }
        let mut rotated = vec![0.0; self.dimension()];
        self.rotation.apply(vector, &mut rotated);
        self.encode_rotated(&rotated, out)
    }

    fn encode_rotated(&self, rotated: &[f32], out: &mut Vec<u8>) -> Result<(), CodecError> {
        let codes: Vec<u8> = rotated.iter().map(|&y| self.codebook.quantize(y)).collect();
        let residual = self.config.residual().then(|| self.residual(rotated, &codes)).transpose()?;
        Ok(self.builder.write(&codes, residual.as_deref(), out)?)
    }

    /// What quantisation leaves of each rotated element, rounded to half precision, little-endian.
    fn residual(&self, rotated: &[f32], codes: &[u8]) -> Result<Vec<u8>, CodecError> {
        let entries = self.codebook.entries();
        let mut bytes = Vec::with_capacity(2 * rotated.len());
        for (index, (&y, &code)) in rotated.iter().zip(codes).enumerate() {
            let rest = f16::from_f32(y - entries[usize::from(code)]);
            if !rest.is_finite() {
                return Err(CodecError::ResidualOverflow { index });
            }
            bytes.extend_from_slice(&rest.to_le_bytes());
        }
        Ok(bytes)
    }

    /// Decompresses a record to a vector of length *d*: codebook entries, plus residual in f32, rotated back
    /// and rounded once.
    ///
    /// # Errors
    /// As [`Codec::decode_rotated`], but for the buffer's length.
    pub fn decode(&self, record: &RecordView<'_>) -> Result<Vec<f32>, CodecError> {
        let mut rotated = vec![0.0; self.dimension()];
        self.decode_rotated(record, &mut rotated)?;
        let mut vector = vec![0.0; self.dimension()];
        self.rotation.apply_inverse(&rotated, &mut vector);
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

    fn check_record(&self, record: &RecordView<'_>) -> Result<(), CodecError> {
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
