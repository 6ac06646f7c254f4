//! Rows of 2 and 4 bit codes without residuals: 32 bytes of codes at a time.
//!
//! Eight dwords of codes are shifted together, a code's width a step, so that each lane's next code comes to the bottom of its
//! dword, where the look-up finds it whatever lies above. The query lies in the matching order (see `layout`).

use super::{ADDITIONS_PER_SPILL, Sums, first_lanes, load_codes, load_half, look_up_four, look_up_sixteen};
use crate::layout::{Layout, Line};
use std::arch::x86_64::*;

/// Lanes of a register.
pub(crate) const LANES: usize = 8;

/// Sums one row. `BITS` is 2 or 4; the layout has strided order for [`LANES`]; there is no residual.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn row<const BITS: u32, const MEASURE: u8>(layout: &Layout, codes: &[u8], _: &[u8]) -> (f64, f64) {
    let steps = 32 / BITS as usize;
    let lines = steps / 2;
    let (whole, rest) = (layout.query.len() / (LANES * steps), layout.query.len() % (LANES * steps));
    let (blocks, tail) = codes.split_at(32 * whole);
    let (blocks, _) = blocks.as_chunks::<32>();
    let table = &layout.table[0];

    let mut sums = Sums::zero();
    let group = 4 * ADDITIONS_PER_SPILL / steps;
    for (i, (blocks, queries)) in blocks.chunks(group).zip(layout.strided.chunks(group * lines)).enumerate() {
        if i > 0 {
            sums.spill::<MEASURE>();
        }
        for (codes, query) in blocks.iter().zip(queries.chunks_exact(lines)) {
            let mut codes = load_codes(codes);
            // In fours, so that the choice of an accumulator is settled at compile time.
            for query in query.as_chunks::<2>().0 {
                for slot in 0..4 {
                    let row = look_up::<BITS>(table, codes);
                    sums.add::<MEASURE>(slot, load_half(&query[slot / 2], slot % 2), row);
                    codes = next::<BITS>(codes);
                }
            }
        }
    }
    if rest > 0 {
        let mut padded = [0; 32];
        padded[..tail.len()].copy_from_slice(tail);
        let mut codes = load_codes(&padded);
        let query = &layout.strided[lines * whole..];
        for step in 0..steps {
            // Lane `l` holds dimension `steps · l + step` of the rest; beyond the end it must add nothing to a norm.
            let lanes = first_lanes((rest + steps - 1 - step) / steps);
            let row = _mm256_and_ps(lanes, look_up::<BITS>(table, codes));
            sums.add::<MEASURE>(step, load_half(&query[step / 2], step % 2), row);
            codes = next::<BITS>(codes);
        }
    }
    sums.finish::<MEASURE>()
}

/// The codebook entries of the lowest code in each lane.
#[inline]
#[target_feature(enable = "avx2")]
fn look_up<const BITS: u32>(table: &Line, codes: __m256i) -> __m256 {
    match BITS {
        2 => look_up_four(table, codes),
        _ => look_up_sixteen(table, codes),
    }
}

/// Brings the next code of each lane to the bottom.
#[inline]
#[target_feature(enable = "avx2")]
fn next<const BITS: u32>(codes: __m256i) -> __m256i {
    match BITS {
        2 => _mm256_srli_epi32::<2>(codes),
        _ => _mm256_srli_epi32::<4>(codes),
    }
}
