//! From floats to codes, scales and norms.
//!
//! A dense rotation of many vectors is a product of matrices in `f32`; the coordinates that lie within its error of a
//! boundary are computed again in `f64`, so the codes are those of single rotations. The scale sums over all coordinates, whose errors of
//! some 1e-8 of the norm cancel far below its own rounding.

use super::rotation::QuantvecRotation;
use super::{Quantvec, ROWS};
use crate::product::Single;
use crate::{BatchError, CodecError, Workers, check_vector};
use tq_format::qvec;
use tq_memory::{Grow, OutOfMemory};

/// The least dimension of a product of matrices. Below, too few errors would cancel in the scale, and the matrix is in the cache anyway.
const LEAST_PRODUCT: usize = 256;

/// Vectors as an index holds them, without ids.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct QuantvecRows {
    /// The packed codes of all vectors, one after the other.
    pub codes: Vec<u8>,
    /// The scale of each vector.
    pub scales: Vec<f32>,
    /// The norm of each vector.
    pub norms: Vec<f32>,
}

impl QuantvecRows {
    /// Removes all vectors and keeps the memory.
    pub fn clear(&mut self) {
        self.codes.clear();
        self.scales.clear();
        self.norms.clear();
    }

    /// Room for so many rows more, of that many bytes of codes.
    fn room(&mut self, rows: usize, row_len: usize) -> Result<(), OutOfMemory> {
        self.codes.try_room(rows.saturating_mul(row_len))?;
        self.scales.try_room(rows)?;
        self.norms.try_room(rows)
    }

    fn extend(&mut self, other: &Self) {
        self.codes.extend_from_slice(&other.codes);
        self.scales.extend_from_slice(&other.scales);
        self.norms.extend_from_slice(&other.norms);
    }

    fn truncate(&mut self, rows: usize, row_len: usize) {
        self.codes.truncate(rows * row_len);
        self.scales.truncate(rows);
        self.norms.truncate(rows);
    }
}

impl Quantvec {
    /// Encodes `rows` (`n × d`, row-major) and adds them to `out`, which an error leaves as it was.
    ///
    /// # Errors
    /// For the first row that has one: [`CodecError::NotFinite`], [`CodecError::ZeroVector`],
    /// [`CodecError::QuantvecRange`], and [`CodecError::DimensionMismatch`] for a last row that is too short.
    pub fn encode_batch(&self, rows: &[f32], out: &mut QuantvecRows) -> Result<(), BatchError> {
        let d = self.dimension;
        let before = out.scales.len();
        out.room(rows.len() / d, self.row_len())?;
        let mut encoder = Encoder::new(self)?;
        let mut encode = || {
            for (block, rows) in rows.chunks(ROWS * d).enumerate() {
                let at = |error: BatchError| BatchError { row: block * ROWS + error.row, ..error };
                encoder.encode(rows, out).map_err(at)?;
            }
            Ok(())
        };
        let result = encode();
        if result.is_err() {
            out.truncate(before, self.row_len());
        }
        result
    }

    /// [`Quantvec::encode_batch`] on several threads. `poll` is called on the calling thread before each round of some ten
    /// milliseconds, and may unwind, which leaves a part of the rows in `out`.
    ///
    /// # Errors
    /// Those of [`Quantvec::encode_batch`], and [`CodecError::WorkerPanicked`].
    pub fn encode_batch_on(
        &self,
        workers: &Workers,
        rows: &[f32],
        out: &mut QuantvecRows,
        poll: &mut dyn FnMut(),
    ) -> Result<(), BatchError> {
        let d = self.dimension;
        let before = out.scales.len();
        let of_a_thread = (2 * ROWS).min(Workers::round_rows(d));
        let round = self.round_rows(workers);
        out.room(rows.len() / d, self.row_len())?;
        for (number, rows) in rows.chunks(round * d).enumerate() {
            poll();
            let encode = |rows: &[f32]| {
                let mut encoded = QuantvecRows::default();
                self.encode_batch(rows, &mut encoded).map(|()| encoded)
            };
            let blocks = workers.map(tq_memory::collected(rows.chunks(of_a_thread * d))?, encode);
            let blocks = blocks.map_err(|source| BatchError { row: 0, source }).and_then(|blocks| {
                let at = |(block, encoded): (usize, Result<QuantvecRows, BatchError>)| {
                    encoded.map_err(|error| BatchError { row: block * of_a_thread + error.row, ..error })
                };
                blocks.into_iter().enumerate().map(at).collect::<Result<Vec<_>, _>>()
            });
            match blocks {
                Ok(blocks) => blocks.iter().for_each(|block| out.extend(block)),
                Err(error) => {
                    out.truncate(before, self.row_len());
                    return Err(BatchError { row: number * round + error.row, ..error });
                }
            }
        }
        Ok(())
    }
}

/// A codec and its buffers.
struct Encoder<'a> {
    codec: &'a Quantvec,
    units: Vec<f32>,
    rotated: Vec<f32>,
    part: Vec<f32>,
    codes: Vec<u8>,
    others: Vec<u8>,
    wide: Vec<f64>,
}

impl<'a> Encoder<'a> {
    fn new(codec: &'a Quantvec) -> Result<Self, OutOfMemory> {
        let codes = || tq_memory::filled(codec.dimension, 0);
        Ok(Self {
            codec,
            units: Vec::new(),
            rotated: Vec::new(),
            part: Vec::new(),
            codes: codes()?,
            others: codes()?,
            wide: Vec::new(),
        })
    }

    /// Encodes at most [`ROWS`] rows.
    fn encode(&mut self, rows: &[f32], out: &mut QuantvecRows) -> Result<(), BatchError> {
        let d = self.codec.dimension;
        let mut norms = tq_memory::with_capacity(ROWS)?;
        let mut refusal = None;
        self.units.clear();
        self.units.try_room_exact(rows.len())?;
        for (row, vector) in rows.chunks(d).enumerate() {
            match self.codec.check_encodable(vector) {
                Ok(norm) => norms.push(norm),
                Err(source) => {
                    refusal = Some(BatchError { row, source });
                    break;
                }
            }
            let inverse = 1.0 / norms[row];
            self.units.extend(vector.iter().map(|&x| (f64::from(x) * inverse) as f32));
        }
        self.rotated.try_resize(self.units.len(), 0.0)?;
        let near = match &self.codec.rotation {
            QuantvecRotation::Dense(single) if d >= LEAST_PRODUCT && self.codec.calibration.is_none() => {
                let margin = single.apply_rows(&self.units, &mut self.rotated, &mut self.part)?;
                // The units' norms are 1 up to their rounding.
                Some((single, (margin * 1.000_01) as f32))
            }
            _ => None,
        };
        for (row, norm) in norms.into_iter().enumerate() {
            match near {
                Some((single, margin)) => self.settle(row, single, margin.next_up()),
                None => self.quantize_exactly(row)?,
            }
            let scale = self.scale(row, norm).map_err(|source| BatchError { row, source })?;
            qvec::pack_codes(self.codec.bits, &self.codes, &mut out.codes);
            out.scales.push(scale);
            out.norms.push(norm as f32);
        }
        refusal.map_or(Ok(()), Err)
    }

    /// The codes of a row whose rotated values are within `margin` of the exact ones, which take the place of those in doubt.
    fn settle(&mut self, row: usize, single: &Single, margin: f32) {
        let codec = self.codec;
        let d = codec.dimension;
        let (unit, rotated) = (&self.units[row * d..][..d], &mut self.rotated[row * d..][..d]);
        let boundaries = codec.codebook.boundaries();
        let Self { codes, others, .. } = self;
        tq_simd::quantize_within(codec.level, boundaries, rotated, margin, codes, others);
        for (((code, other), y), matrix) in codes.iter_mut().zip(others).zip(rotated).zip(single.rows()) {
            if code != other {
                *y = tq_simd::dot_f32(codec.level, matrix, unit) as f32;
                *code = codec.codebook.quantize((*y).into());
            }
        }
    }

    fn quantize_exactly(&mut self, row: usize) -> Result<(), OutOfMemory> {
        let codec = self.codec;
        let d = codec.dimension;
        let (unit, rotated) = (&self.units[row * d..][..d], &mut self.rotated[row * d..][..d]);
        codec.rotation.apply(codec.level, unit, rotated, &mut self.wide)?;
        let Some(calibration) = &codec.calibration else {
            tq_simd::quantize(codec.level, codec.codebook.boundaries(), rotated, &mut self.codes);
            return Ok(());
        };
        let numbers = calibration.shifts.iter().zip(&calibration.scales);
        for ((code, &y), (&shift, &scale)) in self.codes.iter_mut().zip(&*rotated).zip(numbers) {
            *code = codec.codebook.quantize((f64::from(y) + f64::from(shift)) * f64::from(scale));
        }
        Ok(())
    }

    /// What makes the estimate of a row's product with itself right.
    fn scale(&self, row: usize, norm: f64) -> Result<f32, CodecError> {
        let d = self.codec.dimension;
        let rotated = &self.rotated[row * d..][..d];
        let product = |(i, (&y, &code)): (usize, (&f32, &u8))| f64::from(y) * self.codec.level_of(i, code);
        let inner: f64 = rotated.iter().zip(&self.codes).enumerate().map(product).sum();
        let scale = (norm / inner) as f32;
        match scale.is_finite() && scale > 0.0 && (norm as f32).is_finite() {
            true => Ok(scale),
            false => Err(CodecError::QuantvecRange { norm }),
        }
    }
}

impl Quantvec {
    /// The norm of a vector that can be encoded.
    fn check_encodable(&self, vector: &[f32]) -> Result<f64, CodecError> {
        self.check_dimension(vector.len())?;
        match check_vector(vector)? {
            0.0 => Err(CodecError::ZeroVector),
            norm => Ok(norm),
        }
    }
}
