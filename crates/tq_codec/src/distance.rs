//! The four distances, between decoded vectors.
//!
//! What each one means is fixed here, for records as well: `cosine_distance` serves both.

use tq_simd::Level;

/// A distance between two vectors.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Metric {
    /// Euclidean distance.
    L2,
    /// The inner product itself: a caller that wants the nearest to sort first negates it.
    InnerProduct,
    /// One minus the cosine of the angle, 0 to 2; NaN when either norm is zero.
    Cosine,
    /// Sum of absolute differences.
    L1,
}

/// One minus the cosine, from the inner product and the squared norms. Rounding can't take it out of 0 to 2.
#[inline]
pub(crate) fn cosine_distance(dot: f64, square_a: f64, square_b: f64) -> f64 {
    if square_a == 0.0 || square_b == 0.0 {
        return f64::NAN;
    }
    // Two roots: the product of the squares may leave f64 where the vectors don't leave f32.
    let cosine = dot / (square_a.sqrt() * square_b.sqrt());
    1.0 - cosine.clamp(-1.0, 1.0)
}

/// The distance between two vectors of the same space, original or rotated (L1 is only meaningful in the
/// original one). For [`Metric::InnerProduct`] the inner product.
///
/// # Panics
/// If the slices have different lengths.
pub fn distance_f32(metric: Metric, a: &[f32], b: &[f32]) -> f64 {
    let level = Level::detect();
    match metric {
        Metric::L2 => tq_simd::squared_l2_f32(level, a, b).sqrt(),
        Metric::InnerProduct => tq_simd::dot_f32(level, a, b),
        Metric::Cosine => {
            let (dot, square_a, square_b) = tq_simd::dot_and_norms_f32(level, a, b);
            cosine_distance(dot, square_a, square_b)
        }
        Metric::L1 => tq_simd::l1_f32(level, a, b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_cases_by_hand() {
        let (a, b) = ([1.0, 2.0, 2.0], [3.0, 0.0, -4.0]);
        assert_eq!(distance_f32(Metric::L2, &a, &b), 44f64.sqrt());
        assert_eq!(distance_f32(Metric::InnerProduct, &a, &b), -5.0);
        assert_eq!(distance_f32(Metric::L1, &a, &b), 10.0);
        assert!((distance_f32(Metric::Cosine, &a, &b) - (1.0 + 5.0 / 15.0)).abs() < 1e-15);
    }

    #[test]
    fn cosine_stays_in_range_and_is_nan_for_zero() {
        assert!(distance_f32(Metric::Cosine, &[0.0, 0.0], &[1.0, 0.0]).is_nan());
        assert!(distance_f32(Metric::Cosine, &[1.0, 0.0], &[0.0, 0.0]).is_nan());
        for x in [0.1f32, 0.7, 1e-30, 3e38, 1.3e-42] {
            let (a, b) = ([x, x, x], [-x, -x, -x]);
            let (same, opposite) =
                (distance_f32(Metric::Cosine, &a, &a), distance_f32(Metric::Cosine, &a, &b));
            assert!((0.0..1e-6).contains(&same), "{x:e}: {same:e}");
            assert!((opposite - 2.0).abs() < 1e-6 && opposite <= 2.0, "{x:e}: {opposite:e}");
        }
    }
}
