//! The Hadamard rotation over sixteen lanes, equal to the definition to the bit: see [`crate::scalar::hadamard`].
//!
//! Four stages are done within registers, then three in each pass over memory, then what is left one by one.
#![allow(unsafe_code)]

use super::{Floats, LANES};
use crate::scalar::hadamard::{self as definition, ROUNDS, mix_halves, root_of_inverse};

/// Rotates `x`, which is not empty, in place.
///
/// # Safety
/// The processor has the features of `L`; so for the other functions.
#[inline(always)]
pub(crate) unsafe fn hadamard<L: Floats>(signs: &[u32], x: &mut [f32]) {
    // SAFETY: the caller vouches for the features.
    unsafe { rotate::<L, false>(signs, x) }
}

/// Undoes [`hadamard`].
///
/// # Safety
/// As for [`hadamard`].
#[inline(always)]
pub(crate) unsafe fn hadamard_inverse<L: Floats>(signs: &[u32], x: &mut [f32]) {
    // SAFETY: the caller vouches for the features.
    unsafe { rotate::<L, true>(signs, x) }
}

/// All rounds, forwards or backwards.
#[inline(always)]
unsafe fn rotate<L: Floats, const INVERSE: bool>(signs: &[u32], x: &mut [f32]) {
    let d = x.len();
    let block = definition::block(d);
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

/// Signs, then the scaled Walsh-Hadamard transform; the inverse has the signs at its end. Both slices have the same power of two of elements.
#[inline(always)]
unsafe fn transform<L: Floats, const INVERSE: bool>(signs: &[u32], x: &mut [f32], scale: f32) {
    let (chunks, rest) = x.as_chunks_mut::<LANES>();
    let (sign_chunks, sign_rest) = signs.as_chunks::<LANES>();
    if chunks.is_empty() {
        // A transform has a power of two of numbers, so that there is a rest only where there is no chunk.
        return transform_small::<INVERSE>(sign_rest, rest);
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
fn transform_small<const INVERSE: bool>(signs: &[u32], x: &mut [f32]) {
    if !INVERSE {
        definition::flip(signs, x);
    }
    definition::transform(x);
    if INVERSE {
        definition::flip(signs, x);
    }
}

/// The stage of `stride` chunks.
#[inline(always)]
unsafe fn one_stage<L: Floats>(chunks: &mut [[f32; LANES]], stride: usize) {
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
unsafe fn three_stages<L: Floats>(chunks: &mut [[f32; LANES]], stride: usize) {
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

    /// Over plain arrays, which levels without features of their own use: other levels are under test in `tests/levels.rs`.
    #[test]
    fn arrays_give_the_definition_to_the_bit() {
        // Miri is a thousand times slower.
        let most = if cfg!(miri) { 40 } else { 2049 };
        for d in (1..=130).chain([1000, 1024, 1536, 2049]).filter(|d| *d <= most) {
            let signs: Vec<u32> =
                (0..crate::hadamard_signs(d)).map(|i| ((i * i / 3 + i) as u32 & 1) << 31).collect();
            let mut x: Vec<f32> = (0..d).map(|i| (i as f32 * 0.7).sin()).collect();
            let mut expected = x.clone();
            // SAFETY: arrays need no features; so below.
            unsafe { hadamard::<[f32; LANES]>(&signs, &mut x) };
            definition::hadamard(&signs, &mut expected);
            assert!(x.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{d} dimensions");
            // SAFETY: as above.
            unsafe { hadamard_inverse::<[f32; LANES]>(&signs, &mut x) };
            definition::hadamard_inverse(&signs, &mut expected);
            assert!(x.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{d} dimensions");
        }
    }
}
