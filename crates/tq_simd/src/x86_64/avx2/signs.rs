//! Rows of sign bits, several at once: 64 dimensions a step.
//!
//! A step copies eight bytes of a row over a register, and lane `l` of eight bytes keeps bit `l` of each (see
//! `slots`), then, shifted, bit `l + 4`: bytes of 0 or `2^l`, at most 8, so that products with the query and sums of
//! some of them stay within 16 bits. The factor is the same for a whole lane, and is shifted away once a row.
#![allow(unsafe_code)]

use crate::prefetch::prefetch_ahead;
use crate::slots::{SignLayout, SignLine, Slots, last_bits};
use std::arch::x86_64::*;

/// Rows at once, so that one row's additions needn't wait for each other.
const ROWS: usize = 4;

/// Steps whose sums 16 bits hold: each adds four products of at most `8 · 127`.
const STEPS_PER_SPILL: usize = 8;

/// See [`crate::SignQuery::sums`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn sums(query: &SignLayout, slots: Slots<'_>, out: &mut [i32]) {
    if out.len() < ROWS {
        for (row, out) in out.iter_mut().enumerate() {
            let [products] = products::<1>(query, slots, row);
            [*out, ..] = finish([products; ROWS], query.total);
        }
        return;
    }
    for first in (0..out.len()).step_by(ROWS) {
        // The last few rows are summed with some of those before them, once more.
        let first = first.min(out.len() - ROWS);
        let sums = finish(products::<ROWS>(query, slots, first), query.total);
        out[first..][..ROWS].copy_from_slice(&sums);
    }
}

/// The sums of `k_i` over the bits that are set, spread over the lanes, for neighbouring rows.
#[inline]
#[target_feature(enable = "avx2")]
fn products<const ROWS: usize>(query: &SignLayout, slots: Slots<'_>, first: usize) -> [__m256i; ROWS] {
    let (whole, lines) = (slots.len / 8, &query.lines[..]);
    let mut bits = [&[][..]; ROWS];
    let mut steps = [&[][..]; ROWS];
    for row in 0..ROWS {
        prefetch_ahead(slots.start(first + row), slots.offset + slots.len);
        bits[row] = slots.bits(first + row);
        steps[row] = &bits[row].as_chunks::<8>().0[..whole];
    }
    let mut sums = [_mm256_setzero_si256(); ROWS];
    let mut step = 0;
    while step < whole {
        let end = whole.min(step + STEPS_PER_SPILL);
        let mut pairs = [_mm256_setzero_si256(); ROWS];
        for step in step..end {
            let query = load(&lines[step]);
            for row in 0..ROWS {
                pairs[row] = add(pairs[row], u64::from_le_bytes(steps[row][step]), query);
            }
        }
        for row in 0..ROWS {
            sums[row] = spill(sums[row], pairs[row]);
        }
        step = end;
    }
    if let Some(line) = lines.get(whole) {
        let query = load(line);
        for row in 0..ROWS {
            sums[row] = spill(sums[row], add(_mm256_setzero_si256(), last_bits(bits[row]), query));
        }
    }
    for sum in &mut sums {
        *sum = shift_lanes(*sum);
    }
    sums
}

/// The halves of a line: what meets bits 0 to 3, and bits 4 to 7.
#[inline]
#[target_feature(enable = "avx2")]
fn load(line: &SignLine) -> [__m256i; 2] {
    let halves = line.0.as_chunks::<32>().0;
    // SAFETY: each array is 32 readable bytes, and the loads ask for no alignment.
    unsafe { [_mm256_loadu_si256(halves[0].as_ptr().cast()), _mm256_loadu_si256(halves[1].as_ptr().cast())] }
}

/// Adds the products of 64 dimensions, in pairs of neighbouring bytes, to 16 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn add(pairs: __m256i, bits: u64, query: [__m256i; 2]) -> __m256i {
    const EACH: i64 = 0x0101_0101_0101_0101;
    let select = _mm256_set_epi64x(EACH << 3, EACH << 2, EACH << 1, EACH);
    let bits = _mm256_set1_epi64x(bits as i64);
    let low = _mm256_and_si256(bits, select);
    let high = _mm256_and_si256(_mm256_srli_epi64::<4>(bits), select);
    let pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(low, query[0]));
    _mm256_add_epi16(pairs, _mm256_maddubs_epi16(high, query[1]))
}

/// Moves sums from 16 bits to 32.
#[inline]
#[target_feature(enable = "avx2")]
fn spill(sums: __m256i, pairs: __m256i) -> __m256i {
    _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
}

/// Takes the factor `2^l` off the two sums of lane `l`, of which they are multiples.
#[inline]
#[target_feature(enable = "avx2")]
fn shift_lanes(sums: __m256i) -> __m256i {
    _mm256_srav_epi32(sums, _mm256_set_epi32(3, 3, 2, 2, 1, 1, 0, 0))
}

/// Twice the sum of each register's lanes, less the total.
#[inline]
#[target_feature(enable = "avx2")]
fn finish([a, b, c, d]: [__m256i; ROWS], total: i32) -> [i32; ROWS] {
    let sums = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    let sums = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
    let sums = _mm_sub_epi32(_mm_slli_epi32::<1>(sums), _mm_set1_epi32(total));
    let mut out = [0; ROWS];
    // SAFETY: the array is 16 writable bytes, and the store asks for no alignment.
    unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), sums) };
    out
}
