//! The orthogonal map applied before quantisation, and its inverse.
//!
//! Quantising every coordinate with one codebook works because, after a random rotation, all coordinates of
//! all unit vectors look alike. There are two rotations. TinyQuant's is a dense matrix drawn uniformly from
//! the orthogonal group by a seed; it is held in f64, row-major, so that rotating rounds once for each
//! coordinate and gives the reference's values. Making the matrix is `haar`'s business. The Hadamard rotation
//! needs nothing but a few bits of sign for each coordinate.

mod matrix;

pub use matrix::SharedMatrix;

use crate::config::check_dimension;
use crate::product::{SharedRounded, Single};
use crate::{CodecError, RotationKind, Workers, haar, hadamard};
use matrix::HaarMatrix;
use std::fmt;
use tq_memory::OutOfMemory;
use tq_simd::Level;

/// A rotation that is ready for use: kind, seed, dimension *d* and what it takes to apply it.
pub struct Rotation {
    seed: u64,
    dimension: u32,
    map: Map,
    level: Level,
}

enum Map {
    Haar(HaarMatrix),
    /// Sign masks, one for each input of each transform.
    Hadamard(Vec<u32>),
}

impl Rotation {
    /// The Haar rotation of `seed` in `dimension` dimensions, as TinyQuant defines it.
    ///
    /// Takes time proportional to the cube of the dimension (a fifth of a second at 1536), holds `8·d²`
    /// bytes and needs the same again while it works. Deterministic up to rounding: entries agree with any
    /// other implementation's to about 1e-14. Aborts when there is no memory for it, as collections do;
    /// [`build_rotation`] returns that as an error and checks the range of the dimension.
    pub fn haar(seed: u64, dimension: u32) -> Self {
        Self::try_haar(seed, dimension, &mut || {}).unwrap_or_else(|_| {
            let size = dimension as usize;
            std::alloc::handle_alloc_error(
                std::alloc::Layout::array::<f64>(size.saturating_mul(size))
                    .unwrap_or(std::alloc::Layout::new::<f64>()),
            )
        })
    }

    fn try_haar(seed: u64, dimension: u32, poll: &mut dyn FnMut()) -> Result<Self, OutOfMemory> {
        let matrix = haar::matrix(seed, dimension as usize, poll)?;
        Ok(Self::new(seed, dimension, Map::Haar(HaarMatrix::owned(matrix, dimension as usize))))
    }

    /// The Haar rotation of `seed` in `dimension` dimensions, whose *d* × *d* matrix, row-major, was built
    /// before and is kept elsewhere. Whether the content is that matrix is the caller's to know; only the
    /// length is looked at.
    ///
    /// # Errors
    /// [`CodecError::DimensionOutOfRange`], and [`CodecError::MatrixLength`] unless there are *d*² values.
    pub fn haar_from(seed: u64, dimension: u32, matrix: SharedMatrix) -> Result<Self, CodecError> {
        check_dimension(dimension)?;
        check_entries(dimension, (*matrix).as_ref().len())?;
        Ok(Self::new(seed, dimension, Map::Haar(HaarMatrix::shared(matrix, dimension as usize))))
    }

    /// With its matrix in `f32` as well, each entry rounded to nearest, row-major, which is kept elsewhere: queries are rotated
    /// by that, and compressing and decompressing in batches need not make it. A rotation without a matrix stays as it is.
    ///
    /// # Errors
    /// [`CodecError::MatrixLength`] unless there are *d*² values.
    pub fn with_rounded(mut self, rounded: SharedRounded) -> Result<Self, CodecError> {
        if let Map::Haar(haar) = &mut self.map {
            check_entries(self.dimension, (*rounded).as_ref().len())?;
            haar.keep_rounded(rounded);
        }
        Ok(self)
    }

    /// The Hadamard rotation of `seed` in `dimension` dimensions: three rounds of random signs and
    /// Walsh-Hadamard transforms, as `docs/hadamard.md` defines them.
    ///
    /// Holds at most `24·d` bytes and takes `O(d·log d)` to apply, with equal bits on every machine. Aborts when there is no
    /// memory for it, as [`Rotation::haar`] does.
    /// [`build_rotation`] checks the range of the dimension.
    pub fn hadamard(seed: u64, dimension: u32) -> Self {
        Self::try_hadamard(seed, dimension).unwrap_or_else(|_| {
            std::alloc::handle_alloc_error(
                std::alloc::Layout::new::<[u32; tq_format::MAX_DIMENSION as usize]>(),
            )
        })
    }

    fn try_hadamard(seed: u64, dimension: u32) -> Result<Self, OutOfMemory> {
        Ok(Self::new(seed, dimension, Map::Hadamard(hadamard::signs(seed, dimension as usize)?)))
    }

    fn new(seed: u64, dimension: u32, map: Map) -> Self {
        Self { seed, dimension, map, level: Level::detect() }
    }

    /// The kind of rotation.
    pub fn kind(&self) -> RotationKind {
        match self.map {
            Map::Haar(_) => RotationKind::Haar,
            Map::Hadamard(_) => RotationKind::Hadamard,
        }
    }

    /// The seed it was drawn by.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The number of coordinates, *d*.
    pub fn dimension(&self) -> u32 {
        self.dimension
    }

    /// The *d* × *d* matrix, row-major; `None` for a rotation that has none.
    pub fn matrix(&self) -> Option<&[f64]> {
        match &self.map {
            Map::Haar(haar) => Some(haar.values()),
            Map::Hadamard(_) => None,
        }
    }

    /// Rotates a query: [`Rotation::apply`] with the entries of a matrix rounded to `f32`, of which half as many bytes are read. All
    /// but short sums are in `f64` (see [`tq_simd::rotate_query_polling`]), so that a coordinate is off by about as much as a float
    /// of its size is; the bits are the same whether the rounded matrix was there or not. `poll` is called every few milliseconds, and may unwind.
    ///
    /// # Errors
    /// [`OutOfMemory`], where rows have to be rounded on the way.
    ///
    /// # Panics
    /// As [`Rotation::apply`].
    pub fn apply_to_query(
        &self,
        level: Level,
        x: &[f32],
        y: &mut [f32],
        poll: &mut dyn FnMut(),
    ) -> Result<(), OutOfMemory> {
        match &self.map {
            Map::Haar(haar) => {
                self.check_lengths(x, y);
                haar.apply_rounded(level, x, y, poll)
            }
            Map::Hadamard(_) => {
                self.apply_polling(level, x, y, poll);
                Ok(())
            }
        }
    }

    /// Rotates `x` into `y`: with a matrix `y[i] = f32(Σ_j Q[i,j]·x[j])`, summed in f64.
    ///
    /// # Panics
    /// If either slice is not of length *d*.
    pub fn apply(&self, x: &[f32], y: &mut [f32]) {
        self.apply_at(self.level, x, y);
    }

    /// [`Rotation::apply`] with `poll` called every few milliseconds; it may unwind.
    pub(crate) fn apply_to(&self, x: &[f32], y: &mut [f32], poll: &mut dyn FnMut()) {
        self.apply_polling(self.level, x, y, poll);
    }

    /// [`Rotation::apply`] with the kernels of `level`.
    pub(crate) fn apply_at(&self, level: Level, x: &[f32], y: &mut [f32]) {
        self.apply_polling(level, x, y, &mut || {});
    }

    /// [`Rotation::apply`] with the kernels of `level`; `poll` is called every few milliseconds, and may unwind.
    pub(crate) fn apply_polling(&self, level: Level, x: &[f32], y: &mut [f32], poll: &mut dyn FnMut()) {
        self.check_lengths(x, y);
        match &self.map {
            Map::Haar(haar) => tq_simd::rotate_polling(level, haar.values(), x, y, poll),
            Map::Hadamard(signs) => {
                y.copy_from_slice(x);
                within_range(y, |y| tq_simd::hadamard(level, signs, y));
            }
        }
    }

    /// [`Rotation::apply`] for each row of `x` (*n* × *d*, row-major), in place and on several threads. `poll` is called on the
    /// calling thread between rounds of some ten milliseconds, and may unwind.
    ///
    /// # Errors
    /// [`CodecError::WorkerPanicked`], [`CodecError::Memory`].
    pub fn apply_rows(
        &self,
        workers: &Workers,
        x: &mut [f32],
        poll: &mut dyn FnMut(),
    ) -> Result<(), CodecError> {
        let d = self.dimension as usize;
        // One row at a time waits for memory, and does a fraction of what a product of matrices does.
        let rows = Workers::round_rows(d) / 8;
        for round in x.chunks_mut(rows * workers.threads() * d) {
            poll();
            let rotate = |rows: &mut [f32]| {
                let mut rotated = tq_memory::filled(d, 0.0)?;
                for row in rows.chunks_exact_mut(d) {
                    self.apply(row, &mut rotated);
                    row.copy_from_slice(&rotated);
                }
                Ok::<_, OutOfMemory>(())
            };
            for result in workers.map(tq_memory::collected(round.chunks_mut(rows * d))?, rotate)? {
                result?;
            }
        }
        Ok(())
    }

    /// Rotates `y` back into `x`: with a matrix `x[j] = f32(Σ_i Q[i,j]·y[i])`, summed in f64.
    ///
    /// # Panics
    /// If either slice is not of length *d*.
    pub fn apply_inverse(&self, y: &[f32], x: &mut [f32]) {
        self.apply_inverse_polling(y, x, &mut || {});
    }

    /// [`Rotation::apply_inverse`] with `poll` called every few milliseconds; it may unwind.
    ///
    /// # Panics
    /// As [`Rotation::apply_inverse`].
    pub fn apply_inverse_polling(&self, y: &[f32], x: &mut [f32], poll: &mut dyn FnMut()) {
        self.check_lengths(y, x);
        match &self.map {
            Map::Haar(haar) => {
                tq_simd::rotate_transposed_polling(self.level, haar.values(), y, x, poll);
            }
            Map::Hadamard(signs) => {
                x.copy_from_slice(y);
                within_range(x, |x| tq_simd::hadamard_inverse(self.level, signs, x));
            }
        }
    }

    /// One coordinate of [`Rotation::apply`], to the bit, if there is a matrix.
    pub(crate) fn coordinate(&self, index: usize, x: &[f32]) -> Option<f32> {
        let mut y = [0.0];
        let row = self.matrix()?.get(index * x.len()..(index + 1) * x.len())?;
        tq_simd::rotate(self.level, row, x, &mut y);
        Some(y[0])
    }

    /// Makes now what compressing or decompressing would make of a matrix when it first needs it: the matrix in f32 if codes are to
    /// do without `residual`, and what bounds its rounding. With a large matrix that takes a second: for callers that have
    /// to look up meanwhile. `poll` is called every few milliseconds, and may unwind.
    pub fn prepare(&self, residual: bool, poll: &mut dyn FnMut()) {
        if residual && let Map::Haar(haar) = &self.map {
            haar.norm(poll);
        } else {
            self.single_polling(poll);
        }
    }

    /// The matrix in f32, made when first asked for; `None` if there is no matrix or no memory.
    pub(crate) fn single(&self) -> Option<&Single> {
        self.single_polling(&mut || {})
    }

    /// [`Rotation::single`] with `poll` called every few milliseconds while it is made; it may unwind.
    pub(crate) fn single_polling(&self, poll: &mut dyn FnMut()) -> Option<&Single> {
        match &self.map {
            Map::Haar(haar) => haar.single(poll),
            Map::Hadamard(_) => None,
        }
    }

    /// Rotates rows in f64, all of them at once: see [`crate::product::apply_rows_f64`]. `None` if there is no matrix.
    pub(crate) fn apply_rows_f64(&self, x: &[f64], y: &mut [f64]) -> Result<Option<f64>, OutOfMemory> {
        match &self.map {
            Map::Haar(haar) => haar.apply_rows_f64(x, y).map(Some),
            Map::Hadamard(_) => Ok(None),
        }
    }

    fn check_lengths(&self, from: &[f32], to: &[f32]) {
        let dimension = self.dimension as usize;
        assert!(from.len() == dimension && to.len() == dimension, "vectors of another dimension");
    }

    /// The memory it occupies now, for a cache with a budget. A matrix that is shared isn't counted; encoding without residual
    /// and decoding in batches add `4·d²` bytes, once, unless the rounded matrix is shared as well.
    pub fn memory_bytes(&self) -> usize {
        let held = match &self.map {
            Map::Haar(haar) => haar.memory_bytes(),
            Map::Hadamard(signs) => signs.capacity() * size_of::<u32>(),
        };
        size_of::<Self>() + held
    }

    /// Kind, seed and dimension in words, for messages.
    pub(crate) fn describe(kind: RotationKind, seed: u64, dimension: u32) -> String {
        format!("{kind}(seed {seed}, dimension {dimension})")
    }
}

fn check_entries(dimension: u32, got: usize) -> Result<(), CodecError> {
    let expected = (dimension as usize).pow(2);
    if got == expected { Ok(()) } else { Err(CodecError::MatrixLength { expected, got }) }
}

/// Runs a transform whose sums might leave `f32` on numbers that are so much smaller. What is too large in the end becomes
/// infinite, as a matrix would make it.
fn within_range(x: &mut [f32], transform: impl FnOnce(&mut [f32])) {
    const LARGE: f32 = (1u128 << 100) as f32;
    const FACTOR: f32 = (1u128 << 64) as f32;
    if x.iter().fold(0.0f32, |largest, x| largest.max(x.abs())) <= LARGE {
        return transform(x);
    }
    x.iter_mut().for_each(|x| *x /= FACTOR);
    transform(x);
    x.iter_mut().for_each(|x| *x *= FACTOR);
}

impl fmt::Debug for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Self::describe(self.kind(), self.seed, self.dimension))
    }
}

/// Builds the rotation of that kind, for callers that attend to nothing else meanwhile, as examples and tests are.
///
/// # Errors
/// [`CodecError::DimensionOutOfRange`]; [`CodecError::OutOfMemory`] when a matrix can't be allocated.
///
/// For tests and benchmarks: nothing else calls it.
pub fn build_rotation(kind: RotationKind, seed: u64, dimension: u32) -> Result<Rotation, CodecError> {
    build_rotation_polling(kind, seed, dimension, &mut || {})
}

/// [`build_rotation`] for callers that have to look up from time to time: `poll` is called between steps of some ten
/// milliseconds, and may unwind to give the work up.
///
/// # Errors
/// Those of [`build_rotation`].
pub fn build_rotation_polling(
    kind: RotationKind,
    seed: u64,
    dimension: u32,
    poll: &mut dyn FnMut(),
) -> Result<Rotation, CodecError> {
    check_dimension(dimension)?;
    match kind {
        RotationKind::Haar => Rotation::try_haar(seed, dimension, poll).map_err(|_| {
            let size = dimension as usize;
            CodecError::OutOfMemory { bytes: size.saturating_mul(size).saturating_mul(size_of::<f64>()) }
        }),
        RotationKind::Hadamard => Ok(Rotation::try_hadamard(seed, dimension)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_coordinates_equal_whole_rotations() {
        for dimension in [1, 7, 8, 9, 31, 100] {
            let mut rotation = Rotation::haar(2, dimension);
            let x: Vec<f32> = (0..dimension).map(|i| (i as f32).sin()).collect();
            for level in Level::available() {
                rotation.level = level;
                let mut y = vec![0.0; x.len()];
                rotation.apply(&x, &mut y);
                for (i, y) in y.iter().enumerate() {
                    assert_eq!(rotation.coordinate(i, &x).map(f32::to_bits), Some(y.to_bits()));
                }
            }
        }
        assert_eq!(Rotation::hadamard(2, 8).coordinate(0, &[0.0; 8]), None);
    }

    /// Whoever answers cancels must not wait for a pass over a large matrix.
    #[test]
    fn no_pass_over_a_matrix_goes_unpolled() {
        let dimension: u32 = 2500;
        let megabytes = (8 * dimension as usize * dimension as usize) >> 20;
        let mut polls = 0;
        let built = build_rotation_polling(RotationKind::Haar, 2, dimension, &mut || polls += 1).unwrap();
        // Two matrices are filled with zeros, one with variables, one gets its signs.
        assert!(polls >= 2 * megabytes / 8 + megabytes, "{polls} polls in building {megabytes} MB");

        let cancelled = |mut left: usize| {
            let mut poll = || {
                left -= 1;
                assert!(left > 0, "a cancel");
            };
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| built.prepare(false, &mut poll)))
                .is_err()
        };
        assert!(cancelled(megabytes / 4), "in the first pass");
        let prepared = |residual| {
            let mut polls = 0;
            built.prepare(residual, &mut || polls += 1);
            polls
        };
        assert!(prepared(true) >= megabytes / 2, "the norm, which a cancel has left unknown");
        assert_eq!(prepared(true), 0);
        assert!(cancelled(megabytes / 4), "in the second pass");
        assert!(prepared(false) >= megabytes / 2, "the matrix in f32");
        assert_eq!(prepared(false), 0);

        let x: Vec<f32> = (0..dimension).map(|i| (i as f32).sin()).collect();
        let (mut y, mut back, mut polls) = (vec![0.0; x.len()], vec![0.0; x.len()], 0);
        built.apply_polling(built.level, &x, &mut y, &mut || polls += 1);
        assert!((0..x.len()).all(|i| built.coordinate(i, &x) == Some(y[i])));
        assert!(polls >= megabytes / 17, "{polls} polls in rotating by {megabytes} MB");
        polls = 0;
        built.apply_inverse_polling(&y, &mut back, &mut || polls += 1);
        assert!(polls >= megabytes / 17, "{polls} polls in rotating back by {megabytes} MB");
        assert!(x.iter().zip(&back).all(|(x, back)| (x - back).abs() < 1e-5));
        polls = 0;
        built.single().unwrap().apply(built.level, &x, &mut back, &mut || polls += 1);
        assert!(polls >= megabytes / 35, "{polls} polls in rotating by {megabytes} MB of f64");
        assert!(y.iter().zip(&back).all(|(y, near)| (y - near).abs() < 1e-4));

        Rotation::hadamard(2, 8).prepare(true, &mut || panic!("nothing to prepare"));
        Rotation::hadamard(2, 8).prepare(false, &mut || panic!("nothing to prepare"));
    }
}
