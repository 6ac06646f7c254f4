//! Rows of 8 bit codes and of trellis codes, where the processor can permute bytes through two registers (VBMI).
//!
//! A gather of sixteen entries costs sixteen loads. Instead the codebook is four planes of 256 bytes, each in four registers: `vpermi2b`
//! looks 64 codes up in 128 bytes, twice, and the code's top bit chooses. Unpacking interleaves the four bytes of each entry:
//! it works within 128-bit quarters, so the codes' dwords are transposed first, and the floats come out in dimension order.
//!
//! The windows of a trellis are bytes at every second or fourth bit: `vpermb` brings the bytes of four windows together, in the
//! transposed order at once, and `vpmultishiftqb` cuts the windows out. Their fixed tables need two planes of 128 bytes alone.
#![allow(unsafe_code)]

use super::{
    ADDITIONS_PER_SPILL, Sums, first_bytes, first_lanes, load_codes, load_codes_tail, load_line,
    load_residual, load_residual_tail,
};
use crate::layout::{ByteLine, Layout};
use std::arch::x86_64::*;

/// Sums one row of 8 bit codes if `BITS` is 8, else of a trellis of `BITS` 2 or 4, whose residual is used when `RESIDUAL`. The layout has
/// byte planes.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx2,fma,f16c")]
pub(crate) fn row<const BITS: usize, const MEASURE: u8, const RESIDUAL: bool>(
    layout: &Layout,
    codes: &[u8],
    residual: &[u8],
) -> (f64, f64) {
    if BITS < 8 && layout.short_planes {
        sum::<BITS, MEASURE, RESIDUAL, true>(layout, codes, residual)
    } else {
        sum::<BITS, MEASURE, RESIDUAL, false>(layout, codes, residual)
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx2,fma,f16c")]
fn sum<const BITS: usize, const MEASURE: u8, const RESIDUAL: bool, const SHORT: bool>(
    layout: &Layout,
    codes: &[u8],
    residual: &[u8],
) -> (f64, f64) {
    let planes = if SHORT { [[_mm512_setzero_si512(); 4]; 4] } else { load_planes(&layout.planes) };
    let short = load_short_planes(&layout.planes);
    let (whole, rest) = (layout.query.len() / 64, layout.query.len() % 64);
    let (queries, _) = layout.natural.as_chunks::<4>();
    let (centres, _) = layout.centre_natural(MEASURE).as_chunks::<4>();
    let (residuals, residual_tail) = residual.as_chunks::<128>();

    let mut sums = Sums::<4>::zero();
    for (i, (query, centre)) in queries[..whole].iter().zip(centres).enumerate() {
        if i > 0 && i % ADDITIONS_PER_SPILL == 0 {
            sums.spill::<MEASURE>();
        }
        let codes = transposed::<BITS>(codes, i);
        let rows = if SHORT { look_up_short(&short, codes) } else { look_up(&planes, codes) };
        for step in 0..4 {
            let mut row = rows[step];
            if RESIDUAL {
                row = _mm512_add_ps(row, load_residual(&residuals[i].as_chunks::<32>().0[step]));
            }
            sums.add::<MEASURE>(step, load_line(&query[step]), load_line(&centre[step]), row);
        }
    }
    if rest > 0 {
        let codes = transposed::<BITS>(codes, whole);
        let rows = if SHORT { look_up_short(&short, codes) } else { look_up(&planes, codes) };
        let (query, centre) = (&queries[whole], &centres[whole]);
        for (step, mut row) in rows.into_iter().enumerate() {
            let done = rest.min(16 * step);
            if RESIDUAL {
                row = _mm512_add_ps(row, load_residual_tail(&residual_tail[2 * done..]));
            }
            let row = _mm512_maskz_mov_ps(first_lanes(rest - done), row);
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

/// The upper two planes of the lower 128 entries, each in two registers.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_short_planes(planes: &[ByteLine]) -> [[__m512i; 2]; 2] {
    let (planes, _) = planes.as_chunks::<4>();
    std::array::from_fn(|plane| {
        std::array::from_fn(|line| {
            // SAFETY: a `ByteLine` is 64 readable bytes, aligned to 64.
            unsafe { _mm512_load_si512(planes[2 + plane][line].0.as_ptr().cast()) }
        })
    })
}

/// The numbers of the entries of dimensions `64 · block` to `64 · block + 63`, as far as there are codes: dwords in the order 0, 4, 8, 12, 1, 5, ….
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")]
fn transposed<const BITS: usize>(codes: &[u8], block: usize) -> __m512i {
    if BITS == 8 {
        let transpose = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
        let codes = match codes.as_chunks::<64>() {
            (blocks, _) if block < blocks.len() => load_codes(&blocks[block]),
            (_, tail) => load_codes_tail(tail),
        };
        return _mm512_permutexvar_epi32(transpose, codes);
    }
    let (bytes, shifts) = (const { bytes_of_windows(BITS) }, const { shifts_of_windows(BITS) });
    // The byte before the block comes first, zero before the row.
    let start = 8 * BITS * block;
    let there = first_bytes(1 + (codes.len() - start).min(8 * BITS));
    let there = if block == 0 { there & !1 } else { there };
    let from = codes.as_ptr().wrapping_add(start).wrapping_sub(1);
    // SAFETY: the mask selects, of the bytes from `start - 1` on, those inside the slice: none before its beginning, since the first is
    // left out where `start` is 0, and none beyond `codes.len()`. Masked-off bytes are not touched. The tables are 64 readable bytes.
    unsafe {
        let stream = _mm512_maskz_loadu_epi8(there, from.cast());
        let stream = _mm512_permutexvar_epi8(_mm512_load_si512(bytes.0.as_ptr().cast()), stream);
        _mm512_multishift_epi64_epi8(_mm512_load_si512(shifts.0.as_ptr().cast()), stream)
    }
}

/// The number that dword `m` of a transposed register has in order.
const fn dword(m: usize) -> usize {
    m % 4 * 4 + m / 4
}

/// For each dword of windows of a trellis the four bytes of the stream from which they are cut, counted from the byte before it.
const fn bytes_of_windows(bits: usize) -> ByteLine {
    let mut bytes = [0; 64];
    let mut k = 0;
    while k < 64 {
        bytes[k] = (dword(k / 4) * bits / 2 + k % 4) as u8;
        k += 1;
    }
    ByteLine(bytes)
}

/// For each window of a trellis the bit of its qword at which it begins.
const fn shifts_of_windows(bits: usize) -> ByteLine {
    let mut shifts = [0; 64];
    let mut k = 0;
    while k < 64 {
        shifts[k] = (k / 4 % 2 * 32 + bits * (k % 4 + 1)) as u8;
        k += 1;
    }
    ByteLine(shifts)
}

/// The codebook entries of 64 transposed codes, in order.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")]
fn look_up(planes: &[[__m512i; 4]; 4], codes: __m512i) -> [__m512; 4] {
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

/// The same where the lower halves of entries are zero and complementary numbers have opposite entries: one look-up for each of two
/// planes, of the number or its complement, and a sign.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")]
fn look_up_short(planes: &[[__m512i; 2]; 2], codes: __m512i) -> [__m512; 4] {
    let upper = _mm512_movm_epi8(_mm512_movepi8_mask(codes));
    let lower = _mm512_xor_si512(codes, upper);
    let low = _mm512_permutex2var_epi8(planes[0][0], lower, planes[0][1]);
    let high = _mm512_permutex2var_epi8(planes[1][0], lower, planes[1][1]);
    let high = _mm512_xor_si512(high, _mm512_and_si512(upper, _mm512_set1_epi8(i8::MIN)));
    let zero = _mm512_setzero_si512();
    let (first, last) = (_mm512_unpacklo_epi8(low, high), _mm512_unpackhi_epi8(low, high));
    [
        _mm512_castsi512_ps(_mm512_unpacklo_epi16(zero, first)),
        _mm512_castsi512_ps(_mm512_unpackhi_epi16(zero, first)),
        _mm512_castsi512_ps(_mm512_unpacklo_epi16(zero, last)),
        _mm512_castsi512_ps(_mm512_unpackhi_epi16(zero, last)),
    ]
}
