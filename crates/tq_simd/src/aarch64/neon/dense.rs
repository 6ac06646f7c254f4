//! Dense float work in two `f64` lanes.
#![allow(unsafe_code)]

use crate::measure;
use std::arch::aarch64::*;

/// `out[i] = f32(Σ_j matrix[i][j] · x[j])`, eight rows at a time so that `x` is widened once for all of them.
#[target_feature(enable = "neon")]
pub(crate) fn rotate(matrix: &[f64], x: &[f32], out: &mut [f32]) {
    let (groups, rest) = out.as_chunks_mut::<8>();
    let (upper, lower) = matrix.split_at(8 * groups.len() * x.len());
    for (rows, out) in upper.chunks_exact(8 * x.len()).zip(groups) {
        *out = dot_rows::<8>(rows, x);
    }
    for (row, out) in lower.chunks_exact(x.len()).zip(rest) {
        [*out] = dot_rows::<1>(row, x);
    }
}

/// The inner products of `ROWS` consecutive rows with `x`.
#[inline]
#[target_feature(enable = "neon")]
fn dot_rows<const ROWS: usize>(matrix: &[f64], x: &[f32]) -> [f32; ROWS] {
    let (blocks, tail) = x.as_chunks::<2>();
    let (rows, tails) = split_rows::<ROWS>(matrix, x.len());
    let mut sums = [vdupq_n_f64(0.0); ROWS];
    for (j, x) in blocks.iter().enumerate() {
        let x = widen(x);
        for (sum, row) in sums.iter_mut().zip(&rows) {
            *sum = vfmaq_f64(*sum, load(&row[j]), x);
        }
    }
    std::array::from_fn(|i| {
        let rest: f64 = tails[i].iter().zip(tail).map(|(m, x)| m * f64::from(*x)).sum();
        (vaddvq_f64(sums[i]) + rest) as f32
    })
}

/// `ROWS` consecutive rows, as whole registers and what is left of each.
#[inline]
fn split_rows<const ROWS: usize>(matrix: &[f64], columns: usize) -> ([&[[f64; 2]]; ROWS], [&[f64]; ROWS]) {
    let row = |i| matrix[i * columns..(i + 1) * columns].as_chunks::<2>();
    (std::array::from_fn(|i| &row(i).0[..columns / 2]), std::array::from_fn(|i| row(i).1))
}

/// `sums[j] += Σ_i matrix[i][j] · y[i]`, four rows at a time so that the sums pass through memory a quarter as often.
#[target_feature(enable = "neon")]
pub(crate) fn add_rows(matrix: &[f64], y: &[f32], sums: &mut [f64]) {
    let (groups, rest) = y.as_chunks::<4>();
    let (upper, lower) = matrix.split_at(4 * groups.len() * sums.len());
    for (rows, y) in upper.chunks_exact(4 * sums.len()).zip(groups) {
        add_scaled::<4>(rows, y, sums);
    }
    for (row, y) in lower.chunks_exact(sums.len()).zip(rest) {
        add_scaled::<1>(row, &[*y], sums);
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn add_scaled<const ROWS: usize>(matrix: &[f64], y: &[f32; ROWS], sums: &mut [f64]) {
    let (rows, tails) = split_rows::<ROWS>(matrix, sums.len());
    let factors = y.map(|y| vdupq_n_f64(f64::from(y)));
    let (blocks, tail) = sums.as_chunks_mut::<2>();
    for (j, block) in blocks.iter_mut().enumerate() {
        let mut sum = load(block);
        for (factor, row) in factors.iter().zip(&rows) {
            sum = vfmaq_f64(sum, load(&row[j]), *factor);
        }
        // SAFETY: the array is 16 writable bytes, and the store asks for no more alignment than a float has.
        unsafe { vst1q_f64(block.as_mut_ptr(), sum) };
    }
    for (j, sum) in tail.iter_mut().enumerate() {
        for (y, tail) in y.iter().zip(&tails) {
            *sum += tail[j] * f64::from(*y);
        }
    }
}

/// One of the sums of [`measure`] over two vectors: the product, difference or magnitude sum, and the two squared norms.
#[target_feature(enable = "neon")]
pub(crate) fn pair<const MEASURE: u8>(a: &[f32], b: &[f32]) -> (f64, f64, f64) {
    let zero = vdupq_n_f64(0.0);
    let mut sums = [[zero; 4]; 3];
    let ((a, a_tail), (b, b_tail)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.iter().zip(b) {
        let ((a, _), (b, _)) = (a.as_chunks::<2>(), b.as_chunks::<2>());
        for slot in 0..4 {
            add_pair::<MEASURE>(&mut sums, slot, widen(&a[slot]), widen(&b[slot]));
        }
    }
    for (a, b) in a_tail.chunks(2).zip(b_tail.chunks(2)) {
        let (mut a_padded, mut b_padded) = ([0.0; 2], [0.0; 2]);
        a_padded[..a.len()].copy_from_slice(a);
        b_padded[..b.len()].copy_from_slice(b);
        add_pair::<MEASURE>(&mut sums, 0, widen(&a_padded), widen(&b_padded));
    }
    let [first, second, third] =
        sums.map(|[a, b, c, d]| vaddvq_f64(vaddq_f64(vaddq_f64(a, b), vaddq_f64(c, d))));
    (first, second, third)
}

#[inline]
#[target_feature(enable = "neon")]
fn add_pair<const MEASURE: u8>(
    sums: &mut [[float64x2_t; 4]; 3],
    slot: usize,
    a: float64x2_t,
    b: float64x2_t,
) {
    let difference = vsubq_f64(a, b);
    sums[0][slot] = match MEASURE {
        measure::SQUARED_L2 => vfmaq_f64(sums[0][slot], difference, difference),
        measure::L1 => vaddq_f64(sums[0][slot], vabsq_f64(difference)),
        _ => vfmaq_f64(sums[0][slot], a, b),
    };
    if MEASURE == measure::DOT_AND_NORM {
        sums[1][slot] = vfmaq_f64(sums[1][slot], a, a);
        sums[2][slot] = vfmaq_f64(sums[2][slot], b, b);
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn load(values: &[f64; 2]) -> float64x2_t {
    // SAFETY: the array is 16 readable bytes, and the load asks for no more alignment than a float has.
    unsafe { vld1q_f64(values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn widen(values: &[f32; 2]) -> float64x2_t {
    // SAFETY: the array is 8 readable bytes, and the load asks for no more alignment than a float has.
    vcvt_f64_f32(unsafe { vld1_f32(values.as_ptr()) })
}
