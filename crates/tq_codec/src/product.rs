//! The Haar rotation of many rows at once, as a matrix product, and in `f32` where that is enough.
//!
//! A product of matrices keeps the processor busy where one row at a time waits for memory, and `f32` does twice
//! the work of `f64`. Neither sums in the order of [`Rotation::apply`](crate::Rotation::apply), whose values define
//! codes and residuals. So every result here comes with a bound on its distance from that value, and the
//! caller computes again, one by one, the few coordinates for which the bound leaves a doubt.
//!
//! ```text
//! f32: |ŷ - y| ≤ γ(roundings)·Σ|q||x| ≤ 1.01·roundings·2⁻²⁴·‖q‖·‖x‖
//! ```
//! with γ(n) = n·u/(1 - n·u) for the unit roundoff u (N. Higham, *Accuracy and Stability of Numerical Algorithms*, chapter
//! 3: it holds for every order of summation, with and without fused multiply-add), and Cauchy and Schwarz for the second step.

use std::sync::Arc;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use tq_memory::{Grow, OutOfMemory};
use tq_simd::Level;

use crate::room;

/// How many terms are left to the library to sum as it likes; the sums of such chunks are added here. Short enough for a
/// tight bound, long enough for full speed.
const CHUNK: usize = 128;

/// Coordinates of the result that are summed at a time.
const OUTPUTS: usize = 512;

/// The unit roundoffs.
const U32: f64 = 1.0 / (1u64 << 24) as f64;
const U64: f64 = 1.0 / (1u64 << 53) as f64;

/// Norms at which products and sums stay clear of the ends of `f32`'s range: what underflow loses, at most 2⁻¹⁴⁹ a
/// term, is then nothing beside the bound.
pub(crate) const F32_NORMS: std::ops::RangeInclusive<f64> = 1.0 / (1u64 << 60) as f64..=(1u64 << 60) as f64;

/// Elements of a matrix that are looked at between two polls: some milliseconds, also where they come from a disk.
const POLLED_ELEMENTS: usize = 1 << 18;

/// The greatest norm of a row. `poll` is called every few milliseconds, and may unwind.
pub(crate) fn greatest_row_norm(matrix: &[f64], dimension: usize, poll: &mut dyn FnMut()) -> f64 {
    let square = |row: &[f64]| row.iter().map(|q| q * q).sum::<f64>();
    let dimension = dimension.max(1);
    let parts = matrix.chunks(POLLED_ELEMENTS.div_ceil(dimension) * dimension);
    let greatest = parts.map(|rows| {
        poll();
        rows.chunks_exact(dimension).map(square).fold(0.0, f64::max)
    });
    greatest.fold(0.0, f64::max).sqrt()
}

/// A matrix in `f32` that someone else keeps: a mapped file, say.
pub type SharedRounded = Arc<dyn AsRef<[f32]> + Send + Sync>;

/// A matrix rounded to `f32`.
pub(crate) struct Single {
    values: Values,
    dimension: usize,
    norm: f64,
}

enum Values {
    Owned(Vec<f32>),
    Shared(SharedRounded),
}

impl Single {
    /// `norm` is the matrix's [`greatest_row_norm`]. `poll` is called every few milliseconds, and may unwind.
    pub(crate) fn new(
        matrix: &[f64],
        dimension: usize,
        norm: f64,
        poll: &mut dyn FnMut(),
    ) -> Result<Self, OutOfMemory> {
        let mut values = tq_memory::with_capacity(matrix.len())?;
        for part in matrix.chunks(POLLED_ELEMENTS) {
            poll();
            values.extend(part.iter().map(|&q| q as f32));
        }
        Ok(Self { values: Values::Owned(values), dimension, norm })
    }

    /// A matrix that was rounded before and is kept elsewhere; `norm` as in [`Single::new`].
    pub(crate) fn shared(values: SharedRounded, dimension: usize, norm: f64) -> Self {
        Self { values: Values::Shared(values), dimension, norm }
    }

    /// A matrix that is in `f32` from the first.
    pub(crate) fn from_rounded(values: Vec<f32>, dimension: usize) -> Self {
        let square = |row: &[f32]| row.iter().map(|&q| f64::from(q) * f64::from(q)).sum::<f64>();
        let norm = values.chunks_exact(dimension.max(1)).map(square).fold(0.0, f64::max).sqrt();
        Self { values: Values::Owned(values), dimension, norm }
    }

    /// The matrix, row-major.
    pub(crate) fn values(&self) -> &[f32] {
        match &self.values {
            Values::Owned(values) => values,
            Values::Shared(values) => (**values).as_ref(),
        }
    }

    /// The rows of the matrix.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values().chunks_exact(self.dimension.max(1))
    }

    /// Rotates one vector of norm 1 or any other into `y`; returns how far from the exact values the results may be,
    /// times that norm. `poll` is called every few milliseconds, and may unwind.
    pub(crate) fn apply(&self, level: Level, x: &[f32], y: &mut [f32], poll: &mut dyn FnMut()) -> f64 {
        tq_simd::rotate_f32_polling(level, self.values(), x, y, poll);
        self.margin(self.dimension / 16 + 21)
    }

    /// Rotates `n` rows of `x` into `y`, both `n × d` row-major; returns a margin as [`Single::apply`] does. `part` is scratch.
    pub(crate) fn apply_rows(
        &self,
        x: &[f32],
        y: &mut [f32],
        part: &mut Vec<f32>,
    ) -> Result<f64, OutOfMemory> {
        let d = self.dimension;
        chunked_product(MatRef::from_row_major_slice(self.values(), d, d), x, y, part)?;
        Ok(self.margin(CHUNK + d.div_ceil(CHUNK)))
    }

    /// Rotates back, otherwise as [`Single::apply_rows`].
    pub(crate) fn apply_inverse_rows(
        &self,
        y: &[f32],
        x: &mut [f32],
        part: &mut Vec<f32>,
    ) -> Result<(), OutOfMemory> {
        let d = self.dimension;
        chunked_product(MatRef::from_column_major_slice(self.values(), d, d), y, x, part)
    }

    /// The bound for a vector of norm 1. Beside the `roundings` of product and sums: one of the matrix element, one of the
    /// exact value to `f32`, and one each of value plus margin and value minus margin; the rest is for the roundings of the exact
    /// value's own sum in `f64` and of the norm.
    fn margin(&self, roundings: usize) -> f64 {
        1.01 * (roundings + 8) as f64 * U32 * self.norm
    }

    /// Bytes that go when this goes.
    pub(crate) fn memory_bytes(&self) -> usize {
        match &self.values {
            Values::Owned(values) => values.capacity() * size_of::<f32>(),
            Values::Shared(_) => 0,
        }
    }
}

/// `to = from · matrixᵀ` for rows: in the library's columns, `toᵀ = matrix · fromᵀ`, a chunk of the inner dimension at a
/// time, and of the outer one so much that sums stay in a core's own cache.
fn chunked_product(
    matrix: MatRef<'_, f32>,
    from: &[f32],
    to: &mut [f32],
    part: &mut Vec<f32>,
) -> Result<(), OutOfMemory> {
    let d = matrix.nrows();
    let n = from.len() / d;
    let _room = room::for_products(OUTPUTS, n, CHUNK)?;
    let from = MatRef::from_column_major_slice(from, d, n);
    for first in (0..d).step_by(OUTPUTS) {
        let outputs = OUTPUTS.min(d - first);
        let matrix = matrix.subrows(first, outputs);
        part.try_resize(outputs * n, 0.0)?;
        for start in (0..d).step_by(CHUNK) {
            let width = CHUNK.min(d - start);
            let (columns, rows) = (matrix.subcols(start, width), from.subrows(start, width));
            if start == 0 {
                let target = MatMut::from_column_major_slice_mut(to, d, n).subrows_mut(first, outputs);
                matmul(target, Accum::Replace, columns, rows, 1.0, Par::Seq);
                continue;
            }
            let target = MatMut::from_column_major_slice_mut(part, outputs, n);
            matmul(target, Accum::Replace, columns, rows, 1.0, Par::Seq);
            for (to, part) in to.chunks_exact_mut(d).zip(part.chunks_exact(outputs)) {
                for (sum, part) in to[first..first + outputs].iter_mut().zip(part) {
                    *sum += part;
                }
            }
        }
    }
    Ok(())
}

/// Rotates `n` rows of `x` into `y`, both `n × d` row-major, in `f64`; returns how far the results may be from other sums
/// of the same terms in `f64`, for a row of norm 1. `norm` is the matrix's [`greatest_row_norm`].
pub(crate) fn apply_rows_f64(
    matrix: &[f64],
    d: usize,
    norm: f64,
    x: &[f64],
    y: &mut [f64],
) -> Result<f64, OutOfMemory> {
    let n = x.len() / d;
    let _room = room::for_products(d, n, d)?;
    let matrix = MatRef::from_row_major_slice(matrix, d, d);
    let x = MatRef::from_column_major_slice(x, d, n);
    matmul(MatMut::from_column_major_slice_mut(y, d, n), Accum::Replace, matrix, x, 1.0, Par::Seq);
    Ok(2.02 * (d + 8) as f64 * U64 * norm)
}
