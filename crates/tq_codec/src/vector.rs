//! Checks of plain float vectors, and scaling them to unit length.

use crate::CodecError;
use crate::product::F32_NORMS;

/// Refuses NaN and infinities and returns the Euclidean norm, summed in f64 (which no f32 vector overflows).
///
/// # Errors
/// [`CodecError::NotFinite`], naming the first such element.
pub fn check_vector(vector: &[f32]) -> Result<f64, CodecError> {
    let square: f64 = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    if square.is_finite() {
        return Ok(square.sqrt());
    }
    // Squares of finite f32 are at most 1.2e77 each, so only an element that isn't finite gets here.
    match vector.iter().position(|x| !x.is_finite()) {
        Some(index) => Err(CodecError::NotFinite { index, value: vector[index] }),
        None => Ok(square.sqrt()),
    }
}

/// The vector scaled to unit length; each element is divided in f64 and rounded once.
///
/// # Errors
/// [`CodecError::NotFinite`], and [`CodecError::ZeroVector`] for a vector of zeros (or of no elements).
pub fn normalize(vector: &[f32]) -> Result<Vec<f32>, CodecError> {
    let norm = check_vector(vector)?;
    if norm == 0.0 {
        return Err(CodecError::ZeroVector);
    }
    Ok(vector.iter().map(|&x| (f64::from(x) / norm) as f32).collect())
}

/// The largest norm of a vector that can be rotated in `f32`, whose coordinates then stay finite: 2¹²⁷.
pub const LARGEST_NORM: f64 = (1u128 << 127) as f64;

/// The power of two that vectors of this norm are divided by so that nothing is lost when they are rotated in `f32`: 1, except
/// where the norm comes near the ends of its range.
pub fn scale_for_norm(norm: f64) -> f64 {
    if norm == 0.0 || !norm.is_finite() || F32_NORMS.contains(&norm) {
        return 1.0;
    }
    // The exponent alone. Norms of f32 vectors are never subnormal in f64.
    f64::from_bits(norm.to_bits() & f64::INFINITY.to_bits())
}

/// The vector divided by a power of two. Exact but for what is nothing beside the norm.
pub(crate) fn divided(vector: &[f32], scale: f64) -> Vec<f32> {
    vector.iter().map(|&x| (f64::from(x) / scale) as f32).collect()
}

/// Refuses what can't be rotated in `f32`; returns the norm.
///
/// # Errors
/// Those of [`check_vector`], and [`CodecError::NormTooLarge`].
pub fn check_rotatable(vector: &[f32]) -> Result<f64, CodecError> {
    let norm = check_vector(vector)?;
    if norm > LARGEST_NORM { Err(CodecError::NormTooLarge { norm }) } else { Ok(norm) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_cover_the_range_of_f32() {
        assert_eq!(check_vector(&[3.0, 4.0]), Ok(5.0));
        assert_eq!(check_vector(&[]), Ok(0.0));
        let tiny = f32::from_bits(1);
        assert_eq!(check_vector(&[tiny]), Ok(f64::from(tiny)));
        assert!(check_vector(&[f32::MAX; 16384]).is_ok_and(f64::is_finite));
        assert_eq!(
            check_vector(&[0.0, f32::INFINITY, f32::NAN]),
            Err(CodecError::NotFinite { index: 1, value: f32::INFINITY })
        );
        assert!(matches!(check_vector(&[f32::NAN]), Err(CodecError::NotFinite { index: 0, .. })));
    }

    #[test]
    fn scales_bring_every_norm_near_1() {
        for exponent in -149..=127 {
            let vector = [2f64.powi(exponent) as f32; 3];
            let norm = check_vector(&vector).unwrap();
            let scale = scale_for_norm(norm);
            assert_eq!(scale.log2().fract(), 0.0);
            assert!(F32_NORMS.contains(&(norm / scale)), "{exponent}");
            assert!(
                divided(&vector, scale)
                    .iter()
                    .zip(&vector)
                    .all(|(a, b)| f64::from(*a) * scale == f64::from(*b))
            );
        }
        assert_eq!([0.0, 1.0, 1e-10, 1e10, f64::INFINITY].map(scale_for_norm), [1.0; 5]);
        assert!(check_rotatable(&[1.7e38]).is_ok());
        assert!(matches!(check_rotatable(&[1.7e38; 2]), Err(CodecError::NormTooLarge { .. })));
    }

    #[test]
    fn normalised_vectors_have_unit_length() {
        for vector in [vec![3.0, -4.0], vec![f32::MAX; 100], vec![f32::from_bits(1); 3], vec![-0.0, 2.0]] {
            let unit = normalize(&vector).unwrap();
            assert!((check_vector(&unit).unwrap() - 1.0).abs() < 1e-6, "{vector:?}");
        }
        assert_eq!(normalize(&[3.0, -4.0]), Ok(vec![0.6, -0.8]));
        assert_eq!(normalize(&[0.0, -0.0]), Err(CodecError::ZeroVector));
        assert_eq!(normalize(&[]), Err(CodecError::ZeroVector));
        assert!(matches!(normalize(&[1.0, f32::NAN]), Err(CodecError::NotFinite { index: 1, .. })));
    }
}
