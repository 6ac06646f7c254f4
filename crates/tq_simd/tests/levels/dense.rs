//! Rotations and distances between decoded vectors, against plain `f64` sums and against the scalar definition.

use crate::support::{Rng, assert_close};
use tq_simd::{
    Level, dot_and_norms_f32, dot_f32, l1_f32, rotate, rotate_f32_polling, rotate_query_polling,
    rotate_transposed_polling, squared_l2_f32,
};

fn sizes() -> impl Iterator<Item = usize> {
    (0..=70).chain([255, 384, 1000, 1536])
}

pub(crate) fn pairs_of_vectors(level: Level) {
    let mut rng = Rng::new(21);
    for d in sizes() {
        for scale in [1.0, 1e-30, 1e30] {
            for (a_offset, b_offset) in [(0, 0), (1, 3)] {
                let mut vector = |offset: usize| -> Vec<f32> {
                    rng.normals(offset + d).iter().map(|v| v * scale).collect()
                };
                let (a, b) = (vector(a_offset), vector(b_offset));
                check_pair(level, &a[a_offset..], &b[b_offset..], &format!("d={d} scale={scale}"));
            }
        }
    }
}

fn check_pair(level: Level, a: &[f32], b: &[f32], what: &str) {
    let pairs = || a.iter().zip(b).map(|(a, b)| (f64::from(*a), f64::from(*b)));
    let norms = (pairs().map(|(a, _)| a * a).sum::<f64>(), pairs().map(|(_, b)| b * b).sum::<f64>());
    let dot: f64 = pairs().map(|(a, b)| a * b).sum();
    let l2: f64 = pairs().map(|(a, b)| (a - b) * (a - b)).sum();
    let l1: f64 = pairs().map(|(a, b)| (a - b).abs()).sum();
    let what = format!("{} {what}", level.name());
    let near = |value, expected, scale: f64| assert_close(value, expected, 1e-14 * scale, &what);

    let scale = (norms.0 * norms.1).sqrt();
    let all = dot_and_norms_f32(level, a, b);
    near(dot_f32(level, a, b), dot, scale);
    near(all.0, dot, scale);
    near(all.1, norms.0, norms.0);
    near(all.2, norms.1, norms.1);
    near(squared_l2_f32(level, a, b), l2, l2);
    near(l1_f32(level, a, b), l1, l1);
    assert_eq!(squared_l2_f32(level, a, a), 0.0);

    let definition = dot_and_norms_f32(Level::Scalar, a, b);
    near(all.0, dot_f32(Level::Scalar, a, b), scale);
    near(all.0, definition.0, scale);
    near(all.1, definition.1, norms.0);
    near(all.2, definition.2, norms.1);
    near(squared_l2_f32(level, a, b), squared_l2_f32(Level::Scalar, a, b), l2);
    near(l1_f32(level, a, b), l1_f32(Level::Scalar, a, b), l1);
}

pub(crate) fn rotations(level: Level) {
    let mut rng = Rng::new(22);
    let shapes = (1..=40).flat_map(|rows| [1, 3, 8, 17, 33].map(|columns| (rows, columns)));
    for (rows, columns) in shapes.chain([(100, 100), (384, 384), (33, 1536), (1536, 33), (0, 4), (4, 0)]) {
        let matrix: Vec<f64> = (0..rows * columns).map(|_| f64::from(rng.uniform())).collect();
        let (x, y) = (rng.normals(columns), rng.normals(rows));
        let (mut forth, mut back) = (vec![f32::NAN; rows], vec![f32::NAN; columns]);
        rotate(level, &matrix, &x, &mut forth);
        rotate_transposed_polling(level, &matrix, &y, &mut back, &mut || {});
        let (mut forth_scalar, mut back_scalar) = (vec![f32::NAN; rows], vec![f32::NAN; columns]);
        rotate(Level::Scalar, &matrix, &x, &mut forth_scalar);
        rotate_transposed_polling(Level::Scalar, &matrix, &y, &mut back_scalar, &mut || {});
        let floats: Vec<f32> = matrix.iter().map(|&entry| entry as f32).collect();
        let mut by_floats = vec![f32::NAN; rows];
        rotate_query_polling(level, &floats, &x, &mut by_floats, &mut || {});
        for (i, value) in by_floats.iter().enumerate() {
            let terms = (0..columns).map(|j| f64::from(floats[i * columns + j]) * f64::from(x[j]));
            let what = format!("{} {rows}x{columns} row {i} of floats", level.name());
            check_within(*value, terms, 5.0 * f64::from(f32::EPSILON) / 2.0, &what);
        }
        for (i, (value, scalar)) in forth.iter().zip(forth_scalar).enumerate() {
            let terms = || (0..columns).map(|j| matrix[i * columns + j] * f64::from(x[j]));
            let what = format!("{} {rows}x{columns} row {i}", level.name());
            check(*value, terms(), &what);
            check(scalar, terms(), &what);
        }
        for (j, (value, scalar)) in back.iter().zip(back_scalar).enumerate() {
            let terms = || (0..rows).map(|i| matrix[i * columns + j] * f64::from(y[i]));
            let what = format!("{} {rows}x{columns} column {j}", level.name());
            check(*value, terms(), &what);
            check(scalar, terms(), &what);
        }
    }
}

/// Vectors that end where the next page can't be read.
#[cfg(unix)]
pub(crate) fn page_ends(level: Level) {
    use crate::support::fence::Fence;
    let mut rng = Rng::new(23);
    let (mut first, mut second) = (Fence::new(1), Fence::new(1));
    for d in 1..=70 {
        let (a, b) = (rng.normals(d), rng.normals(d));
        let (fenced_a, fenced_b) = (first.put_floats(&a), second.put_floats(&b));
        assert_eq!(dot_f32(level, fenced_a, fenced_b), dot_f32(level, &a, &b));
        assert_eq!(dot_and_norms_f32(level, fenced_a, fenced_b), dot_and_norms_f32(level, &a, &b));
        assert_eq!(squared_l2_f32(level, fenced_a, fenced_b), squared_l2_f32(level, &a, &b));
        assert_eq!(l1_f32(level, fenced_a, fenced_b), l1_f32(level, &a, &b));
        let matrix: Vec<f64> = a.iter().map(|a| f64::from(*a)).collect();
        let (mut out, mut fenced_out) = ([0.0], [0.0]);
        rotate(level, &matrix, &b, &mut out);
        rotate(level, &matrix, fenced_b, &mut fenced_out);
        assert_eq!(out, fenced_out);
        rotate_query_polling(level, &a, &b, &mut out, &mut || {});
        rotate_query_polling(level, fenced_a, fenced_b, &mut fenced_out, &mut || {});
        assert_eq!(out, fenced_out);
        rotate_f32_polling(level, &a, &b, &mut out, &mut || {});
        rotate_f32_polling(level, fenced_a, fenced_b, &mut fenced_out, &mut || {});
        assert_eq!(out, fenced_out);
    }
}

/// One rounding to `f32`, and `f64` roundings of the terms in any order.
fn check(value: f32, terms: impl Iterator<Item = f64> + Clone, what: &str) {
    check_within(value, terms, 1e-14, what);
}

/// One rounding to `f32`, and others of so much of the terms.
fn check_within(value: f32, terms: impl Iterator<Item = f64> + Clone, roundings: f64, what: &str) {
    let expected: f64 = terms.clone().sum();
    let magnitude: f64 = terms.map(f64::abs).sum();
    let tolerance = f64::from(f32::EPSILON) / 2.0 * expected.abs() + roundings * magnitude;
    assert_close(f64::from(value), expected, tolerance, what);
}

#[test]
fn lengths_that_differ_are_refused() {
    let level = Level::detect();
    assert!(std::panic::catch_unwind(|| dot_f32(level, &[1.0], &[])).is_err());
    assert!(std::panic::catch_unwind(|| rotate(level, &[1.0; 5], &[1.0; 2], &mut [0.0; 2])).is_err());
    assert!(
        std::panic::catch_unwind(|| rotate_transposed_polling(
            level,
            &[1.0; 5],
            &[1.0; 2],
            &mut [0.0; 2],
            &mut || {}
        ))
        .is_err()
    );
}
