//! Scores of vectors for a query: quantvec's estimates, from their codes.

use super::Quantvec;
use crate::vector::divided;
use crate::{CodecError, check_vector, scale_for_norm};
use tq_format::qvec;

/// A query, rotated once, with the product of each coordinate and each centroid.
pub struct QuantvecQuery {
    bits: qvec::Bits,
    /// For each coordinate as many products as there are codes.
    table: Vec<f32>,
    /// What a calibration's shifts add to every vector's product.
    bias: f64,
    norm: f64,
    /// What products have to be multiplied by.
    scale: f64,
}

impl Quantvec {
    /// Prepares a query of the codec's dimension, of any length but 0.
    ///
    /// # Errors
    /// [`CodecError::DimensionMismatch`], [`CodecError::NotFinite`], [`CodecError::ZeroVector`].
    pub fn prepare(&self, query: &[f32]) -> Result<QuantvecQuery, CodecError> {
        self.check_dimension(query.len())?;
        let norm = check_vector(query)?;
        if norm == 0.0 {
            return Err(CodecError::ZeroVector);
        }
        let scale = scale_for_norm(norm);
        let rotated = if scale == 1.0 { self.rotate(query)? } else { self.rotate(&divided(query, scale)?)? };
        let mut table = tq_memory::with_capacity(self.dimension * self.bits.levels())?;
        let mut bias = 0.0;
        for (i, &y) in rotated.iter().enumerate() {
            let factor = match &self.calibration {
                None => y,
                Some(calibration) => {
                    bias += f64::from(y) * f64::from(calibration.shifts[i]);
                    (f64::from(y) / f64::from(calibration.scales[i])) as f32
                }
            };
            table.extend(self.centroids().iter().map(|&c| (f64::from(factor) * f64::from(c)) as f32));
        }
        Ok(QuantvecQuery { bits: self.bits, table, bias, norm, scale })
    }
}

impl QuantvecQuery {
    /// The score of a vector: an estimate of the inner product, of the cosine or of the squared distance. The last may be negative.
    /// Of the first two the greater is the nearer, of the last the smaller. In single precision, as quantvec has it, but
    /// for what that can't hold.
    ///
    /// Codes of another length than the query's are taken as far as both go.
    pub fn score(&self, metric: qvec::Metric, row: &qvec::Row<'_>) -> f64 {
        let sum = match self.bits {
            qvec::Bits::Two => sum::<2, 4>(&self.table, row.codes),
            qvec::Bits::Three => sum::<3, 8>(&self.table, row.codes),
            qvec::Bits::Four => sum::<4, 16>(&self.table, row.codes),
        };
        let norm = f64::from(row.norm);
        let estimate = f64::from(row.scale) * (sum - self.bias) * self.scale;
        let score = match metric {
            qvec::Metric::Dot => estimate,
            qvec::Metric::Cosine => estimate / (self.norm * norm),
            qvec::Metric::Euclidean => self.norm * self.norm + norm * norm - 2.0 * estimate,
        };
        let single = score as f32;
        if single.is_normal() { f64::from(single) } else { score }
    }
}

/// The sum of one product of each coordinate, in eight sums so that none waits for another.
fn sum<const BITS: usize, const LEVELS: usize>(table: &[f32], packed: &[u8]) -> f64 {
    let groups = table.as_chunks::<LEVELS>().0.as_chunks::<8>().0;
    let mut sums = [0f64; 8];
    for (bytes, products) in packed.as_chunks::<BITS>().0.iter().zip(groups) {
        let mut word = [0; 4];
        word[..BITS].copy_from_slice(bytes);
        let word = u32::from_le_bytes(word) as usize;
        for (i, (sum, products)) in sums.iter_mut().zip(products).enumerate() {
            *sum += f64::from(products[word >> (BITS * i) & (LEVELS - 1)]);
        }
    }
    sums.iter().sum()
}
