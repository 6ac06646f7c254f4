//! Rows of 2 and 4 bit codes without residuals: 16 bytes of codes at a time.
//!
//! Each byte goes to a lane of its own. The look-up ignores what lies above an index: `vpermps` uses four bits, which are one
//! code of four bits or two of two. A table of pairs finds either code of such a two, so that a byte is shifted only once at both widths.
//! The query lies in the matching order (see `layout`).
#![allow(unsafe_code)]

use super::{ADDITIONS_PER_SPILL, Sums, first_lanes, load_line};
use crate::layout::{Layout, Line};
use crate::measure;
use std::arch::x86_64::*;

/// Lanes of a register.
pub(crate) const LANES: usize = 16;

/// Sums one row. `BITS` is 2 or 4; the layout has strided order for [`LANES`]; there is no residual.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) fn row<const BITS: u32, const MEASURE: u8>(layout: &Layout, codes: &[u8], _: &[u8]) -> (f64, f64) {
    // Eight chains of additions either way.
    if measure::has_squares(MEASURE) {
        sum::<BITS, MEASURE, 4>(layout, codes)
    } else {
        sum::<BITS, MEASURE, 8>(layout, codes)
    }
}

/// Sums one row, a turn of all accumulators at a time: 64 dimensions for four of them, 128 for eight.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn sum<const BITS: u32, const MEASURE: u8, const SLOTS: usize>(layout: &Layout, codes: &[u8]) -> (f64, f64) {
    let (turn, steps) = (SLOTS * LANES * BITS as usize / 8, 8 / BITS as usize);
    let whole = layout.query.len() / (SLOTS * LANES);
    let rest = layout.query.len() % (SLOTS * LANES);
    let (turns, tail) = codes.split_at(turn * whole);
    let tables = Tables::new::<BITS>(&layout.table[0]);

    let mut sums = Sums::<SLOTS>::zero();
    let centre = layout.centre_strided(MEASURE);
    let lines = layout.strided.as_chunks::<SLOTS>().0.iter().zip(centre.as_chunks::<SLOTS>().0);
    for (i, (codes, (query, centre))) in turns.chunks_exact(turn).zip(lines).enumerate() {
        if i > 0 && i % ADDITIONS_PER_SPILL == 0 {
            sums.spill::<MEASURE>();
        }
        for (i, block) in codes.as_chunks::<16>().0.iter().enumerate() {
            let rows = tables.look_up::<BITS>(spread(block));
            for (step, row) in rows.into_iter().take(steps).enumerate() {
                let line = i * steps + step;
                sums.add::<MEASURE>(line, load_line(&query[line]), load_line(&centre[line]), row);
            }
        }
    }
    for (i, block) in tail.chunks(16).enumerate() {
        let rest = rest - i * LANES * steps;
        let lines = SLOTS * whole + i * steps..SLOTS * whole + (i + 1) * steps;
        let (query, centre) = (&layout.strided[lines.clone()], &centre[lines]);
        let rows = tables.look_up::<BITS>(spread_tail(block));
        for (step, (query, centre)) in query.iter().zip(centre).enumerate() {
            // Lane `l` holds dimension `steps · l + step` of the rest; beyond the end it must add nothing to a norm.
            let lanes = first_lanes((rest + steps - 1 - step) / steps);
            let row = _mm512_maskz_mov_ps(lanes, rows[step]);
            sums.add::<MEASURE>(step, load_line(query), load_line(centre), row);
        }
    }
    sums.finish::<MEASURE>()
}

/// What an index of four bits chooses: the entry of its lower code, and for codes of two bits also that of its upper code.
struct Tables {
    lower: __m512,
    upper: __m512,
}

impl Tables {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new<const BITS: u32>(table: &Line) -> Tables {
        let lower = load_line(table);
        let upper = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
        Tables { lower, upper: if BITS == 2 { _mm512_permutexvar_ps(upper, lower) } else { lower } }
    }

    /// The codebook entries of each lane's byte, lowest code first: four for 2 bits; two, twice, for 4.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn look_up<const BITS: u32>(&self, codes: __m512i) -> [__m512; 4] {
        let shifted = _mm512_srli_epi32::<4>(codes);
        if BITS == 2 {
            [
                _mm512_permutexvar_ps(codes, self.lower),
                _mm512_permutexvar_ps(codes, self.upper),
                _mm512_permutexvar_ps(shifted, self.lower),
                _mm512_permutexvar_ps(shifted, self.upper),
            ]
        } else {
            let rows = [_mm512_permutexvar_ps(codes, self.lower), _mm512_permutexvar_ps(shifted, self.lower)];
            [rows[0], rows[1], rows[0], rows[1]]
        }
    }
}

/// Sixteen bytes, one a lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn spread(codes: &[u8; 16]) -> __m512i {
    // SAFETY: the array is 16 readable bytes, and the load asks for no alignment.
    _mm512_cvtepu8_epi32(unsafe { _mm_loadu_si128(codes.as_ptr().cast()) })
}

/// Up to sixteen bytes, one a lane, zeros after them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn spread_tail(codes: &[u8]) -> __m512i {
    // SAFETY: the mask selects the first `min(16, codes.len())` bytes, and masked-off bytes are not touched.
    _mm512_cvtepu8_epi32(unsafe { _mm_maskz_loadu_epi8(first_lanes(codes.len()), codes.as_ptr().cast()) })
}
