//! Checks of plain float vectors, and scaling them to unit length.

use crate::CodecError;

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
/// [`CodecError::NotFinite`], and [`CodecError::ZeroVector`] for a vector of zeros (or of no elements);
/// [`CodecError::Memory`].
pub fn normalize(vector: &[f32]) -> Result<Vec<f32>, CodecError> {
    let norm = check_vector(vector)?;
    if norm == 0.0 {
        return Err(CodecError::ZeroVector);
    }
    Ok(tq_memory::collected(vector.iter().map(|&x| (f64::from(x) / norm) as f32))?)
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
