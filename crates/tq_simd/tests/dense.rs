//! Rotations and distances between decoded vectors, at every level, against plain `f64` sums.

mod support;

use support::{Rng, announce, assert_close};
use tq_simd::{Level, dot_and_norms_f32, dot_f32, l1_f32, rotate, rotate_transposed, squared_l2_f32};

fn sizes() -> impl Iterator<Item = usize> {
    (0..=70).chain([255, 384, 1000, 1536])
}

#[test]
fn pairs_of_vectors() {
    for level in Level::ALL.into_iter().filter(|level| announce(*level)) {
        let mut rng = Rng::new(21);
        for d in sizes() {
            for scale in [1.0, 1e-30, 1e30] {
                let a: Vec<f32> = rng.normals(d).iter().map(|v| v * scale).collect();
                let b: Vec<f32> = rng.normals(d).iter().map(|v| v * scale).collect();
                let pairs = || a.iter().zip(&b).map(|(a, b)| (f64::from(*a), f64::from(*b)));
                let norms =
                    (pairs().map(|(a, _)| a * a).sum::<f64>(), pairs().map(|(_, b)| b * b).sum::<f64>());
                let dot: f64 = pairs().map(|(a, b)| a * b).sum();
                let l2: f64 = pairs().map(|(a, b)| (a - b) * (a - b)).sum();
                let l1: f64 = pairs().map(|(a, b)| (a - b).abs()).sum();
                let what = format!("{} d={d} scale={scale}", level.name());
                let near = |value, expected, scale: f64| assert_close(value, expected, 1e-14 * scale, &what);

                let scale = (norms.0 * norms.1).sqrt();
                near(dot_f32(level, &a, &b), dot, scale);
                let all = dot_and_norms_f32(level, &a, &b);
                near(all.0, dot, scale);
                near(all.1, norms.0, norms.0);
                near(all.2, norms.1, norms.1);
                near(squared_l2_f32(level, &a, &b), l2, l2);
                near(l1_f32(level, &a, &b), l1, l1);
                assert_eq!(squared_l2_f32(level, &a, &a), 0.0);
            }
        }
    }
}

#[test]
fn rotations() {
    for level in Level::ALL.into_iter().filter(|level| announce(*level)) {
        let mut rng = Rng::new(22);
        let shapes = (1..=40).flat_map(|rows| [1, 3, 8, 17, 33].map(|columns| (rows, columns)));
        for (rows, columns) in shapes.chain([(100, 100), (384, 384), (33, 1536), (1536, 33), (0, 4), (4, 0)])
        {
            let matrix: Vec<f64> = (0..rows * columns).map(|_| f64::from(rng.uniform())).collect();
            let (x, y) = (rng.normals(columns), rng.normals(rows));
            let (mut forth, mut back) = (vec![f32::NAN; rows], vec![f32::NAN; columns]);
            rotate(level, &matrix, &x, &mut forth);
            rotate_transposed(level, &matrix, &y, &mut back);
            for (i, value) in forth.iter().enumerate() {
                let terms = || (0..columns).map(|j| matrix[i * columns + j] * f64::from(x[j]));
                check(*value, terms(), &format!("{} {rows}x{columns} row {i}", level.name()));
            }
            for (j, value) in back.iter().enumerate() {
                let terms = || (0..rows).map(|i| matrix[i * columns + j] * f64::from(y[i]));
                check(*value, terms(), &format!("{} {rows}x{columns} column {j}", level.name()));
            }
        }
    }
}

/// One rounding to `f32`, and `f64` roundings of the terms in any order.
fn check(value: f32, terms: impl Iterator<Item = f64> + Clone, what: &str) {
    let expected: f64 = terms.clone().sum();
    let magnitude: f64 = terms.map(f64::abs).sum();
    let tolerance = f64::from(f32::EPSILON) / 2.0 * expected.abs() + 1e-14 * magnitude;
    assert_close(f64::from(value), expected, tolerance, what);
}

#[test]
fn lengths_that_differ_are_refused() {
    let level = Level::detect();
    assert!(std::panic::catch_unwind(|| dot_f32(level, &[1.0], &[])).is_err());
    assert!(std::panic::catch_unwind(|| rotate(level, &[1.0; 5], &[1.0; 2], &mut [0.0; 2])).is_err());
    assert!(
        std::panic::catch_unwind(|| rotate_transposed(level, &[1.0; 5], &[1.0; 2], &mut [0.0; 2])).is_err()
    );
}
