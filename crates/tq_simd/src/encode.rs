//! What compression does to many floats, as the rest of the workspace sees it: a rough rotation in `f32`, and codes by thresholds.

use crate::dense::in_pieces;
use crate::dispatch;
use crate::level::Level;

/// A dense matrix times a vector in `f32`: `out[i] ≈ Σ_j matrix[i][j] · x[j]`, with `matrix` row-major. `poll` is called every few
/// milliseconds; it may unwind.
///
/// At most `x.len() / 16 + 21` roundings lie between a product and its sum, which bounds the error: see
/// N. Higham, *Accuracy and Stability of Numerical Algorithms*, chapter 3.
///
/// # Panics
/// When `matrix.len() != out.len() · x.len()`.
pub fn rotate_f32_polling(level: Level, matrix: &[f32], x: &[f32], out: &mut [f32], poll: &mut dyn FnMut()) {
    assert_eq!(Some(matrix.len()), out.len().checked_mul(x.len()), "the matrix does not match the vectors");
    if x.is_empty() {
        return out.fill(0.0);
    }
    in_pieces(matrix, x, out, poll, |matrix, out| dispatch::rotate_f32(level, matrix, x, out));
}

/// For each value the number of `thresholds` at or below it; 0 for NaN. There may be 3 or 15 thresholds, ascending, or any
/// other number up to 255 that is one less than a power of two.
///
/// # Panics
/// When the lengths of `values` and `codes` differ, or the thresholds are of another number.
pub fn quantize(level: Level, thresholds: &[f32], values: &[f32], codes: &mut [u8]) {
    check(thresholds, values, codes);
    dispatch::quantize(level, thresholds, values, codes);
}

/// [`quantize`] of `value - margin` into `low` and of `value + margin` into `high`, computed in `f32`. Where they agree, the code of
/// every number between is theirs.
///
/// # Panics
/// As [`quantize`].
pub fn quantize_within(
    level: Level,
    thresholds: &[f32],
    values: &[f32],
    margin: f32,
    low: &mut [u8],
    high: &mut [u8],
) {
    check(thresholds, values, low);
    check(thresholds, values, high);
    dispatch::quantize_within(level, thresholds, values, margin, low, high);
}

fn check(thresholds: &[f32], values: &[f32], codes: &[u8]) {
    assert_eq!(values.len(), codes.len(), "the codes do not match the values");
    assert!(
        thresholds.len() < 256 && (thresholds.len() + 1).is_power_of_two(),
        "not a codebook's thresholds"
    );
}
