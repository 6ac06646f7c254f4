//! The Hadamard rotation in the words of `docs/hadamard.md`, one stage of a transform after the other.

use std::f32::consts::FRAC_1_SQRT_2;

/// Rounds of transforms.
pub(crate) const ROUNDS: usize = 3;

/// Rotates `x`, which is not empty, in place; `signs` are masks of the sign bit, in the order of the transforms' inputs.
pub(crate) fn hadamard(signs: &[u32], x: &mut [f32]) {
    let (d, block) = (x.len(), block(x.len()));
    for signs in signs.chunks_exact(signs.len() / ROUNDS) {
        let (first, last) = signs.split_at(block);
        flip(first, &mut x[..block]);
        transform(&mut x[..block]);
        if block < d {
            flip(last, &mut x[d - block..]);
            transform(&mut x[d - block..]);
            mix_halves(x);
        }
    }
}

/// Undoes [`hadamard`]: the same steps, last first, each of which is symmetric.
pub(crate) fn hadamard_inverse(signs: &[u32], x: &mut [f32]) {
    let (d, block) = (x.len(), block(x.len()));
    for signs in signs.chunks_exact(signs.len() / ROUNDS).rev() {
        let (first, last) = signs.split_at(block);
        if block < d {
            mix_halves(x);
            transform(&mut x[d - block..]);
            flip(last, &mut x[d - block..]);
        }
        transform(&mut x[..block]);
        flip(first, &mut x[..block]);
    }
}

/// Coordinates that one transform takes: the greatest power of two up to `dimension`, which is not 0.
#[inline(always)]
pub(crate) fn block(dimension: usize) -> usize {
    1 << dimension.ilog2()
}

/// `1/√size` for a power of two, to the nearest `f32`.
#[inline(always)]
pub(crate) fn root_of_inverse(size: usize) -> f32 {
    let exponent = size.ilog2();
    let power = 1.0 / (1u32 << (exponent / 2)) as f32;
    if exponent.is_multiple_of(2) { power } else { power * FRAC_1_SQRT_2 }
}

/// Negates the numbers that have a sign.
#[inline(always)]
pub(crate) fn flip(signs: &[u32], x: &mut [f32]) {
    for (x, sign) in x.iter_mut().zip(signs) {
        *x = f32::from_bits(x.to_bits() ^ sign);
    }
}

/// The scaled Walsh-Hadamard transform of a power of two of numbers: the stages of strides 1, 2, 4 and so on, the first of them
/// while sixteen numbers are at hand.
#[inline(always)]
pub(crate) fn transform(x: &mut [f32]) {
    let scale = root_of_inverse(x.len());
    let (chunks, rest) = x.as_chunks_mut::<16>();
    for x in &mut *chunks {
        let mut scaled = *x;
        for value in &mut scaled {
            *value *= scale;
        }
        *x = first_stages(scaled);
    }
    for value in rest {
        *value *= scale;
    }
    let mut stride = if chunks.is_empty() { 1 } else { 16 };
    while stride < x.len() {
        for pair in x.chunks_exact_mut(2 * stride) {
            let (first, second) = pair.split_at_mut(stride);
            for (a, b) in first.iter_mut().zip(second) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        stride *= 2;
    }
}

/// The stages of strides 1, 2, 4 and 8.
#[inline(always)]
fn first_stages(mut x: [f32; 16]) -> [f32; 16] {
    for stride in [1, 2, 4, 8] {
        for i in 0..16 {
            if i & stride == 0 {
                (x[i], x[i + stride]) = (x[i] + x[i + stride], x[i] - x[i + stride]);
            }
        }
    }
    x
}

/// Sum and difference of coordinates half the dimension apart; the middle one of an odd number stays.
#[inline(always)]
pub(crate) fn mix_halves(x: &mut [f32]) {
    let (first, second) = x.split_at_mut(x.len().div_ceil(2));
    for (a, b) in first.iter_mut().zip(second) {
        let (scaled_a, scaled_b) = (FRAC_1_SQRT_2 * *a, FRAC_1_SQRT_2 * *b);
        *a = scaled_a + scaled_b;
        *b = scaled_a - scaled_b;
    }
}
