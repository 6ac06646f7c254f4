//! From sums of sign bits to the least that distances may be: the face that the rest of the workspace sees.

use crate::dispatch;
use crate::level::Level;
use crate::terms::{BoundOf, BoundTerms};

/// The bounds of rows: `norms` has |r|, `ratios` κ in 65,535ths in the lower half of each number and ρ in 32,767ths, with its sign,
/// in the upper half. A cosine whose row is much shorter than what it is summed from, and whatever comes out as NaN, is -∞.
///
/// All levels give the same bits.
///
/// # Panics
/// If the slices have different lengths.
pub fn sign_bounds(
    level: Level,
    of: BoundOf,
    terms: &BoundTerms,
    norms: &[f32],
    ratios: &[u32],
    sums: &[i32],
    out: &mut [f32],
) {
    let count = out.len();
    assert!(norms.len() == count && ratios.len() == count && sums.len() == count, "rows of different number");
    dispatch::sign_bounds(level, of, terms, norms, ratios, sums, out);
}
