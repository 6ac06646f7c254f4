//! The rough rotation of compression in `f32` lanes. Codes need no loop over lanes: that of [`crate::scalar::encode`] is compiled
//! for each level as it is.
#![allow(unsafe_code)]

use super::{FusedFloats, LANES};

/// `out[i] ≈ Σ_j matrix[i][j] · x[j]`, four rows at a time so that no sum waits for itself; compilers don't find that by themselves.
///
/// # Safety
/// The processor has the features of `L`.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
#[inline(always)]
pub(crate) unsafe fn rotate<L: FusedFloats>(matrix: &[f32], x: &[f32], out: &mut [f32]) {
    let (groups, rest) = out.as_chunks_mut::<4>();
    let (upper, lower) = matrix.split_at(4 * groups.len() * x.len());
    for (rows, out) in upper.chunks_exact(4 * x.len()).zip(groups) {
        // SAFETY: the caller vouches for the features.
        unsafe { dot_rows::<L, 4>(rows, x, out) };
    }
    for (row, out) in lower.chunks_exact(x.len()).zip(rest.as_chunks_mut::<1>().0) {
        // SAFETY: the caller vouches for the features.
        unsafe { dot_rows::<L, 1>(row, x, out) };
    }
}

/// The inner products of `ROWS` consecutive rows with `x`.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
#[inline(always)]
unsafe fn dot_rows<L: FusedFloats, const ROWS: usize>(matrix: &[f32], x: &[f32], out: &mut [f32; ROWS]) {
    let (blocks, tail) = x.as_chunks::<LANES>();
    let row = |i| matrix[i * x.len()..(i + 1) * x.len()].as_chunks::<LANES>();
    let rows: [&[[f32; LANES]]; ROWS] = std::array::from_fn(|i| &row(i).0[..blocks.len()]);
    let tails: [&[f32]; ROWS] = std::array::from_fn(|i| row(i).1);
    // SAFETY: the caller vouches for the features.
    unsafe {
        let mut sums = [L::zero(); ROWS];
        for (j, x) in blocks.iter().enumerate() {
            let x = L::load(x);
            for (sum, row) in sums.iter_mut().zip(&rows) {
                *sum = L::load(&row[j]).multiply_add(x, *sum);
            }
        }
        for ((out, sum), row) in out.iter_mut().zip(sums).zip(tails) {
            *out = row.iter().zip(tail).fold(sum.total(), |sum, (a, b)| sum + a * b);
        }
    }
}
