//! Encoding one vector.
//!
//! Without residual nothing is wanted of a rotated value but its side of each threshold, and `f32` tells that for
//! nearly all: half the memory to read, which is what a dense rotation waits for. The few values that lie within
//! reach of a threshold are computed again in `f64`, so that the codes are those of [`Rotation::apply`]'s
//! values. Trellis codes are the same with the steps of a grid for thresholds; then the path through them is found (`paths`).
//!
//! [`Rotation::apply`]: crate::Rotation::apply

use crate::codebook::Rule;
use crate::paths::Paths;
use crate::product::F32_NORMS;
use crate::tolerance::least_norm;
use crate::{BatchError, Codec, CodecError, check_vector};
use half::f16;
use half::slice::HalfFloatSliceExt;
use tq_memory::{Grow, OutOfMemory};

/// Buffers of *d* elements for encoding one vector after the other.
pub(crate) struct Scratch {
    codes: Vec<u8>,
    others: Vec<u8>,
    /// For a codec with a trellis, which takes its own way to codes.
    pub(crate) paths: Option<Paths>,
    rest: Vec<f32>,
    halves: Vec<f16>,
    bytes: Vec<u8>,
}

impl Codec {
    /// Compresses `vector` (length *d*) and appends the record to `out`, which an error leaves as it was.
    ///
    /// # Errors
    /// [`CodecError::DimensionMismatch`]; [`CodecError::NotFinite`]; under a built-in codec
    /// [`CodecError::ZeroVector`] and, without residual, [`CodecError::NormOutOfRange`] when the norm is too far from 1 (a tenth,
    /// and 2 / √*d*, together at most 0.55; but see [`Codec::recompressing`]); with residual [`CodecError::NormTooSmall`] where half precision would leave little of the vector, and
    /// [`CodecError::ResidualOverflow`] when a rotated element is further
    /// from its codebook entry than half precision reaches (65504); [`CodecError::Memory`].
    pub fn encode(&self, vector: &[f32], out: &mut Vec<u8>) -> Result<(), CodecError> {
        self.encode_polling(vector, out, &mut || {})
    }

    /// [`Codec::encode`] with `poll` called every few milliseconds where a large matrix is read; it may unwind.
    ///
    /// # Errors
    /// Those of [`Codec::encode`].
    pub fn encode_polling(
        &self,
        vector: &[f32],
        out: &mut Vec<u8>,
        poll: &mut dyn FnMut(),
    ) -> Result<(), CodecError> {
        if vector.len() != self.dimension() {
            return Err(CodecError::DimensionMismatch { expected: self.dimension(), got: vector.len() });
        }
        let norm = self.check_encodable(vector)?;
        let mut scratch = self.scratch()?;
        let mut rotated = tq_memory::filled(self.dimension(), 0.0)?;
        if !self.config().residual()
            && F32_NORMS.contains(&norm)
            && let Some(single) = self.rotation().single()
        {
            let margin = single.apply(self.level(), vector, &mut rotated, poll) * norm;
            return self.encode_near(vector, &mut rotated, margin, &mut scratch, out);
        }
        self.rotation().apply_polling(self.level(), vector, &mut rotated, poll);
        self.encode_rotated(&mut rotated, &mut scratch, out)
    }

    pub(crate) fn scratch(&self) -> Result<Scratch, OutOfMemory> {
        let residual = if self.config().residual() { self.dimension() } else { 0 };
        let paths = match self.codebook().rule() {
            Rule::Thresholds(_) => None,
            Rule::Trellis(trellis) => Some(Paths::new(trellis, self.dimension())?),
        };
        let scalar = if paths.is_some() { 0 } else { self.dimension() };
        Ok(Scratch {
            codes: tq_memory::filled(scalar, 0)?,
            others: tq_memory::filled(scalar, 0)?,
            paths,
            rest: tq_memory::filled(residual, 0.0)?,
            halves: tq_memory::filled(residual, f16::ZERO)?,
            bytes: tq_memory::filled(2 * residual, 0)?,
        })
    }

    /// Refuses what the codec can't or won't encode, as far as that shows before it is rotated; returns the norm.
    ///
    /// # Errors
    /// Those of [`Codec::encode`] but [`CodecError::ResidualOverflow`].
    pub fn check_encodable(&self, vector: &[f32]) -> Result<f64, CodecError> {
        let norm = check_vector(vector)?;
        if self.is_builtin() {
            if norm == 0.0 {
                return Err(CodecError::ZeroVector);
            }
            let tolerance = self.norm_tolerance();
            if !self.config().residual() && (norm - 1.0).abs() > tolerance {
                return Err(CodecError::NormOutOfRange { norm, tolerance });
            }
            if self.config().residual() && norm < least_norm(self.config().bit_width()) {
                return Err(CodecError::NormTooSmall { norm });
            }
        }
        Ok(norm)
    }

    /// Encodes `vector` without residual, given values that are within `margin` of its rotated ones, from which the centre is taken.
    pub(crate) fn encode_near(
        &self,
        vector: &[f32],
        near: &mut [f32],
        mut margin: f64,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let centre = self.rotated_centre();
        if let Some(centre) = centre {
            margin += centre.subtract_near(near);
        }
        let margin = (margin as f32).next_up();
        if let Some(paths) = &mut scratch.paths {
            paths.add_near(self, near, margin)?;
            paths.settle(self, vector);
            return self.encode_added(&[], scratch, out).map_err(|error| error.source);
        }
        let Rule::Thresholds(thresholds) = self.codebook().rule() else { return Err(self.codes_mismatch()) };
        let Scratch { codes, others, .. } = scratch;
        tq_simd::quantize_within(self.level(), thresholds, near, margin, codes, others);
        // Most groups of codes agree, and a group is compared at once.
        let groups = codes.chunks_mut(64).zip(others.chunks(64));
        for (number, (codes, others)) in groups.enumerate().filter(|(_, (codes, others))| codes != others) {
            for (i, (code, other)) in codes.iter_mut().zip(others).enumerate() {
                if code != other
                    && let Some(value) = self.rotation().coordinate(64 * number + i, vector)
                {
                    let off = centre.map_or(0.0, |centre| centre.rotated()[64 * number + i]);
                    *code = self.codebook().quantize(value - off);
                }
            }
        }
        out.try_room(self.builder().record_len())?;
        Ok(self.builder().write(codes, None, out)?)
    }

    /// Encodes a vector that has been rotated, from which the centre is taken.
    pub(crate) fn encode_rotated(
        &self,
        rotated: &mut [f32],
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        if scratch.paths.is_some() {
            return self.encode_rotated_rows(rotated, scratch, out).map_err(|error| error.source);
        }
        if let Some(centre) = self.rotated_centre() {
            centre.subtract(rotated);
        }
        let Rule::Thresholds(thresholds) = self.codebook().rule() else { return Err(self.codes_mismatch()) };
        let mut codes = std::mem::take(&mut scratch.codes);
        tq_simd::quantize(self.level(), thresholds, rotated, &mut codes);
        let result = self.write(rotated, &codes, scratch, out);
        scratch.codes = codes;
        result
    }

    /// Encodes rows (`n × d`) that have been rotated, from which the centre is taken.
    ///
    /// # Errors
    /// Those of [`Codec::encode_rotated`], with the number of the row.
    pub(crate) fn encode_rotated_rows(
        &self,
        rotated: &mut [f32],
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), BatchError> {
        let d = self.dimension();
        let Some(paths) = &mut scratch.paths else {
            for (row, rotated) in rotated.chunks_exact_mut(d).enumerate() {
                let result = self.encode_rotated(rotated, scratch, out);
                result.map_err(|source| BatchError { row, source })?;
            }
            return Ok(());
        };
        for rotated in rotated.chunks_exact_mut(d) {
            paths.add(self, rotated)?;
        }
        self.encode_added(rotated, scratch, out)
    }

    /// Encodes the rows that were added to the scratch's paths; `rotated` has their values, less the centre, if the codec has a residual.
    ///
    /// # Errors
    /// Those of [`Codec::encode`], with the number of the row.
    pub(crate) fn encode_added(
        &self,
        rotated: &[f32],
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), BatchError> {
        let d = self.dimension();
        let Some(mut paths) = scratch.paths.take() else {
            return Err(BatchError { row: 0, source: self.codes_mismatch() });
        };
        let result = paths.find(self.level()).map_err(BatchError::from).and_then(|codes| {
            for (row, codes) in codes.chunks_exact(d).enumerate() {
                let rotated = rotated.get(row * d..(row + 1) * d).unwrap_or_default();
                let written = self.write(rotated, codes, scratch, out);
                written.map_err(|source| BatchError { row, source })?;
            }
            Ok(())
        });
        paths.clear();
        scratch.paths = Some(paths);
        result
    }

    /// What can't be: a scratch of another codec.
    #[cold]
    fn codes_mismatch(&self) -> CodecError {
        CodecError::CodesMismatch { expected: self.config().codes(), got: self.codebook().codes() }
    }

    /// Appends the record of these codes, and of the residual if there is one.
    fn write(
        &self,
        rotated: &[f32],
        codes: &[u8],
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        out.try_room(self.builder().record_len())?;
        if !self.config().residual() {
            return Ok(self.builder().write(codes, None, out)?);
        }
        self.residual(rotated, codes, scratch)?;
        Ok(self.builder().write(codes, Some(&scratch.bytes), out)?)
    }

    /// What quantisation leaves of each rotated element, rounded to half precision, little-endian.
    fn residual(&self, rotated: &[f32], codes: &[u8], scratch: &mut Scratch) -> Result<(), CodecError> {
        let Scratch { rest, halves, bytes, .. } = scratch;
        self.codebook().look_up(codes, rest);
        rest.iter_mut().zip(rotated).for_each(|(rest, y)| *rest = y - *rest);
        halves.convert_from_f32_slice(rest);
        if let Some(index) = halves.iter().position(|half| !half.is_finite()) {
            return Err(CodecError::ResidualOverflow { index });
        }
        for (bytes, half) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(halves.iter()) {
            *bytes = half.to_le_bytes();
        }
        Ok(())
    }
}
