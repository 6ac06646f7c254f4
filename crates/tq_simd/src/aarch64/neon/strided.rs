//! Rows of 2 and 4 bit codes without residuals: 16 bytes of codes at a time.
//!
//! Sixteen bytes are shifted together, a code's width a step, so that each lane's next code comes to the bottom of its byte. A look-up
//! uses four bits: for codes of two bits the table repeats, so that the upper two don't matter. The query lies in the
//! matching order (see `layout`).
#![allow(unsafe_code)]

use super::{STEPS_PER_SPILL, Sums, keep_first, load_bytes, load_planes, look_up_sixteen};
use crate::layout::Layout;
use std::arch::aarch64::*;

/// Lanes of a register of bytes.
pub(crate) const LANES: usize = 16;

/// Sums one row. `BITS` is 2 or 4; the layout has strided order for [`LANES`]; there is no residual.
#[target_feature(enable = "neon")]
pub(crate) fn row<const BITS: u32, const MEASURE: u8>(layout: &Layout, codes: &[u8], _: &[u8]) -> (f64, f64) {
    let steps = 8 / BITS as usize;
    let block = LANES * steps;
    let (whole, rest) = (layout.query.len() / block, layout.query.len() % block);
    let blocks = &codes.as_chunks::<16>().0[..whole];
    let planes = load_planes(&layout.table[0]);

    let centre = layout.centre_strided(MEASURE);
    let lines = layout.strided.chunks_exact(steps).zip(centre.chunks_exact(steps));
    let mut sums = Sums::zero();
    for (i, (codes, (query, centre))) in blocks.iter().zip(lines).enumerate() {
        if i > 0 && i % (STEPS_PER_SPILL / steps) == 0 {
            sums.spill::<MEASURE>();
        }
        let mut codes = load_bytes(codes);
        for (step, (query, centre)) in query.iter().zip(centre).enumerate() {
            sums.add::<MEASURE>(step, query, centre, look_up_sixteen(planes, lowest(codes)));
            codes = next::<BITS>(codes);
        }
    }
    if rest > 0 {
        let tail = &codes[LANES * whole..];
        let mut padded = [0; 16];
        padded[..tail.len()].copy_from_slice(tail);
        let mut codes = load_bytes(&padded);
        let lines = layout.strided[steps * whole..].iter().zip(&centre[steps * whole..]);
        for (step, (query, centre)) in lines.take(steps).enumerate() {
            // Lane `l` holds dimension `steps · l + step` of the rest; beyond the end it must add nothing to a norm.
            let row = look_up_sixteen(planes, lowest(codes));
            sums.add::<MEASURE>(step, query, centre, keep_first((rest + steps - 1 - step) / steps, row));
            codes = next::<BITS>(codes);
        }
    }
    sums.finish::<MEASURE>()
}

/// The lowest four bits of each byte.
#[inline]
#[target_feature(enable = "neon")]
fn lowest(codes: uint8x16_t) -> uint8x16_t {
    vandq_u8(codes, vdupq_n_u8(0x0f))
}

/// Brings the next code of each byte to the bottom.
#[inline]
#[target_feature(enable = "neon")]
fn next<const BITS: u32>(codes: uint8x16_t) -> uint8x16_t {
    match BITS {
        2 => vshrq_n_u8::<2>(codes),
        _ => vshrq_n_u8::<4>(codes),
    }
}
