//! quantvec's two rotations: random signs and Walsh-Hadamard transforms where the dimension is a power of two, else a dense matrix.
//!
//! Both compute in `f64` and round each coordinate once. For many vectors the dense one also has a product of matrices
//! in `f32`, with a bound on its error.

use super::random::Random;
use crate::product::Single;
use crate::{CodecError, haar};
use tq_memory::{Grow, OutOfMemory};
use tq_simd::Level;

/// Transforms of the Hadamard rotation.
const ROUNDS: usize = 3;

pub(super) enum QuantvecRotation {
    /// Signs, one a coordinate, of each round.
    Hadamard(Vec<f64>),
    /// The matrix, row-major, as quantvec rounds it.
    Dense(Single),
}

/// Buffers for many rows.
#[derive(Default)]
pub(super) struct QuantvecScratch {
    part: Vec<f32>,
    wide: Vec<f64>,
}

impl QuantvecRotation {
    /// The rotation of a seed in `d` dimensions; see [`Quantvec::new`](super::Quantvec::new).
    pub(super) fn new(d: usize, seed: f64, poll: &mut dyn FnMut()) -> Result<Self, CodecError> {
        let mut random = Random::new(seed);
        if d.is_power_of_two() {
            let signs = (0..ROUNDS * d).map(|_| if random.uniform() < 0.5 { -1.0 } else { 1.0 });
            return Ok(Self::Hadamard(tq_memory::collected(signs)?));
        }
        let out_of_memory = |_| CodecError::OutOfMemory { bytes: d * d * size_of::<f64>() };
        let matrix = haar::orthogonal(d, &mut || random.normal(), poll).map_err(out_of_memory)?;
        let rounded = tq_memory::collected(matrix.iter().map(|&q| q as f32)).map_err(out_of_memory)?;
        Ok(Self::Dense(Single::from_rounded(rounded, d)))
    }

    /// Rotates `x` into `y`; `b` is scratch.
    pub(super) fn apply(
        &self,
        level: Level,
        x: &[f32],
        y: &mut [f32],
        b: &mut Vec<f64>,
    ) -> Result<(), OutOfMemory> {
        match self {
            Self::Hadamard(signs) => {
                b.clear();
                b.try_room_exact(x.len())?;
                b.extend(x.iter().map(|&x| f64::from(x)));
                let factor = 1.0 / (b.len() as f64).sqrt();
                for signs in signs.chunks_exact(b.len()) {
                    b.iter_mut().zip(signs).for_each(|(b, sign)| *b *= sign);
                    transform(b);
                    b.iter_mut().for_each(|b| *b *= factor);
                }
                y.iter_mut().zip(b).for_each(|(y, b)| *y = *b as f32);
            }
            Self::Dense(single) => {
                for (row, y) in single.rows().zip(y) {
                    *y = tq_simd::dot_f32(level, row, x) as f32;
                }
            }
        }
        Ok(())
    }

    /// Rotates `y` back into `x`. quantvec has no use for it, and so its rounding is ours.
    pub(super) fn apply_inverse_rows(
        &self,
        y: &[f32],
        x: &mut [f32],
        scratch: &mut QuantvecScratch,
    ) -> Result<(), OutOfMemory> {
        match self {
            Self::Hadamard(signs) => {
                let d = signs.len() / ROUNDS;
                let factor = 1.0 / (d as f64).sqrt();
                let b = &mut scratch.wide;
                b.try_resize(d, 0.0)?;
                for (y, x) in y.chunks_exact(d).zip(x.chunks_exact_mut(d)) {
                    b.iter_mut().zip(y).for_each(|(b, &y)| *b = f64::from(y));
                    for signs in signs.chunks_exact(d).rev() {
                        transform(b);
                        b.iter_mut().zip(signs).for_each(|(b, sign)| *b = *b * factor * sign);
                    }
                    x.iter_mut().zip(&*b).for_each(|(x, &b)| *x = b as f32);
                }
            }
            Self::Dense(single) => single.apply_inverse_rows(y, x, &mut scratch.part)?,
        }
        Ok(())
    }
}

/// The Walsh-Hadamard transform without a factor, in place; the length is a power of two.
fn transform(b: &mut [f64]) {
    let mut stride = 1;
    while stride < b.len() {
        for pair in b.chunks_exact_mut(2 * stride) {
            let (first, second) = pair.split_at_mut(stride);
            for (x, y) in first.iter_mut().zip(second) {
                (*x, *y) = (*x + *y, *x - *y);
            }
        }
        stride *= 2;
    }
}
