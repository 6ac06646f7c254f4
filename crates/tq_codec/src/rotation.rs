//! The orthogonal map applied before quantisation, and its inverse.
//!
//! Quantising every coordinate with one codebook works because, after a random rotation, all coordinates of
//! all unit vectors look alike. There are two rotations. TinyQuant's is a dense matrix drawn uniformly from
//! the orthogonal group by a seed; it is held in f64, row-major, so that rotating rounds once for each
//! coordinate and gives the reference's values. Making the matrix is `haar`'s business. The Hadamard rotation
//! needs nothing but a few bits of sign for each coordinate.

use crate::config::check_dimension;
use crate::product::{Single, apply_rows_f64, greatest_row_norm};
use crate::{CodecError, RotationKind, Workers, haar, hadamard};
use std::fmt;
use std::sync::{Arc, OnceLock};
use tq_memory::OutOfMemory;
use tq_simd::Level;

/// A matrix that someone else keeps: a mapped file, say.
pub type SharedMatrix = Arc<dyn AsRef<[f64]> + Send + Sync>;

/// A rotation that is ready for use: kind, seed, dimension *d* and what it takes to apply it.
pub struct Rotation {
    seed: u64,
    dimension: u32,
    map: Map,
    level: Level,
}

enum Map {
    Haar(Haar),
    /// Sign masks, one for each input of each transform.
    Hadamard(Vec<u32>),
}

/// The matrix, and what is made of it when it is first needed.
struct Haar {
    matrix: Matrix,
    norm: OnceLock<f64>,
    /// Not there yet, or without memory for it.
    single: OnceLock<Single>,
}

impl Haar {
    fn new(matrix: Matrix) -> Self {
        Self { matrix, norm: OnceLock::new(), single: OnceLock::new() }
    }

    /// What unwinds out of `poll` leaves it to be found by the next who asks.
    fn norm(&self, dimension: usize, poll: &mut dyn FnMut()) -> f64 {
        *self.norm.get_or_init(|| greatest_row_norm(self.matrix.values(), dimension, poll))
    }
}

enum Matrix {
    Owned(Vec<f64>),
    Shared(SharedMatrix),
}

impl Matrix {
    fn values(&self) -> &[f64] {
        match self {
            Self::Owned(values) => values,
            Self::Shared(values) => (**values).as_ref(),
        }
    }

    /// Bytes that go when this goes.
    fn memory_bytes(&self) -> usize {
        match self {
            Self::Owned(values) => values.capacity() * size_of::<f64>(),
            Self::Shared(_) => 0,
        }
    }
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
        Ok(Self::new(seed, dimension, Map::Haar(Haar::new(Matrix::Owned(matrix)))))
    }

    /// The Haar rotation of `seed` in `dimension` dimensions, whose *d* × *d* matrix, row-major, was built
    /// before and is kept elsewhere. Whether the content is that matrix is the caller's to know; only the
    /// length is looked at.
    ///
    /// # Errors
    /// [`CodecError::DimensionOutOfRange`], and [`CodecError::MatrixLength`] unless there are *d*² values.
    pub fn haar_from(seed: u64, dimension: u32, matrix: SharedMatrix) -> Result<Self, CodecError> {
        check_dimension(dimension)?;
        let (expected, got) = ((dimension as usize).pow(2), (*matrix).as_ref().len());
        if got != expected {
            return Err(CodecError::MatrixLength { expected, got });
        }
        Ok(Self::new(seed, dimension, Map::Haar(Haar::new(Matrix::Shared(matrix)))))
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
            Map::Haar(haar) => Some(haar.matrix.values()),
            Map::Hadamard(_) => None,
        }
    }

    /// Rotates `x` into `y`: with a matrix `y[i] = f32(Σ_j Q[i,j]·x[j])`, summed in f64.
    ///
    /// # Panics
    /// If either slice is not of length *d*.
    pub fn apply(&self, x: &[f32], y: &mut [f32]) {
        self.apply_at(self.level, x, y);
    }

    /// [`Rotation::apply`] with the kernels of `level`.
    pub(crate) fn apply_at(&self, level: Level, x: &[f32], y: &mut [f32]) {
        self.apply_polling(level, x, y, &mut || {});
    }

    /// [`Rotation::apply`] with the kernels of `level`; `poll` is called every few milliseconds, and may unwind.
    pub(crate) fn apply_polling(&self, level: Level, x: &[f32], y: &mut [f32], poll: &mut dyn FnMut()) {
        self.check_lengths(x, y);
        match &self.map {
            Map::Haar(haar) => tq_simd::rotate_polling(level, haar.matrix.values(), x, y, poll),
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
                tq_simd::rotate_transposed_polling(self.level, haar.matrix.values(), y, x, poll);
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
            haar.norm(self.dimension as usize, poll);
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
        let Map::Haar(haar) = &self.map else { return None };
        let dimension = self.dimension as usize;
        if haar.single.get().is_none() {
            let norm = haar.norm(dimension, poll);
            // What another thread has made meanwhile stays.
            let single = Single::new(haar.matrix.values(), dimension, norm, poll).ok()?;
            let _ = haar.single.set(single);
        }
        haar.single.get()
    }

    /// Rotates rows in f64, all of them at once: [`apply_rows_f64`]. `None` if there is no matrix.
    pub(crate) fn apply_rows_f64(&self, x: &[f64], y: &mut [f64]) -> Result<Option<f64>, OutOfMemory> {
        let Map::Haar(haar) = &self.map else { return Ok(None) };
        let dimension = self.dimension as usize;
        apply_rows_f64(haar.matrix.values(), dimension, haar.norm(dimension, &mut || {}), x, y).map(Some)
    }

    fn check_lengths(&self, from: &[f32], to: &[f32]) {
        let dimension = self.dimension as usize;
        assert!(from.len() == dimension && to.len() == dimension, "vectors of another dimension");
    }

    /// The memory it occupies now, for a cache with a budget. A matrix that is shared isn't counted; encoding without residual
    /// and decoding in batches add `4·d²` bytes, once.
    pub fn memory_bytes(&self) -> usize {
        let held = match &self.map {
            Map::Haar(haar) => {
                let single = haar.single.get();
                haar.matrix.memory_bytes() + single.map_or(0, Single::memory_bytes)
            }
            Map::Hadamard(signs) => signs.capacity() * size_of::<u32>(),
        };
        size_of::<Self>() + held
    }

    /// Kind, seed and dimension in words, for messages.
    pub(crate) fn describe(kind: RotationKind, seed: u64, dimension: u32) -> String {
        format!("{kind}(seed {seed}, dimension {dimension})")
    }
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

/// Builds the rotation of that kind.
///
/// # Errors
/// [`CodecError::DimensionOutOfRange`]; [`CodecError::OutOfMemory`] when a matrix can't be allocated.
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
mod tests;
