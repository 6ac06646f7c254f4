//! Rows of 2 and 4 bit codes without residuals: 64 bytes of codes at a time.
//!
//! Sixteen dwords of codes are shifted together, a code's width a step, so that each lane's next code comes to the bottom of its
//! dword. The look-up ignores the bits above it: `vpermps` uses four bits of an index, `vpermilps` two. The query lies in
//! the matching order (see `layout`).

use super::{ADDITIONS_PER_SPILL, Sums, first_lanes, load_codes, load_codes_tail, load_line};
use crate::layout::Layout;
use std::arch::x86_64::*;

/// Lanes of a register.
pub(crate) const LANES: usize = 16;

/// Sums one row. `BITS` is 2 or 4; the layout has strided order for [`LANES`]; there is no residual.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) fn row<const BITS: u32, const MEASURE: u8>(layout: &Layout, codes: &[u8], _: &[u8]) -> (f64, f64) {
    let steps = 32 / BITS as usize;
    let (whole, rest) = (layout.query.len() / (LANES * steps), layout.query.len() % (LANES * steps));
    let (blocks, tail) = codes.split_at(64 * whole);
    let (blocks, _) = blocks.as_chunks::<64>();
    let table = load_line(&layout.table[0]);

    let mut sums = Sums::zero();
    let group = 4 * ADDITIONS_PER_SPILL / steps;
    for (i, (blocks, queries)) in blocks.chunks(group).zip(layout.strided.chunks(group * steps)).enumerate() {
        if i > 0 {
            sums.spill::<MEASURE>();
        }
        for (codes, query) in blocks.iter().zip(queries.chunks_exact(steps)) {
            let mut codes = load_codes(codes);
            // In fours, so that the choice of an accumulator is settled at compile time.
            for query in query.as_chunks::<4>().0 {
                for (slot, query) in query.iter().enumerate() {
                    sums.add::<MEASURE>(slot, load_line(query), look_up::<BITS>(table, codes));
                    codes = _mm512_srli_epi32::<BITS>(codes);
                }
            }
        }
    }
    if rest > 0 {
        let mut codes = load_codes_tail(tail);
        for (step, query) in layout.strided[steps * whole..].iter().enumerate() {
            // Lane `l` holds dimension `steps · l + step` of the rest; beyond the end it must add nothing to a norm.
            let lanes = first_lanes((rest + steps - 1 - step) / steps);
            let row = _mm512_maskz_mov_ps(lanes, look_up::<BITS>(table, codes));
            sums.add::<MEASURE>(step, load_line(query), row);
            codes = _mm512_srli_epi32::<BITS>(codes);
        }
    }
    sums.finish::<MEASURE>()
}

/// The codebook entries of the lowest code in each lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn look_up<const BITS: u32>(table: __m512, codes: __m512i) -> __m512 {
    match BITS {
        2 => _mm512_permutevar_ps(table, codes),
        _ => _mm512_permutexvar_ps(codes, table),
    }
}
