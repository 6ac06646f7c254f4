//! The Hadamard rotation, against the words of `docs/hadamard.md` and against the scalar level.

use tq_simd::{Level, hadamard, hadamard_inverse, hadamard_signs};

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

pub(crate) fn rotates_as_defined_to_the_bit(level: Level) {
    // Miri is a thousand times slower.
    let most = if cfg!(miri) { 40 } else { usize::MAX };
    let all = (1..=260).chain([383, 384, 511, 512, 513, 1000, 1536, 2047, 2049, 4096, 6000, 16384]);
    for d in all.filter(|d| *d <= most) {
        let signs = signs(d);
        for magnitude in [1.0, 1e-38, 3e37 / (d as f32).sqrt()] {
            let x: Vec<f32> = (0..d).map(|i| (i as f32 * 0.7).sin() * magnitude).collect();
            let (mut y, mut scalar, mut expected) = (x.clone(), x.clone(), x.clone());
            by_the_book(&signs, &mut expected);
            hadamard(level, &signs, &mut y);
            hadamard(Level::Scalar, &signs, &mut scalar);
            assert_same(&y, &expected, level);
            assert_same(&y, &scalar, level);

            hadamard_inverse(level, &signs, &mut y);
            hadamard_inverse(Level::Scalar, &signs, &mut scalar);
            assert_same(&y, &scalar, level);
            let error = x.iter().zip(&y).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
            let norm = x.iter().map(|a| f64::from(*a).powi(2)).sum::<f64>().sqrt();
            assert!(error <= 1e-6 * norm + 1e-43 * d as f64, "{d} dimensions: {error:e} of {norm:e}");
        }
    }
}

fn assert_same(a: &[f32], b: &[f32], level: Level) {
    let same = a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
    assert!(same, "{} dimensions, {}", a.len(), level.name());
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
