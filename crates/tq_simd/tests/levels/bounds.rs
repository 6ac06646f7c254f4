//! Bounds from sums of sign bits: near the definition in `f64`, and the same bits at every level.

use crate::support::Rng;
use tq_simd::{BoundOf, BoundTerms, Level, sign_bounds};

const ALL: [BoundOf; 3] = [BoundOf::Cosine, BoundOf::InnerProduct, BoundOf::SquaredL2];

fn terms(rng: &mut Rng) -> BoundTerms {
    let numbers = rng.normals(9);
    BoundTerms {
        constant: numbers[0].abs(),
        common: numbers[1],
        centre_norm: numbers[2].abs(),
        centre_square: numbers[2] * numbers[2],
        sum_scale: numbers[4] * 1e-3,
        spread: numbers[5].abs() + 0.01,
        spread_of_exact: numbers[5].abs(),
        rounding: numbers[7].abs() * 1e-6,
        epsilon: 3.0,
        slack: 1e-6,
    }
}

/// As documented, in `f64`: the bound, and what it is summed from.
fn by_the_book(of: BoundOf, terms: &BoundTerms, norm: f32, ratio: u32, sum: i32) -> (f64, f64) {
    let [constant, common, centre, square, scale, spread, exact, rounding, epsilon, slack] = [
        terms.constant,
        terms.common,
        terms.centre_norm,
        terms.centre_square,
        terms.sum_scale,
        terms.spread,
        terms.spread_of_exact,
        terms.rounding,
        terms.epsilon,
        terms.slack,
    ]
    .map(f64::from);
    let (r, kappa) = (f64::from(norm), f64::from(ratio & 0xffff) / 65_535.0);
    let m = f64::from((ratio as i32) >> 16) / 32_767.0 * centre * r;
    let sigma = (spread / kappa / kappa - exact + rounding).max(0.0).sqrt();
    let b = common * m + r * (scale * f64::from(sum) / kappa + epsilon * sigma);
    match of {
        BoundOf::Cosine => {
            let row = square + 2.0 * m + r * r;
            if row < 1e-3 * (square + r * r) {
                return (f64::NEG_INFINITY, 1.0);
            }
            (
                -(constant + b) / row.sqrt() - slack,
                (constant + b.abs()) / row.sqrt() * (1.0 + (square + r * r) / row),
            )
        }
        BoundOf::InnerProduct => (-(constant + b) - slack * (constant + b.abs()), constant + b.abs()),
        BoundOf::SquaredL2 => {
            let far = constant + r * r;
            (far - 2.0 * b - slack * far, far + b.abs())
        }
    }
}

pub(crate) fn bounds_of_signs(level: Level) {
    let mut rng = Rng::new(45);
    for count in (0..70).chain([127, 1000]) {
        let terms = terms(&mut rng);
        let norms: Vec<f32> = rng.normals(count).into_iter().map(f32::abs).collect();
        let ratios: Vec<u32> = (0..count)
            .map(|_| rng.next() as u32 & 0xffff_0000 | (30_000 + rng.next() as u32 % 35_000))
            .collect();
        let sums: Vec<i32> = (0..count).map(|_| rng.next() as i32 % 5000).collect();
        for of in ALL {
            let (mut out, mut scalar) = (vec![0.0; count], vec![0.0; count]);
            sign_bounds(level, of, &terms, &norms, &ratios, &sums, &mut out);
            sign_bounds(Level::Scalar, of, &terms, &norms, &ratios, &sums, &mut scalar);
            for row in 0..count {
                assert_eq!(out[row].to_bits(), scalar[row].to_bits(), "{} {of:?} {row}", level.name());
                let (expected, size) = by_the_book(of, &terms, norms[row], ratios[row], sums[row]);
                let error = (f64::from(out[row]) - expected).abs();
                assert!(
                    error <= 1e-5 * size || f64::from(out[row]) == expected,
                    "{} {of:?}: {} instead of {expected}",
                    level.name(),
                    out[row]
                );
            }
        }
    }
}

/// Numbers that no row has, as a damaged page may hold them: looked at first, and never NaN.
pub(crate) fn bounds_of_damaged_signs(level: Level) {
    let mut rng = Rng::new(46);
    let norms = [f32::NAN, f32::INFINITY, -1.0, 0.0, 1.0, f32::MAX];
    let ratios = [0, 1, 0xffff_0000, 0x8000_0000, 0x8000_ffff];
    for of in ALL {
        let terms = terms(&mut rng);
        for norm in norms {
            for ratio in ratios {
                let mut out = [0.0; 17];
                sign_bounds(level, of, &terms, &[norm; 17], &[ratio; 17], &[i32::MAX; 17], &mut out);
                assert!(out.iter().all(|bound| !bound.is_nan()), "{} {of:?} {norm} {ratio:x}", level.name());
            }
        }
    }
}
