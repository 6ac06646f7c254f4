//! Rows of sign bits, several at once: 64 dimensions a step.
//!
//! A step copies eight bytes of a row over a register; its halves test a bit of each byte, two neighbouring bits at a
//! time (see `slots`), and what is set keeps the query's number. Those are added in pairs to 16 bits, which hold the
//! sums of some steps.
#![allow(unsafe_code)]

use crate::slots::{SignLayout, SignLine, Slots, last_bits};
use std::arch::aarch64::*;

/// Rows at once, so that one row's additions needn't wait for each other.
const ROWS: usize = 4;

/// Steps whose sums 16 bits hold: each adds eight numbers of at most 127.
const STEPS_PER_SPILL: usize = 32;

/// See [`crate::SignQuery::sums`].
#[target_feature(enable = "neon")]
pub(crate) fn sums(query: &SignLayout, slots: Slots<'_>, out: &mut [i32]) {
    if out.len() < ROWS {
        for (row, out) in out.iter_mut().enumerate() {
            [*out] = products::<1>(query, slots, row);
        }
        return;
    }
    for first in (0..out.len()).step_by(ROWS) {
        // The last few rows are summed with some of those before them, once more.
        let first = first.min(out.len() - ROWS);
        out[first..][..ROWS].copy_from_slice(&products::<ROWS>(query, slots, first));
    }
}

/// Twice the sums of `k_i` over the bits that are set, less the total, for neighbouring rows.
#[inline]
#[target_feature(enable = "neon")]
fn products<const ROWS: usize>(query: &SignLayout, slots: Slots<'_>, first: usize) -> [i32; ROWS] {
    let (whole, lines) = (slots.len / 8, &query.lines[..]);
    let mut bits = [&[][..]; ROWS];
    let mut steps = [&[][..]; ROWS];
    for row in 0..ROWS {
        bits[row] = slots.bits(first + row);
        steps[row] = &bits[row].as_chunks::<8>().0[..whole];
    }
    let mut sums = [vdupq_n_s32(0); ROWS];
    let mut step = 0;
    while step < whole {
        let end = whole.min(step + STEPS_PER_SPILL);
        let mut pairs = [vdupq_n_s16(0); ROWS];
        for step in step..end {
            let query = load(&lines[step]);
            for row in 0..ROWS {
                pairs[row] = add(pairs[row], u64::from_le_bytes(steps[row][step]), query);
            }
        }
        for row in 0..ROWS {
            sums[row] = vpadalq_s16(sums[row], pairs[row]);
        }
        step = end;
    }
    if let Some(line) = lines.get(whole) {
        let query = load(line);
        for row in 0..ROWS {
            sums[row] = vpadalq_s16(sums[row], add(vdupq_n_s16(0), last_bits(bits[row]), query));
        }
    }
    sums.map(|sum| 2 * vaddvq_s32(sum) - query.total)
}

/// The quarters of a line: what meets bits 0 and 1, 2 and 3, 4 and 5, 6 and 7.
#[inline]
#[target_feature(enable = "neon")]
fn load(line: &SignLine) -> [int8x16_t; 4] {
    let quarters = line.0.as_chunks::<16>().0;
    // SAFETY: each array is 16 readable bytes, and the loads ask for no alignment.
    unsafe {
        [
            vld1q_s8(quarters[0].as_ptr()),
            vld1q_s8(quarters[1].as_ptr()),
            vld1q_s8(quarters[2].as_ptr()),
            vld1q_s8(quarters[3].as_ptr()),
        ]
    }
}

/// Adds the query's numbers whose bits are set, in pairs of neighbouring bytes, to 16 bits.
#[inline]
#[target_feature(enable = "neon")]
fn add(pairs: int16x8_t, bits: u64, query: [int8x16_t; 4]) -> int16x8_t {
    let bits = vreinterpretq_u8_u64(vdupq_n_u64(bits));
    let mut select = vcombine_u8(vdup_n_u8(1), vdup_n_u8(2));
    let mut pairs = pairs;
    for query in query {
        let set = vreinterpretq_s8_u8(vtstq_u8(bits, select));
        pairs = vpadalq_s8(pairs, vandq_s8(set, query));
        select = vshlq_n_u8::<2>(select);
    }
    pairs
}
