//! From codes back to floats. quantvec itself never does it.

use super::rotation::QuantvecScratch;
use super::{Quantvec, ROWS};
use crate::{BatchError, CodecError, Workers};
use tq_format::qvec;
use tq_memory::Grow;

/// How long a decoded vector is to be. Its direction is that of the centroids, rotated back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuantvecDecoding {
    /// As long as the vector was that was encoded. Of the three the least error on average, but for 2 bits.
    Unit,
    /// The norm times the centroids, which are a little short of length 1: the least error at 2 bits.
    Norm,
    /// The scale times the centroids: inner products with it are quantvec's estimates. Longer than the vector was.
    Scale,
}

impl Quantvec {
    /// Decodes vectors and appends them to `out` (`n × d`, row-major), which an error leaves as it was.
    ///
    /// Computed in `f32` in part: values are right within 1e-6 of the vector's norm. They are finite if the
    /// vector's largest coordinate is.
    ///
    /// # Errors
    /// [`CodecError::DimensionMismatch`] for the first row whose codes are of another length than the codec's.
    pub fn decode_batch(
        &self,
        rows: &[qvec::Row<'_>],
        decoding: QuantvecDecoding,
        out: &mut Vec<f32>,
    ) -> Result<(), BatchError> {
        let d = self.dimension;
        if let Some((row, found)) = rows.iter().enumerate().find(|(_, row)| row.codes.len() != self.row_len())
        {
            let got = found.codes.len() * 8 / self.bits.bits() as usize;
            return Err(BatchError { row, source: CodecError::DimensionMismatch { expected: d, got } });
        }
        let start = out.len();
        let mut directions = tq_memory::filled(ROWS.min(rows.len()) * d, 0.0)?;
        let mut codes = tq_memory::filled(d, 0)?;
        let mut scratch = QuantvecScratch::default();
        let mut lengths = tq_memory::with_capacity(ROWS)?;
        out.try_resize(start + rows.len() * d, 0.0)?;
        for (rows, vectors) in rows.chunks(ROWS).zip(out[start..].chunks_mut(ROWS * d)) {
            let directions = &mut directions[..rows.len() * d];
            lengths.clear();
            for (row, direction) in rows.iter().zip(directions.chunks_exact_mut(d)) {
                qvec::unpack_codes(self.bits, row.codes, &mut codes);
                let length = self.direction(&codes, direction);
                lengths.push(match decoding {
                    QuantvecDecoding::Unit => f64::from(row.norm),
                    QuantvecDecoding::Norm => f64::from(row.norm) * length,
                    QuantvecDecoding::Scale => f64::from(row.scale) * length,
                });
            }
            if let Err(error) = self.rotation.apply_inverse_rows(directions, vectors, &mut scratch) {
                out.truncate(start);
                return Err(error.into());
            }
            for (vector, length) in vectors.chunks_exact_mut(d).zip(&lengths) {
                vector.iter_mut().for_each(|x| *x = (f64::from(*x) * length) as f32);
            }
        }
        Ok(())
    }

    /// [`Quantvec::decode_batch`] on several threads. `poll` is called on the calling thread before each round of some ten
    /// milliseconds, and may unwind, which leaves a part of the vectors in `out`.
    ///
    /// # Errors
    /// Those of [`Quantvec::decode_batch`], and [`CodecError::WorkerPanicked`].
    pub fn decode_batch_on(
        &self,
        workers: &Workers,
        rows: &[qvec::Row<'_>],
        decoding: QuantvecDecoding,
        out: &mut Vec<f32>,
        poll: &mut dyn FnMut(),
    ) -> Result<(), BatchError> {
        let start = out.len();
        let of_a_thread = (2 * ROWS).min(Workers::round_rows(self.dimension));
        let round = self.round_rows(workers);
        out.try_room(rows.len() * self.dimension)?;
        for (number, rows) in rows.chunks(round).enumerate() {
            poll();
            let decode = |rows: &[qvec::Row<'_>]| {
                let mut vectors = Vec::new();
                self.decode_batch(rows, decoding, &mut vectors).map(|()| vectors)
            };
            let blocks = workers.map(tq_memory::collected(rows.chunks(of_a_thread))?, decode);
            let blocks = blocks.map_err(|source| BatchError { row: 0, source }).and_then(|blocks| {
                let at = |(block, decoded): (usize, Result<Vec<f32>, BatchError>)| {
                    decoded.map_err(|error| BatchError { row: block * of_a_thread + error.row, ..error })
                };
                blocks.into_iter().enumerate().map(at).collect::<Result<Vec<_>, _>>()
            });
            match blocks {
                Ok(blocks) => blocks.iter().for_each(|vectors| out.extend_from_slice(vectors)),
                Err(error) => {
                    out.truncate(start);
                    return Err(BatchError { row: number * round + error.row, ..error });
                }
            }
        }
        Ok(())
    }

    /// What the codes stand for, scaled to length 1; returns the length before. Zeros stay what they are.
    fn direction(&self, codes: &[u8], direction: &mut [f32]) -> f64 {
        let square = |level: f64| level * level;
        let levels = || codes.iter().enumerate().map(|(i, code)| self.level_of(i, *code));
        let length = levels().map(square).sum::<f64>().sqrt();
        let inverse = if length > 0.0 { 1.0 / length } else { 0.0 };
        for (x, level) in direction.iter_mut().zip(levels()) {
            *x = (level * inverse) as f32;
        }
        length
    }
}
