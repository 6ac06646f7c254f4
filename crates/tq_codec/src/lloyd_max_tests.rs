//! Derives the Lloyd-Max constants anew and checks their known distortions.
//!
//! The derivation shares nothing with the one that made the table: Newton's method in f64 on the fixed-point
//! conditions, started from Panter-Dite companding, with every inner cell integrated by Gauss-Legendre
//! quadrature about its midpoint (differences of the normal density and distribution would cancel) and the
//! outermost by the complementary error function.

use super::positive_half;
use std::f64::consts::{PI, SQRT_2};
use tq_format::BitWidth;

const WIDTHS: [BitWidth; 3] = [BitWidth::Two, BitWidth::Four, BitWidth::Eight];

fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
}

fn upper_tail(x: f64) -> f64 {
    0.5 * libm::erfc(x / SQRT_2)
}

/// Nodes and weights on [-1, 1], from Newton's method on the Legendre recurrence.
fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    (0..n)
        .map(|i| {
            let mut x = (PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
            let mut slope = 0.0;
            for _ in 0..100 {
                let (mut before, mut value) = (1.0, x);
                for k in 2..=n {
                    let k = k as f64;
                    (before, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k);
                }
                slope = n as f64 * (x * value - before) / (x * x - 1.0);
                let step = value / slope;
                x -= step;
                if step.abs() < 1e-16 {
                    break;
                }
            }
            (x, 2.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect()
}

/// Probability, conditional mean and second moment about `centre` of a normal variable in (lo, hi).
fn cell(lo: f64, hi: f64, centre: f64, rule: &[(f64, f64)]) -> (f64, f64, f64) {
    let (middle, half) = (0.5 * (lo + hi), 0.5 * (hi - lo));
    let (mut mass, mut first, mut second) = (0.0, 0.0, 0.0);
    for &(node, weight) in rule {
        let x = middle + half * node;
        let w = weight * half * density(x);
        mass += w;
        first += w * (half * node);
        second += w * (x - centre) * (x - centre);
    }
    (mass, middle + first / mass, second)
}

fn boundaries(points: &[f64]) -> Vec<f64> {
    let inner = points.windows(2).map(|p| 0.5 * (p[0] + p[1]));
    std::iter::once(0.0).chain(inner).collect()
}

/// The inverse of the normal distribution by bisection: it only has to start Newton's method.
fn normal_quantile(p: f64) -> f64 {
    let (mut lo, mut hi) = (-12.0, 12.0);
    for _ in 0..80 {
        let middle = 0.5 * (lo + hi);
        if 1.0 - upper_tail(middle) < p { lo = middle } else { hi = middle }
    }
    0.5 * (lo + hi)
}

fn derive(levels: usize, rule: &[(f64, f64)]) -> Vec<f64> {
    let half = levels / 2;
    // Panter and Dite: the best point density is proportional to the cube root of the probability density,
    // for a normal variable again a normal, √3 wider.
    let start =
        |i: usize| 3f64.sqrt() * normal_quantile((half + i) as f64 / levels as f64 + 0.5 / levels as f64);
    let mut points: Vec<f64> = (0..half).map(start).collect();
    for _ in 0..50 {
        let edges = boundaries(&points);
        // The Jacobian of `point - mean of its cell` is tridiagonal.
        let (mut below, mut diagonal, mut above) = (vec![0.0; half], vec![1.0; half], vec![0.0; half]);
        let mut rest = vec![0.0; half];
        for i in 0..half {
            let lo = edges[i];
            let (mean, slope_lo, slope_hi) = if i + 1 < half {
                let hi = edges[i + 1];
                let (mass, mean, _) = cell(lo, hi, points[i], rule);
                (mean, density(lo) * (mean - lo) / mass, density(hi) * (hi - mean) / mass)
            } else {
                let mean = density(lo) / upper_tail(lo);
                (mean, density(lo) * (mean - lo) / upper_tail(lo), 0.0)
            };
            rest[i] = mean - points[i];
            if i > 0 {
                below[i] = -0.5 * slope_lo;
                diagonal[i] -= 0.5 * slope_lo;
            }
            if i + 1 < half {
                above[i] = -0.5 * slope_hi;
                diagonal[i] -= 0.5 * slope_hi;
            }
        }
        for i in 1..half {
            let factor = below[i] / diagonal[i - 1];
            diagonal[i] -= factor * above[i - 1];
            rest[i] -= factor * rest[i - 1];
        }
        let mut largest = 0f64;
        for i in (0..half).rev() {
            let after = if i + 1 < half { above[i] * rest[i + 1] } else { 0.0 };
            rest[i] = (rest[i] - after) / diagonal[i];
            points[i] += rest[i];
            largest = largest.max(rest[i].abs());
        }
        if largest < 1e-14 {
            break;
        }
    }
    points
}

#[test]
fn constants_are_derived_anew() {
    let rule = gauss_legendre(24);
    for width in WIDTHS {
        let table = positive_half(width);
        let derived = derive(width.levels(), &rule);
        assert_eq!(table.len(), width.levels() / 2);
        assert_eq!(table.len(), derived.len());
        let worst = table.iter().zip(&derived).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        eprintln!("{} levels: largest difference from the table {worst:.1e}", width.levels());
        assert!(worst < 1e-10, "{} levels differ by {worst:e}", width.levels());
    }
}

#[test]
fn constants_ascend_from_zero() {
    for width in WIDTHS {
        let table = positive_half(width);
        assert!(table[0] > 0.0);
        assert!(table.windows(2).all(|p| p[0] < p[1]));
    }
}

/// Mean squared error on a standard normal variable. The literature prints 0.1175 and 0.0095 for 4 and 16
/// levels (Max's own table has 0.009497 for the latter, a slip in the last digits).
#[test]
fn distortions_are_the_known_ones() {
    let rule = gauss_legendre(24);
    for (width, known) in [
        (BitWidth::Two, 0.117_481_847_829),
        (BitWidth::Four, 0.009_501_008_008),
        (BitWidth::Eight, 4.118_508_287e-5),
    ] {
        let points = positive_half(width);
        let edges = boundaries(points);
        let mut half_error = 0.0;
        for (i, &point) in points.iter().enumerate() {
            // The density is below 1e-31 beyond 12: slices of the last cell stand for its infinite tail.
            let mut lo = edges[i];
            let end = edges.get(i + 1).copied().unwrap_or(12.0);
            while lo < end {
                let hi = end.min(lo + 0.5);
                half_error += cell(lo, hi, point, &rule).2;
                lo = hi;
            }
        }
        let distortion = 2.0 * half_error;
        eprintln!("{} levels: mean squared error {distortion:.6e}", width.levels());
        assert!((distortion / known - 1.0).abs() < 1e-8, "{} levels: {distortion:e}", width.levels());
    }
}
