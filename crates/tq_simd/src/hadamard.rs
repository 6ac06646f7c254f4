//! The Hadamard rotation: random signs and Walsh-Hadamard transforms, in place, equal to the bit on every machine.
//!
//! `docs/hadamard.md` is the definition. A round transforms the first *b* and then the last *b* coordinates (*b* the
//! greatest power of two that fits), each time under fresh signs, and ends by mixing the halves of the vector, without which a dimension just below a power of two would keep what is in one half there. Sums and
//! differences of two `f32` and multiplications by a constant are all there is, each rounded once and never
//! contracted, so whatever order a compiler or a wider register runs them in, the results are the same.

use crate::dispatch;
use crate::level::Level;
use crate::scalar::hadamard::{ROUNDS, block};

/// The number of signs that a rotation of `dimension` coordinates takes: one for each input of each transform, of
/// which there are three where the dimension is a power of two, and else six.
pub fn hadamard_signs(dimension: usize) -> usize {
    if dimension == 0 {
        return 0;
    }
    let block = block(dimension);
    ROUNDS * block * if block < dimension { 2 } else { 1 }
}

/// Rotates `x` in place. `signs` are masks in the order of the transforms' inputs: `1 << 31` to negate one, else 0.
///
/// No intermediate value is greater than the norm of `x`, but for rounding, so nothing overflows whose norm is well within `f32`.
///
/// # Panics
/// When `signs.len() != hadamard_signs(x.len())`.
pub fn hadamard(level: Level, signs: &[u32], x: &mut [f32]) {
    check(signs, x);
    if !x.is_empty() {
        dispatch::hadamard(level, signs, x);
    }
}

/// Undoes [`hadamard`]: the same steps, last first, each of which is symmetric.
///
/// # Panics
/// When `signs.len() != hadamard_signs(x.len())`.
pub fn hadamard_inverse(level: Level, signs: &[u32], x: &mut [f32]) {
    check(signs, x);
    if !x.is_empty() {
        dispatch::hadamard_inverse(level, signs, x);
    }
}

fn check(signs: &[u32], x: &[f32]) {
    assert_eq!(signs.len(), hadamard_signs(x.len()), "the signs do not match the vector");
}
