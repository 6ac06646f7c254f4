//! The Haar rotation against the reference implementation, live and recorded, and as an orthogonal map.

mod common;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::sync::Arc;
use std::time::Instant;
use tinyquant_core::codec::RotationMatrix;
use tq_codec::{CodecError, Level, Rotation, RotationKind, Workers, build_rotation, build_rotation_polling};

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn matrices_equal_the_references() {
    let mut worst: f64 = 0.0;
    for seed in [0, 1, 7, 42, 1_414_611_798, u64::MAX] {
        for dimension in [1, 2, 3, 5, 16, 17, 33, 64, 100, 130, 384] {
            let ours = Rotation::haar(seed, dimension);
            let theirs = RotationMatrix::build(seed, dimension);
            let difference = largest_difference(ours.matrix().unwrap(), theirs.matrix());
            assert!(difference < 1e-10, "seed {seed}, dimension {dimension}: {difference:e}");
            worst = worst.max(difference);
        }
    }
    eprintln!("66 matrices, largest difference from the reference {worst:.1e}");
}

#[test]
fn matrices_equal_the_recorded_ones() {
    let Some(directory) = common::shared("golden/dev/rotation") else { return };
    let index = std::fs::read(directory.join("index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    let cases = index.as_array().unwrap();
    assert!(!cases.is_empty());
    let mut worst: f64 = 0.0;
    for case in cases {
        let (seed, dimension) = (case["seed"].as_u64().unwrap(), case["dim"].as_u64().unwrap() as u32);
        let mut stream = ChaCha20Rng::seed_from_u64(seed);
        for word in case["chacha20_seed_from_u64_first_u64_hex"].as_array().unwrap() {
            assert_eq!(word.as_str().unwrap(), format!("{:016x}", stream.next_u64()), "seed {seed}");
        }
        let recorded = common::read_f64s(&directory.join(case["file"].as_str().unwrap()));
        let ours = Rotation::haar(seed, dimension);
        let difference = largest_difference(ours.matrix().unwrap(), &recorded);
        assert!(difference < 1e-10, "seed {seed}, dimension {dimension}: {difference:e}");
        worst = worst.max(difference);
    }
    eprintln!("{} recorded matrices, largest difference {worst:.1e}", cases.len());
}

#[test]
fn rotated_vectors_equal_the_references() {
    let mut random = common::Random(5);
    let (mut values, mut different) = (0, 0);
    for dimension in [1, 2, 3, 33, 100, 384] {
        let ours = Rotation::haar(42, dimension);
        let theirs = RotationMatrix::build(42, dimension);
        for _ in 0..20 {
            let vector = random.unit_vector(dimension as usize);
            let (mut a, mut b) = (vec![0.0; vector.len()], vec![0.0; vector.len()]);
            for (forwards, input) in [(true, vector.clone()), (false, vector)] {
                if forwards {
                    ours.apply(&input, &mut a);
                    theirs.apply_into(&input, &mut b).unwrap();
                } else {
                    ours.apply_inverse(&input, &mut a);
                    theirs.apply_inverse_into(&input, &mut b).unwrap();
                }
                for (a, b) in a.iter().zip(&b) {
                    assert!((a - b).abs() <= 1e-7 * b.abs().max(1e-3), "{a} and {b}");
                    values += 1;
                    different += usize::from(a.to_bits() != b.to_bits());
                }
            }
        }
    }
    eprintln!("{values} rotated values, {different} differ in the last bit of f32");
}

#[test]
fn inverse_undoes_and_lengths_stay() {
    let mut random = common::Random(6);
    for dimension in [1, 2, 3, 64, 100, 384] {
        let rotation = Rotation::haar(9, dimension);
        let vector = random.unit_vector(dimension as usize);
        let (mut rotated, mut back) = (vec![0.0; vector.len()], vec![0.0; vector.len()]);
        rotation.apply(&vector, &mut rotated);
        rotation.apply_inverse(&rotated, &mut back);
        assert!((tq_codec::check_vector(&rotated).unwrap() - 1.0).abs() < 1e-6);
        assert!(vector.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-6), "dimension {dimension}");
    }
}

#[test]
fn large_matrices_are_orthogonal() {
    let start = Instant::now();
    let rotation = Rotation::haar(1_414_611_798, 1536);
    eprintln!("1536 dimensions built in {:.2} s", start.elapsed().as_secs_f64());
    let matrix = rotation.matrix().unwrap();
    let row = |i: usize| &matrix[i * 1536..][..1536];
    for (i, j) in [(0, 0), (0, 1), (1535, 1535), (7, 1200), (1534, 1535), (768, 768)] {
        let product: f64 = row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum();
        let expected = f64::from(u8::from(i == j));
        assert!((product - expected).abs() < 1e-12, "rows {i} and {j}: {product}");
    }
    assert!(rotation.memory_bytes() >= 8 * 1536 * 1536);
}

#[test]
fn what_cannot_be_built_is_an_error() {
    let error = |kind, dimension| build_rotation(kind, 1, dimension).unwrap_err();
    for kind in [RotationKind::Haar, RotationKind::Hadamard] {
        assert_eq!(error(kind, 0), CodecError::DimensionOutOfRange { dimension: 0 });
        assert_eq!(error(kind, 16385), CodecError::DimensionOutOfRange { dimension: 16385 });
        let rotation = build_rotation(kind, 1, 8).unwrap();
        assert_eq!((rotation.kind(), rotation.seed(), rotation.dimension()), (kind, 1, 8));
    }
}

/// Wherever the rounded matrix comes from, a query's coordinates are the same bits, and as near to the definition as floats can be.
#[test]
fn queries_are_rotated_alike_with_and_without_a_rounded_matrix() {
    for dimension in [1, 7, 64, 65, 200, 384] {
        let own = Rotation::haar(3, dimension);
        let matrix: Arc<Vec<f64>> = Arc::new(own.matrix().unwrap().to_vec());
        let rounded: Arc<Vec<f32>> = Arc::new(matrix.iter().map(|&q| q as f32).collect());
        let shared =
            Rotation::haar_from(3, dimension, matrix.clone()).unwrap().with_rounded(rounded).unwrap();
        let made = Rotation::haar(3, dimension);
        made.prepare(false, &mut || {});
        let vector = common::Random(8).unit_vector(dimension as usize);
        for level in Level::available() {
            let rotated = |rotation: &Rotation| {
                let mut y = vec![f32::NAN; vector.len()];
                rotation.apply_to_query(level, &vector, &mut y, &mut || {}).unwrap();
                y
            };
            let expected = rotated(&shared);
            assert_eq!(rotated(&own), expected);
            assert_eq!(rotated(&made), expected);
            for (row, y) in matrix.chunks_exact(vector.len()).zip(expected) {
                let exact: f64 = row.iter().zip(&vector).map(|(q, x)| q * f64::from(*x)).sum();
                assert!((f64::from(y) - exact).abs() <= 1.2e-7, "{exact} {y}");
            }
        }
    }
    let short: Arc<Vec<f32>> = Arc::new(vec![0.0; 8]);
    let error = Rotation::haar(3, 3).with_rounded(short).unwrap_err();
    assert_eq!(error, CodecError::MatrixLength { expected: 9, got: 8 });
}

#[test]
fn a_shared_matrix_rotates_as_an_own_one() {
    let own = Rotation::haar(3, 20);
    let matrix: Arc<Vec<f64>> = Arc::new(own.matrix().unwrap().to_vec());
    let shared = Rotation::haar_from(3, 20, matrix.clone()).unwrap();
    assert_eq!((shared.kind(), shared.seed(), shared.dimension()), (RotationKind::Haar, 3, 20));
    assert_eq!(shared.matrix(), own.matrix());
    assert!(shared.memory_bytes() + 8 * 20 * 20 <= own.memory_bytes());
    let vector = common::Random(8).unit_vector(20);
    let (mut a, mut b) = (vec![0.0; 20], vec![0.0; 20]);
    own.apply(&vector, &mut a);
    shared.apply(&vector, &mut b);
    assert_eq!(a, b);
    own.apply_inverse(&vector, &mut a);
    shared.apply_inverse(&vector, &mut b);
    assert_eq!(a, b);

    let error = |dimension| Rotation::haar_from(3, dimension, matrix.clone()).unwrap_err();
    assert_eq!(error(19), CodecError::MatrixLength { expected: 361, got: 400 });
    assert_eq!(error(0), CodecError::DimensionOutOfRange { dimension: 0 });
    assert_eq!(error(16385), CodecError::DimensionOutOfRange { dimension: 16385 });
}

/// Whoever builds a large rotation can stop at any time, and polling changes no bit of it.
#[test]
fn builds_poll_and_can_be_given_up() {
    let mut polls = 0;
    let polled = build_rotation_polling(RotationKind::Haar, 3, 600, &mut || polls += 1).unwrap();
    assert!(polls >= 10, "{polls} polls in what takes some ten milliseconds a step");
    assert_eq!(polled.matrix(), Rotation::haar(3, 600).matrix());
    let mut left = polls / 2;
    let given_up = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        build_rotation_polling(RotationKind::Haar, 3, 600, &mut || {
            left -= 1;
            if left == 0 {
                std::panic::resume_unwind(Box::new("enough"));
            }
        })
    }));
    assert_eq!(given_up.unwrap_err().downcast_ref(), Some(&"enough"));
}

#[test]
fn rows_rotate_as_each_by_itself() {
    for kind in [RotationKind::Haar, RotationKind::Hadamard] {
        let rotation = build_rotation(kind, 9, 40).unwrap();
        let rows: Vec<f32> = (0..1200 * 40).map(|i| (i as f32).sin()).collect();
        let mut expected = vec![0.0; rows.len()];
        for (row, rotated) in rows.chunks_exact(40).zip(expected.chunks_exact_mut(40)) {
            rotation.apply(row, rotated);
        }
        for threads in [1, 2] {
            let (mut rotated, mut polls) = (rows.clone(), 0);
            rotation.apply_rows(&Workers::new(threads).unwrap(), &mut rotated, &mut || polls += 1).unwrap();
            assert!(rotated == expected, "{kind}, {threads} threads");
            assert!(polls > 0);
        }
    }
}
