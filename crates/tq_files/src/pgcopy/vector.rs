//! Vectors as fields of the types that hold them, in the form that the type's receive function takes.
//!
//! ```text
//! real[], double precision[]   i32 dimensions = 1   i32 nulls = 0   oid of the elements   i32 length   i32 first = 1
//!                              per element:  i32 size   the float
//! vector, halfvec              i16 dimension   i16 unused = 0   per element: the float (f32, binary16)
//! ```
//!
//! The last two are pgvector's (`vector_recv`, `halfvec_recv`).

use half::f16;
use tq_memory::{Grow, OutOfMemory};

use crate::rows::Real;

/// The types of elements, whose OIDs never change.
const FLOAT4: u32 = 700;
const FLOAT8: u32 = 701;
/// Bytes in front of the elements.
const ARRAY_HEADER: usize = 20;
const PGVECTOR_HEADER: usize = 4;

/// A type that holds a vector of floats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VectorField {
    /// `real[]`.
    Real,
    /// `double precision[]`.
    Double,
    /// pgvector's `vector`.
    Vector,
    /// pgvector's `halfvec`.
    Halfvec,
}

/// Why a vector has no such field.
#[derive(thiserror::Error, Debug, Clone, Copy, PartialEq)]
pub enum VectorFieldError {
    /// There is no memory for it.
    #[error("{0}")]
    Memory(#[from] OutOfMemory),
    /// A number that binary16 can't hold.
    #[error("{0} is out of range for half precision")]
    HalfOverflow(f32),
    /// More numbers than the field can count.
    #[error("{0} dimensions are more than the type has room for")]
    Dimension(usize),
}

impl VectorField {
    /// Bytes of a field of so many numbers, without the length in front.
    pub fn len(self, dimension: usize) -> usize {
        match self {
            VectorField::Real => ARRAY_HEADER + 8 * dimension,
            VectorField::Double => ARRAY_HEADER + 12 * dimension,
            VectorField::Vector => PGVECTOR_HEADER + 4 * dimension,
            VectorField::Halfvec => PGVECTOR_HEADER + 2 * dimension,
        }
    }

    /// Appends the field, its length in front. After an error, `out` has some of it.
    ///
    /// # Errors
    /// [`VectorFieldError`].
    pub fn write<N: Real>(self, vector: &[N], out: &mut Vec<u8>) -> Result<(), VectorFieldError> {
        let length = self.len(vector.len());
        out.try_room(4 + length)?;
        out.extend_from_slice(&(length as i32).to_be_bytes());
        match self {
            VectorField::Real => {
                array_header(FLOAT4, vector.len(), out);
                elements(vector, out, |value| {
                    let bits = value.to_f32().to_be_bytes();
                    [0, 0, 0, 4, bits[0], bits[1], bits[2], bits[3]]
                });
            }
            VectorField::Double => {
                array_header(FLOAT8, vector.len(), out);
                elements(vector, out, |value| {
                    let mut element = [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0];
                    element[4..].copy_from_slice(&value.to_f64().to_be_bytes());
                    element
                });
            }
            VectorField::Vector => {
                pgvector_header(vector.len(), out)?;
                elements(vector, out, |value| value.to_f32().to_be_bytes());
            }
            VectorField::Halfvec => {
                pgvector_header(vector.len(), out)?;
                let half = |value: N| f16::from_f32(value.to_f32());
                if let Some(value) = vector.iter().find(|value| half(**value).is_infinite()) {
                    return Err(VectorFieldError::HalfOverflow(value.to_f32()));
                }
                elements(vector, out, |value| half(value).to_be_bytes());
            }
        }
        Ok(())
    }
}

fn array_header(element: u32, length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&1i32.to_be_bytes());
    out.extend_from_slice(&0i32.to_be_bytes());
    out.extend_from_slice(&element.to_be_bytes());
    out.extend_from_slice(&(length as i32).to_be_bytes());
    out.extend_from_slice(&1i32.to_be_bytes());
}

fn pgvector_header(length: usize, out: &mut Vec<u8>) -> Result<(), VectorFieldError> {
    // More than pgvector takes is its own error to report, as long as its field can say so.
    let length = i16::try_from(length).map_err(|_| VectorFieldError::Dimension(length))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&0i16.to_be_bytes());
    Ok(())
}

/// Appends each element in its binary form.
fn elements<T: Real, const N: usize>(vector: &[T], out: &mut Vec<u8>, form: impl Fn(T) -> [u8; N]) {
    let start = out.len();
    out.resize(start + N * vector.len(), 0);
    for (place, value) in out[start..].as_chunks_mut::<N>().0.iter_mut().zip(vector) {
        *place = form(*value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [VectorField; 4] =
        [VectorField::Real, VectorField::Double, VectorField::Vector, VectorField::Halfvec];

    #[test]
    fn bytes_of_each() {
        for (field, bytes) in ALL.into_iter().zip([
            "0000001c 00000001 00000000 000002bc 00000001 00000001 00000004 3fc00000",
            "00000020 00000001 00000000 000002bd 00000001 00000001 00000008 3ff80000 00000000",
            "00000008 0001 0000 3fc00000",
            "00000006 0001 0000 3e00",
        ]) {
            let mut out = Vec::new();
            field.write(&[1.5f32], &mut out).unwrap();
            let shown: String = out.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(shown, bytes.replace(' ', ""), "{field:?}");
            for dimension in [0, 1, 7, 100] {
                out.clear();
                field.write(&vec![0.25f64; dimension], &mut out).unwrap();
                assert_eq!(out.len(), 4 + field.len(dimension));
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut out = Vec::new();
        assert_eq!(
            VectorField::Halfvec.write(&[1.0, 65520.0f32], &mut out),
            Err(VectorFieldError::HalfOverflow(65520.0))
        );
        for field in [VectorField::Vector, VectorField::Halfvec] {
            let error = field.write(&vec![0.0f32; 32_768], &mut out).unwrap_err();
            assert_eq!(error, VectorFieldError::Dimension(32_768));
            field.write(&vec![0.0f32; 32_767], &mut out).unwrap();
        }
    }
}
