//! Bounds of rows, as [`crate::BoundTerms`] defines them: a plain loop, which every level has the compiler make into vector code of
//! its own. Each operation rounds once, and none is fused with another, so that all levels agree to the bit.

use crate::terms::{BoundOf, BoundTerms};

/// A row is short if its square is below that share of what it is summed from: too few digits are left of it.
const SHORT: f32 = 1e-3;

/// See [`crate::sign_bounds`].
#[inline(always)]
pub(crate) fn sign_bounds(
    of: BoundOf,
    terms: &BoundTerms,
    norms: &[f32],
    ratios: &[u32],
    sums: &[i32],
    out: &mut [f32],
) {
    let rows = norms.iter().zip(ratios).zip(sums).zip(out);
    match of {
        BoundOf::Cosine => rows.for_each(|(((norm, ratio), sum), out)| {
            let (best, common) = best(terms, *norm, *ratio, *sum);
            let square = norm * norm;
            let row = terms.centre_square + 2.0 * common + square;
            let bound = -(terms.constant + best) / row.sqrt() - terms.slack;
            let kept = row >= SHORT * (terms.centre_square + square) && !bound.is_nan();
            *out = if kept { bound } else { f32::NEG_INFINITY };
        }),
        BoundOf::InnerProduct => rows.for_each(|(((norm, ratio), sum), out)| {
            let (best, _) = best(terms, *norm, *ratio, *sum);
            let bound = -(terms.constant + best) - terms.slack * (terms.constant.abs() + best.abs());
            *out = if !bound.is_nan() { bound } else { f32::NEG_INFINITY };
        }),
        BoundOf::SquaredL2 => rows.for_each(|(((norm, ratio), sum), out)| {
            let (best, _) = best(terms, *norm, *ratio, *sum);
            let far = terms.constant + norm * norm;
            let bound = far - 2.0 * best - terms.slack * far;
            *out = if !bound.is_nan() { bound } else { f32::NEG_INFINITY };
        }),
    }
}

/// What the inner product with a row's rest may be at most, and the row's part along the centre.
#[inline(always)]
fn best(terms: &BoundTerms, norm: f32, ratio: u32, sum: i32) -> (f32, f32) {
    // A damaged κ of 0 gives an infinity, and that NaN.
    let inverse = 65_535.0 / (ratio & 0xffff) as f32;
    let rho = (ratio as i32 >> 16) as f32 * (1.0 / 32_767.0);
    let common = rho * terms.centre_norm * norm;
    let variance = terms.spread * inverse * inverse - terms.spread_of_exact + terms.rounding;
    let allowance = terms.epsilon * variance.max(0.0).sqrt();
    let rest = norm * (terms.sum_scale * sum as f32 * inverse + allowance);
    (terms.common * common + rest, common)
}
