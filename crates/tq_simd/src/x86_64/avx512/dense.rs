//! Dense float work in eight `f64` lanes.
#![allow(unsafe_code)]

use crate::measure;
use std::arch::x86_64::*;

/// `out[i] = f32(Σ_j matrix[i][j] · x[j])`, eight rows at a time so that `x` is widened once for all of them.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
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
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn dot_rows<const ROWS: usize>(matrix: &[f64], x: &[f32]) -> [f32; ROWS] {
    let (blocks, tail) = x.as_chunks::<8>();
    let (rows, tails) = split_rows::<ROWS>(matrix, x.len());
    let mut sums = [_mm512_setzero_pd(); ROWS];
    for (j, x) in blocks.iter().enumerate() {
        let x = widen(x);
        for (sum, row) in sums.iter_mut().zip(&rows) {
            *sum = _mm512_fmadd_pd(load(&row[j]), x, *sum);
        }
    }
    let x = widen_tail(tail);
    for (sum, tail) in sums.iter_mut().zip(tails) {
        *sum = _mm512_fmadd_pd(load_tail(tail), x, *sum);
    }
    sums.map(|sum| _mm512_reduce_add_pd(sum) as f32)
}

/// `ROWS` consecutive rows, as whole registers and what is left of each.
#[inline]
fn split_rows<const ROWS: usize>(matrix: &[f64], columns: usize) -> ([&[[f64; 8]]; ROWS], [&[f64]; ROWS]) {
    let row = |i| matrix[i * columns..(i + 1) * columns].as_chunks::<8>();
    (std::array::from_fn(|i| &row(i).0[..columns / 8]), std::array::from_fn(|i| row(i).1))
}

/// `sums[j] += Σ_i matrix[i][j] · y[i]`, four rows at a time so that the sums pass through memory a quarter as often.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
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
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn add_scaled<const ROWS: usize>(matrix: &[f64], y: &[f32; ROWS], sums: &mut [f64]) {
    let columns = sums.len();
    let (rows, tails) = split_rows::<ROWS>(matrix, columns);
    let factors = y.map(|y| _mm512_set1_pd(f64::from(y)));
    let (blocks, tail) = sums.as_chunks_mut::<8>();
    for (j, block) in blocks.iter_mut().enumerate() {
        let mut sum = load(block);
        for (factor, row) in factors.iter().zip(&rows) {
            sum = _mm512_fmadd_pd(load(&row[j]), *factor, sum);
        }
        // SAFETY: the array is 64 writable bytes, and the store asks for no alignment.
        unsafe { _mm512_storeu_pd(block.as_mut_ptr(), sum) };
    }
    for (j, sum) in tail.iter_mut().enumerate() {
        for (y, tail) in y.iter().zip(&tails) {
            *sum += tail[j] * f64::from(*y);
        }
    }
}

/// One of the sums of [`measure`] over two vectors: the product, difference or magnitude sum, and the two squared norms.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) fn pair<const MEASURE: u8>(a: &[f32], b: &[f32]) -> (f64, f64, f64) {
    let zero = _mm512_setzero_pd();
    let mut sums = [[zero; 4]; 3];
    let ((a, a_tail), (b, b_tail)) = (a.as_chunks::<32>(), b.as_chunks::<32>());
    for (a, b) in a.iter().zip(b) {
        let ((a, _), (b, _)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
        for slot in 0..4 {
            add_pair::<MEASURE>(&mut sums, slot, widen(&a[slot]), widen(&b[slot]));
        }
    }
    for (a, b) in a_tail.chunks(8).zip(b_tail.chunks(8)) {
        add_pair::<MEASURE>(&mut sums, 0, widen_tail(a), widen_tail(b));
    }
    let [first, second, third] = sums
        .map(|[a, b, c, d]| _mm512_reduce_add_pd(_mm512_add_pd(_mm512_add_pd(a, b), _mm512_add_pd(c, d))));
    (first, second, third)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn add_pair<const MEASURE: u8>(sums: &mut [[__m512d; 4]; 3], slot: usize, a: __m512d, b: __m512d) {
    let difference = _mm512_sub_pd(a, b);
    sums[0][slot] = match MEASURE {
        measure::SQUARED_L2 => _mm512_fmadd_pd(difference, difference, sums[0][slot]),
        measure::L1 => _mm512_add_pd(_mm512_abs_pd(difference), sums[0][slot]),
        _ => _mm512_fmadd_pd(a, b, sums[0][slot]),
    };
    if MEASURE == measure::DOT_AND_NORM {
        sums[1][slot] = _mm512_fmadd_pd(a, a, sums[1][slot]);
        sums[2][slot] = _mm512_fmadd_pd(b, b, sums[2][slot]);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(values: &[f64; 8]) -> __m512d {
    // SAFETY: the array is 64 readable bytes, and the load asks for no alignment.
    unsafe { _mm512_loadu_pd(values.as_ptr()) }
}

/// Fewer than eight values, zeros after them.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_tail(values: &[f64]) -> __m512d {
    // SAFETY: the mask selects the first `min(8, values.len())` values, and masked-off ones are not touched.
    unsafe { _mm512_maskz_loadu_pd(first(values.len()), values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn widen(values: &[f32; 8]) -> __m512d {
    // SAFETY: the array is 32 readable bytes, and the load asks for no alignment.
    _mm512_cvtps_pd(unsafe { _mm256_loadu_ps(values.as_ptr()) })
}

/// Up to eight values, zeros after them.
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn widen_tail(values: &[f32]) -> __m512d {
    // SAFETY: the mask selects the first `min(8, values.len())` values, and masked-off ones are not touched.
    _mm512_cvtps_pd(unsafe { _mm256_maskz_loadu_ps(first(values.len()), values.as_ptr()) })
}

/// A mask of the first `count` of 8.
#[inline]
fn first(count: usize) -> __mmask8 {
    if count >= 8 { u8::MAX } else { (1 << count) - 1 }
}
