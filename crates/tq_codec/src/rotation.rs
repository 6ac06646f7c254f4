//! The orthogonal map applied before quantisation, and its inverse.
//!
//! Quantising every coordinate with one codebook works because, after a random rotation, all coordinates of
//! all unit vectors look alike. TinyQuant's rotation is a dense matrix drawn uniformly from the orthogonal
//! group by a seed; this module holds it in f64, row-major, so that rotating rounds once for each coordinate
//! and gives the reference's values. Making the matrix is `haar`'s business.

use crate::config::check_dimension;
use crate::{CodecError, RotationKind, haar};
use std::collections::TryReserveError;
use std::fmt;
use tq_simd::Level;

/// A rotation that is ready for use: kind, seed, dimension *d* and the *d* × *d* matrix.
pub struct Rotation {
    seed: u64,
    dimension: u32,
    matrix: Vec<f64>,
    level: Level,
}

impl Rotation {
    /// The Haar rotation of `seed` in `dimension` dimensions, as TinyQuant defines it.
    ///
    /// Takes time proportional to the cube of the dimension (a fifth of a second at 1536), holds `8·d²`
    /// bytes and needs the same again while it works. Deterministic up to rounding: entries agree with any
    /// other implementation's to about 1e-14. Aborts when there is no memory for it, as collections do;
    /// [`build_rotation`] returns that as an error and checks the range of the dimension.
    pub fn haar(seed: u64, dimension: u32) -> Self {
        Self::try_haar(seed, dimension).unwrap_or_else(|_| {
            let size = dimension as usize;
            std::alloc::handle_alloc_error(
                std::alloc::Layout::array::<f64>(size.saturating_mul(size))
                    .unwrap_or(std::alloc::Layout::new::<f64>()),
            )
        })
    }

    fn try_haar(seed: u64, dimension: u32) -> Result<Self, TryReserveError> {
        let matrix = haar::matrix(seed, dimension as usize)?;
        Ok(Self { seed, dimension, matrix, level: Level::detect() })
    }

    /// The kind of rotation.
    pub fn kind(&self) -> RotationKind {
        RotationKind::Haar
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
        Some(&self.matrix)
    }

    /// Rotates `x` into `y`: `y[i] = f32(Σ_j Q[i,j]·x[j])`, summed in f64.
    ///
    /// # Panics
    /// If either slice is not of length *d*.
    pub fn apply(&self, x: &[f32], y: &mut [f32]) {
        self.apply_at(self.level, x, y);
    }

    /// [`Rotation::apply`] with the kernels of `level`.
    pub(crate) fn apply_at(&self, level: Level, x: &[f32], y: &mut [f32]) {
        self.check_lengths(x, y);
        tq_simd::rotate(level, &self.matrix, x, y);
    }

    /// Rotates `y` back into `x`: `x[j] = f32(Σ_i Q[i,j]·y[i])`, summed in f64.
    ///
    /// # Panics
    /// If either slice is not of length *d*.
    pub fn apply_inverse(&self, y: &[f32], x: &mut [f32]) {
        self.check_lengths(y, x);
        tq_simd::rotate_transposed(self.level, &self.matrix, y, x);
    }

    fn check_lengths(&self, from: &[f32], to: &[f32]) {
        let dimension = self.dimension as usize;
        assert!(from.len() == dimension && to.len() == dimension, "vectors of another dimension");
    }

    /// The memory it occupies, for a cache with a budget.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.matrix.capacity() * size_of::<f64>()
    }

    /// Kind, seed and dimension in words, for messages.
    pub(crate) fn describe(kind: RotationKind, seed: u64, dimension: u32) -> String {
        format!("{kind}(seed {seed}, dimension {dimension})")
    }
}

impl fmt::Debug for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Self::describe(self.kind(), self.seed, self.dimension))
    }
}

/// Builds the rotation of that kind.
///
/// # Errors
/// [`CodecError::DimensionOutOfRange`]; [`CodecError::RotationUnavailable`] for a kind that this version can
/// name but not build; [`CodecError::OutOfMemory`] when the matrix can't be allocated.
pub fn build_rotation(kind: RotationKind, seed: u64, dimension: u32) -> Result<Rotation, CodecError> {
    check_dimension(dimension)?;
    match kind {
        RotationKind::Haar => Rotation::try_haar(seed, dimension).map_err(|_| {
            let size = dimension as usize;
            CodecError::OutOfMemory { bytes: size.saturating_mul(size).saturating_mul(size_of::<f64>()) }
        }),
        RotationKind::Hadamard => Err(CodecError::RotationUnavailable { name: kind.name() }),
    }
}
