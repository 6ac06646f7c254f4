//! The Hadamard rotation: random signs and Walsh-Hadamard transforms, in place, equal to the bit on every machine.
//!
//! `docs/hadamard.md` is the definition. A round transforms the first *b* and then the last *b* coordinates (*b* the
//! greatest power of two that fits), each time under fresh signs, and ends by mixing the halves of the vector, without which a dimension just below a power of two would keep what is in one half there. Sums and
//! differences of two `f32` and multiplications by a constant are all there is, each rounded once and never
//! contracted, so whatever order a compiler or a wider register runs them in, the results are the same.
#![allow(unsafe_code)]

mod lanes;

use crate::level::Level;
use lanes::{LANES, Lanes};
use std::f32::consts::FRAC_1_SQRT_2;

/// Rounds of transforms.
const ROUNDS: usize = 3;

/// The number of signs that a rotation of `dimension` coordinates takes: one for each input of each transform, of
/// which there are three where the dimension is a power of two, and else six.
pub fn hadamard_signs(dimension: usize) -> usize {
    let block = dimension.checked_ilog2().map_or(0, |exponent| 1 << exponent);
    ROUNDS * block * if block < dimension { 2 } else { 1 }
}

/// Rotates `x` in place. `signs` are masks in the order of the transforms' inputs: `1 << 31` to negate one, else 0.
///
/// No intermediate value is greater than the norm of `x`, but for rounding, so nothing overflows whose norm is well within `f32`.
///
/// # Panics
/// When `signs.len() != hadamard_signs(x.len())`.
pub fn hadamard(level: Level, signs: &[u32], x: &mut [f32]) {
    run::<false>(level, signs, x);
}

/// Undoes [`hadamard`]: the same steps, last first, each of which is symmetric.
///
/// # Panics
/// When `signs.len() != hadamard_signs(x.len())`.
pub fn hadamard_inverse(level: Level, signs: &[u32], x: &mut [f32]) {
    run::<true>(level, signs, x);
}

fn run<const INVERSE: bool>(level: Level, signs: &[u32], x: &mut [f32]) {
    assert_eq!(signs.len(), hadamard_signs(x.len()), "the signs do not match the vector");
    if x.is_empty() {
        return;
    }
    // SAFETY: `or_scalar` returns a level only if the processor has its features, and arrays need none.
    unsafe {
        match level.or_scalar() {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => x86_64::avx512::<INVERSE>(signs, x),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => x86_64::avx2::<INVERSE>(signs, x),
            _ => rotate::<[f32; LANES], INVERSE>(signs, x),
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::x86_64::{__m256, __m512};

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    pub(super) fn avx512<const INVERSE: bool>(signs: &[u32], x: &mut [f32]) {
        // SAFETY: this function has the features that the registers need.
        unsafe { super::rotate::<__m512, INVERSE>(signs, x) }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn avx2<const INVERSE: bool>(signs: &[u32], x: &mut [f32]) {
        // SAFETY: this function has the features that the registers need.
        unsafe { super::rotate::<[__m256; 2], INVERSE>(signs, x) }
    }
}

/// All rounds, forwards or backwards; `x` is not empty.
///
/// # Safety
/// The processor has the features of `L`; so for the functions below.
#[inline(always)]
unsafe fn rotate<L: Lanes, const INVERSE: bool>(signs: &[u32], x: &mut [f32]) {
    let d = x.len();
    let block = 1 << d.ilog2();
    let scale = root_of_inverse(block);
    for step in 0..ROUNDS {
        let round = if INVERSE { ROUNDS - 1 - step } else { step };
        let signs = &signs[round * signs.len() / ROUNDS..][..signs.len() / ROUNDS];
        let (first, last) = signs.split_at(block);
        // SAFETY: the caller vouches for the features.
        unsafe {
            if INVERSE {
                if block < d {
                    mix_halves(x);
                    transform::<L, true>(last, &mut x[d - block..], scale);
                }
                transform::<L, true>(first, &mut x[..block], scale);
            } else {
                transform::<L, false>(first, &mut x[..block], scale);
                if block < d {
                    transform::<L, false>(last, &mut x[d - block..], scale);
                    mix_halves(x);
                }
            }
        }
    }
}

/// `1/√size` for a power of two, to the nearest `f32`.
#[inline(always)]
fn root_of_inverse(size: usize) -> f32 {
    let exponent = size.ilog2();
    let power = 1.0 / (1u32 << (exponent / 2)) as f32;
    if exponent.is_multiple_of(2) { power } else { power * FRAC_1_SQRT_2 }
}

/// Sum and difference of coordinates half the dimension apart; the middle one of an odd number stays.
#[inline(always)]
fn mix_halves(x: &mut [f32]) {
    let (first, second) = x.split_at_mut(x.len().div_ceil(2));
    for (a, b) in first.iter_mut().zip(second) {
        let (scaled_a, scaled_b) = (FRAC_1_SQRT_2 * *a, FRAC_1_SQRT_2 * *b);
        *a = scaled_a + scaled_b;
        *b = scaled_a - scaled_b;
    }
}

/// Signs, then the scaled Walsh-Hadamard transform; the inverse has the signs at its end. Both slices have the same power of two of elements.
#[inline(always)]
unsafe fn transform<L: Lanes, const INVERSE: bool>(signs: &[u32], x: &mut [f32], scale: f32) {
    let (chunks, rest) = x.as_chunks_mut::<LANES>();
    let (sign_chunks, sign_rest) = signs.as_chunks::<LANES>();
    if chunks.is_empty() {
        return transform_small::<INVERSE>(sign_rest, rest, scale);
    }
    // SAFETY: the caller vouches for the features.
    unsafe {
        for (chunk, signs) in chunks.iter_mut().zip(sign_chunks) {
            let signs = if INVERSE { &[0; LANES] } else { signs };
            L::load(chunk).flip_and_scale(signs, scale).stages().store(chunk);
        }
        let mut stride = 1;
        while 8 * stride <= chunks.len() {
            three_stages::<L>(chunks, stride);
            stride *= 8;
        }
        while 2 * stride <= chunks.len() {
            one_stage::<L>(chunks, stride);
            stride *= 2;
        }
        if INVERSE {
            for (chunk, signs) in chunks.iter_mut().zip(sign_chunks) {
                L::load(chunk).flip_and_scale(signs, 1.0).store(chunk);
            }
        }
    }
}

/// [`transform`] of fewer numbers than [`LANES`].
#[inline(always)]
fn transform_small<const INVERSE: bool>(signs: &[u32], x: &mut [f32], scale: f32) {
    let flip = |x: &mut [f32]| {
        for (x, sign) in x.iter_mut().zip(signs) {
            *x = f32::from_bits(x.to_bits() ^ sign);
        }
    };
    if !INVERSE {
        flip(x);
    }
    for value in x.iter_mut() {
        *value *= scale;
    }
    let mut stride = 1;
    while stride < x.len() {
        for pair in x.chunks_exact_mut(2 * stride) {
            let (first, second) = pair.split_at_mut(stride);
            for (a, b) in first.iter_mut().zip(second) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        stride *= 2;
    }
    if INVERSE {
        flip(x);
    }
}

/// The stage of `stride` chunks.
#[inline(always)]
unsafe fn one_stage<L: Lanes>(chunks: &mut [[f32; LANES]], stride: usize) {
    for pair in chunks.chunks_exact_mut(2 * stride) {
        let (first, second) = pair.split_at_mut(stride);
        for (a, b) in first.iter_mut().zip(second) {
            // SAFETY: the caller vouches for the features.
            unsafe {
                let (x, y) = (L::load(a), L::load(b));
                x.add(y).store(a);
                x.sub(y).store(b);
            }
        }
    }
}

/// The stages of `stride`, `2·stride` and `4·stride` chunks in one pass over memory.
#[inline(always)]
unsafe fn three_stages<L: Lanes>(chunks: &mut [[f32; LANES]], stride: usize) {
    for group in chunks.chunks_exact_mut(8 * stride) {
        for i in 0..stride {
            let at = |k: usize| i + k * stride;
            // Spelled out, since closures and loops over the registers would keep them in memory.
            // SAFETY: the caller vouches for the features.
            unsafe {
                let (a, b) = (L::load(&group[at(0)]), L::load(&group[at(1)]));
                let (c, d) = (L::load(&group[at(2)]), L::load(&group[at(3)]));
                let (e, f) = (L::load(&group[at(4)]), L::load(&group[at(5)]));
                let (g, h) = (L::load(&group[at(6)]), L::load(&group[at(7)]));
                let (a, b, c, d) = (a.add(b), a.sub(b), c.add(d), c.sub(d));
                let (e, f, g, h) = (e.add(f), e.sub(f), g.add(h), g.sub(h));
                let (a, c, b, d) = (a.add(c), a.sub(c), b.add(d), b.sub(d));
                let (e, g, f, h) = (e.add(g), e.sub(g), f.add(h), f.sub(h));
                a.add(e).store(&mut group[at(0)]);
                b.add(f).store(&mut group[at(1)]);
                c.add(g).store(&mut group[at(2)]);
                d.add(h).store(&mut group[at(3)]);
                a.sub(e).store(&mut group[at(4)]);
                b.sub(f).store(&mut group[at(5)]);
                c.sub(g).store(&mut group[at(6)]);
                d.sub(h).store(&mut group[at(7)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, in the words of `docs/hadamard.md`.
    fn by_the_book(signs: &[u32], x: &mut [f32]) {
        let d = x.len();
        let mut block = 1;
        while 2 * block <= d {
            block *= 2;
        }
        let scale = (1.0 / (block as f64).sqrt()) as f32;
        let mut signs = signs.iter();
        for _ in 0..3 {
            for start in if block < d { vec![0, d - block] } else { vec![0] } {
                for y in &mut x[start..start + block] {
                    let negate = *signs.next().unwrap() != 0;
                    *y = scale * if negate { -*y } else { *y };
                }
                let mut stride = 1;
                while stride < block {
                    for i in (0..block).filter(|i| i & stride == 0) {
                        let (a, b) = (x[start + i], x[start + i + stride]);
                        x[start + i] = a + b;
                        x[start + i + stride] = a - b;
                    }
                    stride *= 2;
                }
            }
            if block < d {
                let (half, factor) = (d - d / 2, f32::from_bits(0x3f35_04f3));
                for i in 0..d / 2 {
                    let (a, b) = (factor * x[i], factor * x[i + half]);
                    x[i] = a + b;
                    x[i + half] = a - b;
                }
            }
        }
        assert_eq!(signs.next(), None);
    }

    fn signs(d: usize) -> Vec<u32> {
        let mut state = d as u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 63) as u32
        };
        (0..hadamard_signs(d)).map(|_| next() << 31).collect()
    }

    #[test]
    fn every_level_is_the_definition_to_the_bit() {
        // Miri is a thousand times slower.
        let most = if cfg!(miri) { 40 } else { usize::MAX };
        let all = (1..=260).chain([383, 384, 511, 512, 513, 1000, 1536, 2047, 2049, 4096, 6000, 16384]);
        for d in all.filter(|d| *d <= most) {
            let signs = signs(d);
            for magnitude in [1.0, 1e-38, 3e37 / (d as f32).sqrt()] {
                let x: Vec<f32> = (0..d).map(|i| (i as f32 * 0.7).sin() * magnitude).collect();
                let mut expected = x.clone();
                by_the_book(&signs, &mut expected);
                for level in Level::available() {
                    let mut y = x.clone();
                    hadamard(level, &signs, &mut y);
                    let same = y.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{d} dimensions, {}", level.name());

                    hadamard_inverse(level, &signs, &mut y);
                    let error = x.iter().zip(&y).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
                    let norm = x.iter().map(|a| f64::from(*a).powi(2)).sum::<f64>().sqrt();
                    assert!(error <= 1e-6 * norm + 1e-43 * d as f64, "{d} dimensions: {error:e} of {norm:e}");
                }
            }
        }
    }

    #[test]
    fn great_vectors_do_not_overflow() {
        for d in [1, 2, 3, 1024, 1536, 2047] {
            let signs = signs(d);
            let mut x = vec![f32::MAX / (d as f32).sqrt() * 0.999; d];
            hadamard(Level::detect(), &signs, &mut x);
            assert!(x.iter().all(|x| x.is_finite()), "{d} dimensions");
        }
    }

    #[test]
    #[should_panic(expected = "the signs do not match the vector")]
    fn lengths_are_checked() {
        hadamard(Level::Scalar, &[0; 5], &mut [1.0; 2]);
    }
}
