//! What compression does to many floats, against the words of the definition and against the scalar level.

use crate::support::Rng;
use tq_simd::{Level, quantize, quantize_within, rotate_f32_polling};

pub(crate) fn codes_count_thresholds(level: Level) {
    // Miri is a thousand times slower.
    let most = if cfg!(miri) { 4 } else { 256 };
    let mut rng = Rng::new(31);
    for levels in [1, 2, 4, 16, 64, 256].into_iter().filter(|levels| *levels <= most) {
        let thresholds: Vec<f32> = (1..levels).map(|i| 2.0 * i as f32 / levels as f32 - 1.0).collect();
        for count in (0..=33).chain([100]) {
            let mut values: Vec<f32> = (0..count).map(|_| rng.uniform()).collect();
            values.extend([f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0]);
            values.extend(&thresholds);
            let by_the_book = |shift: f32| -> Vec<u8> {
                let code = |v: &f32| thresholds.iter().filter(|t| v + shift >= **t).count() as u8;
                values.iter().map(code).collect()
            };
            let codes = codes(level, &thresholds, &values);
            assert_eq!(codes, [by_the_book(0.0), by_the_book(-0.01), by_the_book(0.01)]);
            assert_eq!(codes, self::codes(Level::Scalar, &thresholds, &values));
        }
    }
}

fn codes(level: Level, thresholds: &[f32], values: &[f32]) -> [Vec<u8>; 3] {
    let mut codes = [vec![0xee; values.len()], vec![0xee; values.len()], vec![0xee; values.len()]];
    let [plain, low, high] = &mut codes;
    quantize(level, thresholds, values, plain);
    quantize_within(level, thresholds, values, 0.01, low, high);
    codes
}

pub(crate) fn rough_rotations(level: Level) {
    let mut rng = Rng::new(32);
    for d in (1..=40).chain([384, 1000]) {
        for rows in 0..=9 {
            let (matrix, x) = (rng.normals(rows * d), rng.normals(d));
            let (mut out, mut scalar) = (vec![f32::NAN; rows], vec![f32::NAN; rows]);
            rotate_f32_polling(level, &matrix, &x, &mut out, &mut || {});
            rotate_f32_polling(Level::Scalar, &matrix, &x, &mut scalar, &mut || {});
            for (row, (got, scalar)) in matrix.chunks_exact(d).zip(out.iter().zip(scalar)) {
                let products = row.iter().zip(&x).map(|(a, b)| f64::from(*a) * f64::from(*b));
                let (sum, size) = products.fold((0.0, 0.0), |(sum, size), p| (sum + p, size + p.abs()));
                let bound = (d / 16 + 21) as f64 * 2f64.powi(-24) * 1.01 * size;
                for value in [*got, scalar] {
                    assert!((f64::from(value) - sum).abs() <= bound, "{d} dimensions, {}", level.name());
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "not a codebook's thresholds")]
fn thresholds_are_one_less_than_a_power_of_two() {
    quantize(Level::Scalar, &[0.0, 1.0], &[0.5], &mut [0]);
}
