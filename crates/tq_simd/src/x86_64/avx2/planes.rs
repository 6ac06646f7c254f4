//! Rows of 4 bit codes without residuals: 16 bytes of codes at a time.
//!
//! `vpermps` finds one of eight entries, so sixteen take two of them and a choice. `vpshufb` finds one of sixteen bytes, for 32
//! codes at once: the codebook is four planes of bytes, and unpacking interleaves the four bytes of each entry. It works within
//! 128-bit halves, of which the lower gets the first codes of each byte and the upper the second ones: eight
//! dimensions come out as `0 2 4 6 1 3 5 7`, the strided order of four lanes (see `layout`).
#![allow(unsafe_code)]

use super::{ADDITIONS_PER_SPILL, Sums, load_half};
use crate::layout::{ByteLine, Layout};
use std::arch::x86_64::*;

/// Lanes of half a register.
pub(crate) const LANES: usize = 4;

/// Dimensions of 16 bytes of codes.
const BLOCK: usize = 32;

/// Sums one row of 4 bit codes; the layout has strided order for [`LANES`] and byte planes; there is no residual.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn row<const MEASURE: u8>(layout: &Layout, codes: &[u8], _: &[u8]) -> (f64, f64) {
    let (whole, rest) = (layout.query.len() / BLOCK, layout.query.len() % BLOCK);
    let (blocks, queries) = (codes.as_chunks::<16>().0, layout.strided.as_chunks::<2>().0);
    let centres = layout.centre_strided(MEASURE).as_chunks::<2>().0;
    let planes = load_planes(&layout.planes[0]);

    let mut sums = Sums::zero();
    let lines = queries.iter().zip(centres);
    for (i, (codes, (query, centre))) in blocks[..whole].iter().zip(lines).enumerate() {
        if i > 0 && i % ADDITIONS_PER_SPILL == 0 {
            sums.spill::<MEASURE>();
        }
        for (slot, row) in look_up(&planes, codes).into_iter().enumerate() {
            let (query, centre) = (&query[slot / 2], &centre[slot / 2]);
            sums.add::<MEASURE>(slot, load_half(query, slot % 2), load_half(centre, slot % 2), row);
        }
    }
    if rest > 0 {
        let tail = &codes[16 * whole..];
        let mut padded = [0; 16];
        padded[..tail.len()].copy_from_slice(tail);
        let (query, centre) = (&queries[whole], &centres[whole]);
        let dimensions = _mm256_set_epi32(7, 5, 3, 1, 6, 4, 2, 0);
        for (slot, row) in look_up(&planes, &padded).into_iter().enumerate() {
            // Beyond the end of the row a lane must add nothing to a norm.
            let end = _mm256_set1_epi32(rest as i32 - 8 * slot as i32);
            let lanes = _mm256_castsi256_ps(_mm256_cmpgt_epi32(end, dimensions));
            let (query, centre) = (&query[slot / 2], &centre[slot / 2]);
            let row = _mm256_and_ps(lanes, row);
            sums.add::<MEASURE>(slot, load_half(query, slot % 2), load_half(centre, slot % 2), row);
        }
    }
    sums.finish::<MEASURE>()
}

/// Four planes of sixteen bytes, each in both halves of a register.
#[inline]
#[target_feature(enable = "avx2")]
fn load_planes(planes: &ByteLine) -> [__m256i; 4] {
    let (planes, _) = planes.0.as_chunks::<16>();
    std::array::from_fn(|plane| load_twice(&planes[plane]))
}

/// The codebook entries of 32 codes, eight dimensions a register.
#[inline]
#[target_feature(enable = "avx2")]
fn look_up(planes: &[__m256i; 4], codes: &[u8; 16]) -> [__m256; 4] {
    let shifts = _mm256_set_epi32(4, 4, 4, 4, 0, 0, 0, 0);
    let codes = _mm256_srlv_epi32(load_twice(codes), shifts);
    let codes = _mm256_and_si256(codes, _mm256_set1_epi8(0x0f));
    let [a, b, c, d] = planes.map(|plane| _mm256_shuffle_epi8(plane, codes));
    let (ab_low, ab_high) = (_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b));
    let (cd_low, cd_high) = (_mm256_unpacklo_epi8(c, d), _mm256_unpackhi_epi8(c, d));
    [
        _mm256_castsi256_ps(_mm256_unpacklo_epi16(ab_low, cd_low)),
        _mm256_castsi256_ps(_mm256_unpackhi_epi16(ab_low, cd_low)),
        _mm256_castsi256_ps(_mm256_unpacklo_epi16(ab_high, cd_high)),
        _mm256_castsi256_ps(_mm256_unpackhi_epi16(ab_high, cd_high)),
    ]
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_twice(bytes: &[u8; 16]) -> __m256i {
    // SAFETY: the array is 16 readable bytes, and the load asks for no alignment.
    _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
}
