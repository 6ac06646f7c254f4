//! Rows of 2 and 4 bit codes without residuals: 16 bytes of codes at a time.
//!
//! Each byte goes to a lane of its own and is shifted there. The look-up ignores the bits above the code: `vpermps` uses four
//! bits of an index, which are one code of four bits or two of two, so that a table of pairs finds either of the two and a
//! byte is shifted once in any case. The query lies in the matching order (see `layout`).
#![allow(unsafe_code)]

use super::{ADDITIONS_PER_SPILL, Sums, first_lanes, load_line};
use crate::layout::Layout;
use crate::measure;
use std::arch::x86_64::*;

/// Lanes of a register.
pub(crate) const LANES: usize = 16;

/// Sums one row. `BITS` is 2 or 4; the layout has strided order for [`LANES`]; there is no residual.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) fn row<const BITS: u32, const MEASURE: u8>(layout: &Layout, codes: &[u8], _: &[u8]) -> (f64, f64) {
    let (blocks, tail) = codes.as_chunks::<LANES>();
    let table = Table::new(load_line(&layout.table[0]));
    match BITS {
        2 => sum::<4, MEASURE>(layout, blocks, tail, |codes| table.look_up_pairs(codes)),
        _ => sum::<2, MEASURE>(layout, blocks, tail, |codes| table.look_up(codes)),
    }
}
