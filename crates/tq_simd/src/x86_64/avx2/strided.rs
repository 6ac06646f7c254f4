//! Rows of 2 bit codes without residuals: 8 bytes of codes at a time.
//!
//! Each byte goes to a lane of its own and is shifted there, a code a step, so that the next code comes to the bottom, where the
//! look-up finds it whatever lies above. The query lies in the matching order (see `layout`).
#![allow(unsafe_code)]

use super::{ADDITIONS_PER_SPILL, Sums, first_lanes, load_half, look_up_four};
use crate::layout::{Layout, Line};
use std::arch::x86_64::*;

/// Lanes of a register.
pub(crate) const LANES: usize = 8;

/// Codes in a byte.
const STEPS: usize = 4;

/// Sums one row of 2 bit codes; the layout has strided order for [`LANES`]; there is no residual.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn row<const MEASURE: u8>(layout: &Layout, codes: &[u8], _: &[u8]) -> (f64, f64) {
    let whole = layout.query.len() / (LANES * STEPS);
    let rest = layout.query.len() % (LANES * STEPS);
    let (blocks, queries) = (codes.as_chunks::<LANES>().0, layout.strided.as_chunks::<2>().0);
    let centres = layout.centre_strided(MEASURE).as_chunks::<2>().0;
    let table = &layout.table[0];

    let mut sums = Sums::zero();
    let lines = queries.iter().zip(centres);
    for (i, (codes, (query, centre))) in blocks[..whole].iter().zip(lines).enumerate() {
        if i > 0 && i % ADDITIONS_PER_SPILL == 0 {
            sums.spill::<MEASURE>();
        }
        for (step, row) in look_up(table, codes).into_iter().enumerate() {
            let (query, centre) = (&query[step / 2], &centre[step / 2]);
            sums.add::<MEASURE>(step, load_half(query, step % 2), load_half(centre, step % 2), row);
        }
    }
    if rest > 0 {
        let tail = &codes[LANES * whole..];
        let mut padded = [0; LANES];
        padded[..tail.len()].copy_from_slice(tail);
        let (query, centre) = (&queries[whole], &centres[whole]);
        for (step, row) in look_up(table, &padded).into_iter().enumerate() {
            // Lane `l` holds dimension `4 · l + step` of the rest; beyond the end it must add nothing to a norm.
            let lanes = first_lanes((rest + STEPS - 1 - step) / STEPS);
            let (query, centre) = (&query[step / 2], &centre[step / 2]);
            let row = _mm256_and_ps(lanes, row);
            sums.add::<MEASURE>(step, load_half(query, step % 2), load_half(centre, step % 2), row);
        }
    }
    sums.finish::<MEASURE>()
}

/// The codebook entries of each lane's byte, lowest code first.
#[inline]
#[target_feature(enable = "avx2")]
fn look_up(table: &Line, codes: &[u8; LANES]) -> [__m256; STEPS] {
    let codes = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(i64::from_le_bytes(*codes)));
    [
        look_up_four(table, codes),
        look_up_four(table, _mm256_srli_epi32::<2>(codes)),
        look_up_four(table, _mm256_srli_epi32::<4>(codes)),
        look_up_four(table, _mm256_srli_epi32::<6>(codes)),
    ]
}
