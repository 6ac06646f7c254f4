//! Dense float work in four `f64` lanes.
#![allow(unsafe_code)]

use crate::measure;
use std::arch::x86_64::*;

/// `out[i] = f32(Σ_j matrix[i][j] · x[j])`, eight rows at a time so that `x` is widened once for all of them.
#[target_feature(enable = "avx2,fma,f16c")]
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
#[target_feature(enable = "avx2,fma,f16c")]
fn dot_rows<const ROWS: usize>(matrix: &[f64], x: &[f32]) -> [f32; ROWS] {
    let (blocks, tail) = x.as_chunks::<4>();
    let (rows, tails) = split_rows::<ROWS>(matrix, x.len());
    let mut sums = [_mm256_setzero_pd(); ROWS];
    for (j, x) in blocks.iter().enumerate() {
        let x = widen(x);
        for (sum, row) in sums.iter_mut().zip(&rows) {
            *sum = _mm256_fmadd_pd(load(&row[j]), x, *sum);
        }
    }
    std::array::from_fn(|i| {
        let rest: f64 = tails[i].iter().zip(tail).map(|(m, x)| m * f64::from(*x)).sum();
        (total(sums[i]) + rest) as f32
    })
}

/// `ROWS` consecutive rows, as whole registers and what is left of each.
#[inline]
fn split_rows<const ROWS: usize>(matrix: &[f64], columns: usize) -> ([&[[f64; 4]]; ROWS], [&[f64]; ROWS]) {
    let row = |i| matrix[i * columns..(i + 1) * columns].as_chunks::<4>();
    (std::array::from_fn(|i| &row(i).0[..columns / 4]), std::array::from_fn(|i| row(i).1))
}

/// `sums[j] += Σ_i matrix[i][j] · y[i]`, four rows at a time so that the sums pass through memory a quarter as often.
#[target_feature(enable = "avx2,fma,f16c")]
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
#[target_feature(enable = "avx2,fma,f16c")]
fn add_scaled<const ROWS: usize>(matrix: &[f64], y: &[f32; ROWS], sums: &mut [f64]) {
    let columns = sums.len();
    let (rows, tails) = split_rows::<ROWS>(matrix, columns);
    let factors = y.map(|y| _mm256_set1_pd(f64::from(y)));
    let (blocks, tail) = sums.as_chunks_mut::<4>();
    for (j, block) in blocks.iter_mut().enumerate() {
        let mut sum = load(block);
        for (factor, row) in factors.iter().zip(&rows) {
            sum = _mm256_fmadd_pd(load(&row[j]), *factor, sum);
        }
        // SAFETY: the array is 32 writable bytes, and the store asks for no alignment.
        unsafe { _mm256_storeu_pd(block.as_mut_ptr(), sum) };
    }
    for (j, sum) in tail.iter_mut().enumerate() {
        for (y, tail) in y.iter().zip(&tails) {
            *sum += tail[j] * f64::from(*y);
        }
    }
}

/// One of the sums of [`measure`] over two vectors: the product, difference or magnitude sum, and the two squared norms.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn pair<const MEASURE: u8>(a: &[f32], b: &[f32]) -> (f64, f64, f64) {
    let zero = _mm256_setzero_pd();
    let mut sums = [[zero; 4]; 3];
    let ((a, a_tail), (b, b_tail)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    for (a, b) in a.iter().zip(b) {
        let ((a, _), (b, _)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
        for slot in 0..4 {
            add_pair::<MEASURE>(&mut sums, slot, widen(&a[slot]), widen(&b[slot]));
        }
    }
    for (a, b) in a_tail.chunks(4).zip(b_tail.chunks(4)) {
        let (mut a_padded, mut b_padded) = ([0.0; 4], [0.0; 4]);
        a_padded[..a.len()].copy_from_slice(a);
        b_padded[..b.len()].copy_from_slice(b);
        add_pair::<MEASURE>(&mut sums, 0, widen(&a_padded), widen(&b_padded));
    }
    let [first, second, third] =
        sums.map(|[a, b, c, d]| total(_mm256_add_pd(_mm256_add_pd(a, b), _mm256_add_pd(c, d))));
    (first, second, third)
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn add_pair<const MEASURE: u8>(sums: &mut [[__m256d; 4]; 3], slot: usize, a: __m256d, b: __m256d) {
    let difference = _mm256_sub_pd(a, b);
    sums[0][slot] = match MEASURE {
        measure::SQUARED_L2 => _mm256_fmadd_pd(difference, difference, sums[0][slot]),
        measure::L1 => _mm256_add_pd(_mm256_andnot_pd(_mm256_set1_pd(-0.0), difference), sums[0][slot]),
        _ => _mm256_fmadd_pd(a, b, sums[0][slot]),
    };
    if MEASURE == measure::DOT_AND_NORM {
        sums[1][slot] = _mm256_fmadd_pd(a, a, sums[1][slot]);
        sums[2][slot] = _mm256_fmadd_pd(b, b, sums[2][slot]);
    }
}

/// The sum of all lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn total(sum: __m256d) -> f64 {
    let sum = _mm_add_pd(_mm256_castpd256_pd128(sum), _mm256_extractf128_pd::<1>(sum));
    _mm_cvtsd_f64(_mm_add_sd(sum, _mm_unpackhi_pd(sum, sum)))
}

#[inline]
#[target_feature(enable = "avx")]
fn load(values: &[f64; 4]) -> __m256d {
    // SAFETY: the array is 32 readable bytes, and the load asks for no alignment.
    unsafe { _mm256_loadu_pd(values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx")]
fn widen(values: &[f32; 4]) -> __m256d {
    // SAFETY: the array is 16 readable bytes, and the load asks for no alignment.
    _mm256_cvtps_pd(unsafe { _mm_loadu_ps(values.as_ptr()) })
}
