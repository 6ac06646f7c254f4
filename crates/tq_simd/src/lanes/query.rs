//! A matrix in `f32` times a query: products and short sums in `f32` lanes, all others in `f64`.
//!
//! Widening each entry would take longer than reading it does. Four products and the sum of two lanes are added in `f32`
//! before a register is widened: five roundings of a number far smaller than the result.
#![allow(unsafe_code)]

use super::{FusedFloats, LANES};

/// Columns whose products are added, four to a lane, before they are widened.
const GROUP: usize = 4 * LANES;

/// See [`rotate`]; for levels of 32 registers.
///
/// # Safety
/// The processor has the features of `L`; so for the other functions.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
#[inline(always)]
pub(crate) unsafe fn rotate_by_8<L: FusedFloats>(matrix: &[f32], x: &[f32], out: &mut [f32]) {
    // SAFETY: the caller vouches for the features.
    unsafe { rotate::<L, 8>(matrix, x, out) }
}

/// See [`rotate`]; for levels of 16 registers.
///
/// # Safety
/// As for [`rotate_by_8`].
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
#[inline(always)]
pub(crate) unsafe fn rotate_by_4<L: FusedFloats>(matrix: &[f32], x: &[f32], out: &mut [f32]) {
    // SAFETY: the caller vouches for the features.
    unsafe { rotate::<L, 4>(matrix, x, out) }
}

/// `out[i] ≈ Σ_j matrix[i][j] · x[j]`, `ROWS` rows at a time so that several are on their way from memory.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
#[inline(always)]
unsafe fn rotate<L: FusedFloats, const ROWS: usize>(matrix: &[f32], x: &[f32], out: &mut [f32]) {
    let (groups, rest) = out.as_chunks_mut::<ROWS>();
    let (upper, lower) = matrix.split_at(ROWS * groups.len() * x.len());
    for (rows, out) in upper.chunks_exact(ROWS * x.len()).zip(groups) {
        // SAFETY: the caller vouches for the features.
        unsafe { dot_rows::<L, ROWS>(rows, x, out) };
    }
    for (row, out) in lower.chunks_exact(x.len()).zip(rest.as_chunks_mut::<1>().0) {
        // SAFETY: the caller vouches for the features.
        unsafe { dot_rows::<L, 1>(row, x, out) };
    }
}

/// The inner products of `ROWS` consecutive rows with `x`. Registers are counted, not iterated over: iterators of arrays would be
/// functions without the level's features.
#[allow(clippy::needless_range_loop)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
#[inline(always)]
unsafe fn dot_rows<L: FusedFloats, const ROWS: usize>(matrix: &[f32], x: &[f32], out: &mut [f32; ROWS]) {
    let (groups, rest) = x.as_chunks::<GROUP>();
    let row = |i| matrix[i * x.len()..(i + 1) * x.len()].as_chunks::<GROUP>();
    let rows: [&[[f32; GROUP]]; ROWS] = std::array::from_fn(|i| &row(i).0[..groups.len()]);
    // SAFETY: the caller vouches for the features.
    unsafe {
        let mut sums = [L::wide_zero(); ROWS];
        for (j, x) in groups.iter().enumerate() {
            let mut short = [L::zero(); ROWS];
            for k in 0..GROUP / LANES {
                let x = L::load(lanes(x, k));
                for i in 0..ROWS {
                    short[i] = L::load(lanes(&rows[i][j], k)).multiply_add(x, short[i]);
                }
            }
            for i in 0..ROWS {
                sums[i] = short[i].add_to_wide(sums[i]);
            }
        }
        for i in 0..ROWS {
            let rest: f64 = row(i).1.iter().zip(rest).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            out[i] = (L::wide_total(sums[i]) + rest) as f32;
        }
    }
}

/// The `k`th register's worth of a group.
#[inline(always)]
fn lanes(group: &[f32; GROUP], k: usize) -> &[f32; LANES] {
    &group.as_chunks::<LANES>().0[k]
}
