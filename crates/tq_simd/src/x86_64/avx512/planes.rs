//! Rows of 8 bit codes, where the processor can permute bytes through two registers (VBMI).
//!
//! A gather of sixteen entries costs sixteen loads. Instead the codebook is four planes of 256 bytes, each in four registers: `vpermi2b`
//! looks 64 codes up in 128 bytes, twice, and the code's top bit chooses. Unpacking interleaves the four bytes of each entry:
//! it works within 128-bit quarters, so the codes' dwords are transposed first, and the floats come out in dimension order.
#![allow(unsafe_code)]

use super::{
    ADDITIONS_PER_SPILL, Sums, first_lanes, load_codes, load_codes_tail, load_line, load_residual,
    load_residual_tail,
};
use crate::layout::{ByteLine, Layout};
use std::arch::x86_64::*;

/// Sums one row, whose residual is used when `RESIDUAL`. The layout has byte planes.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx2,fma,f16c")]
pub(crate) fn row<const MEASURE: u8, const RESIDUAL: bool>(
    layout: &Layout,
    codes: &[u8],
    residual: &[u8],
) -> (f64, f64) {
    let planes = load_planes(&layout.planes);
    let (blocks, tail) = codes.as_chunks::<64>();
    let (queries, _) = layout.natural.as_chunks::<4>();
    let (centres, _) = layout.centre_natural(MEASURE).as_chunks::<4>();
    let (residuals, residual_tail) = residual.as_chunks::<128>();

    let mut sums = Sums::<4>::zero();
    for (i, (codes, (query, centre))) in blocks.iter().zip(queries.iter().zip(centres)).enumerate() {
        if i > 0 && i % ADDITIONS_PER_SPILL == 0 {
            sums.spill::<MEASURE>();
        }
        let rows = look_up(&planes, load_codes(codes));
        for step in 0..4 {
            let mut row = rows[step];
            if RESIDUAL {
                row = _mm512_add_ps(row, load_residual(&residuals[i].as_chunks::<32>().0[step]));
            }
            sums.add::<MEASURE>(step, load_line(&query[step]), load_line(&centre[step]), row);
        }
    }
    if !tail.is_empty() {
        let rows = look_up(&planes, load_codes_tail(tail));
        let (query, centre) = (&queries[blocks.len()], &centres[blocks.len()]);
        for (step, mut row) in rows.into_iter().enumerate() {
            let done = tail.len().min(16 * step);
            if RESIDUAL {
                row = _mm512_add_ps(row, load_residual_tail(&residual_tail[2 * done..]));
            }
            let row = _mm512_maskz_mov_ps(first_lanes(tail.len() - done), row);
            sums.add::<MEASURE>(step, load_line(&query[step]), load_line(&centre[step]), row);
        }
    }
    sums.finish::<MEASURE>()
}

/// Four planes of four registers.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_planes(planes: &[ByteLine]) -> [[__m512i; 4]; 4] {
    let (planes, _) = planes.as_chunks::<4>();
    std::array::from_fn(|plane| {
        std::array::from_fn(|line| {
            // SAFETY: a `ByteLine` is 64 readable bytes, aligned to 64.
            unsafe { _mm512_load_si512(planes[plane][line].0.as_ptr().cast()) }
        })
    })
}

/// The codebook entries of 64 codes, in order.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")]
fn look_up(planes: &[[__m512i; 4]; 4], codes: __m512i) -> [__m512; 4] {
    let transpose = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    let codes = _mm512_permutexvar_epi32(transpose, codes);
    let upper = _mm512_movepi8_mask(codes);
    let [a, b, c, d] = planes.map(|plane| {
        let low = _mm512_permutex2var_epi8(plane[0], codes, plane[1]);
        let high = _mm512_permutex2var_epi8(plane[2], codes, plane[3]);
        _mm512_mask_blend_epi8(upper, low, high)
    });
    let (ab_low, ab_high) = (_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b));
    let (cd_low, cd_high) = (_mm512_unpacklo_epi8(c, d), _mm512_unpackhi_epi8(c, d));
    [
        _mm512_castsi512_ps(_mm512_unpacklo_epi16(ab_low, cd_low)),
        _mm512_castsi512_ps(_mm512_unpackhi_epi16(ab_low, cd_low)),
        _mm512_castsi512_ps(_mm512_unpacklo_epi16(ab_high, cd_high)),
        _mm512_castsi512_ps(_mm512_unpackhi_epi16(ab_high, cd_high)),
    ]
}
