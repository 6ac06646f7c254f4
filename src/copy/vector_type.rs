//! The column types that hold a vector, and their values on the way in and out.
//!
//! Floats go in as binary COPY data, in the form that the type's receive function takes, and come out of datums:
//!
//! ```text
//! real[], double precision[]   i32 dimensions = 1   i32 nulls = 0   oid of the elements   i32 length   i32 first = 1
//!                              per element:  i32 size   the float
//! vector, halfvec              i16 dimension   i16 unused = 0   per element: the float (f32, FP16)
//! ```
//!
//! All numbers are big-endian. In a datum, vector and halfvec have the same fields, as the machine has them.

#![allow(unsafe_code)]

use std::borrow::Cow;

use half::f16;
use pgrx::pg_sys;
use tq_corpus::Real;

use crate::datum::float_array::{Elements, FloatArray};
use crate::datum::record::Varlena;
use crate::datum::typmod::{Typmod, is_type_of, tqvec_typmod};
use crate::error::{Error, VectorError};
use tq_memory::Grow;

/// Bytes of pgvector's fields before the elements.
const PGVECTOR_HEADER: usize = 4;

/// A type that holds a vector.
#[derive(Clone, Copy, Debug)]
pub(crate) enum VectorType {
    Tqvec(Typmod),
    Real,
    Double,
    /// pgvector's, with the dimension that the column fixes.
    Vector(Option<u32>),
    /// pgvector's, with the dimension that the column fixes.
    Halfvec(Option<u32>),
}

impl VectorType {
    /// That type, or the one behind a domain; `None` for others.
    pub(crate) fn of(oid: pg_sys::Oid, mut typmod: i32) -> Option<VectorType> {
        if let Some((_, typmod)) = tqvec_typmod(oid, typmod) {
            return Some(VectorType::Tqvec(typmod));
        }
        // SAFETY: a catalog look-up by OID, which writes to `typmod`.
        let base = unsafe { pg_sys::getBaseTypeAndTypmod(oid, &mut typmod) };
        let dimension = u32::try_from(typmod).ok();
        match base {
            pg_sys::FLOAT4ARRAYOID => Some(VectorType::Real),
            pg_sys::FLOAT8ARRAYOID => Some(VectorType::Double),
            _ if is_type_of(base, c"vector", c"vector") => Some(VectorType::Vector(dimension)),
            _ if is_type_of(base, c"vector", c"halfvec") => Some(VectorType::Halfvec(dimension)),
            _ => None,
        }
    }

    /// The dimension that the column fixes, if it does.
    pub(crate) fn dimension(self) -> Option<u32> {
        match self {
            VectorType::Tqvec(typmod) => typmod.dimension(),
            VectorType::Real | VectorType::Double => None,
            VectorType::Vector(dimension) | VectorType::Halfvec(dimension) => dimension,
        }
    }

    /// Bytes of a field with so many numbers, without its length; for `tqvec` nothing that could be known here.
    pub(crate) fn field_len(self, dimension: usize) -> usize {
        match self {
            VectorType::Tqvec(_) => 0,
            VectorType::Real => 20 + 8 * dimension,
            VectorType::Double => 20 + 12 * dimension,
            VectorType::Vector(_) => PGVECTOR_HEADER + 4 * dimension,
            VectorType::Halfvec(_) => PGVECTOR_HEADER + 2 * dimension,
        }
    }

    /// Appends a field of binary COPY data, its length in front.
    ///
    /// # Errors
    /// A number that FP16 can't hold, or more than pgvector's limit.
    pub(crate) fn write<N: Real>(self, vector: &[N], out: &mut Vec<u8>) -> Result<(), Error> {
        let length = self.field_len(vector.len());
        out.try_room(4 + length)?;
        out.extend_from_slice(&(length as i32).to_be_bytes());
        match self {
            VectorType::Tqvec(_) => {}
            VectorType::Real => {
                array_header(pg_sys::FLOAT4OID, vector.len(), out);
                elements(vector, out, |value| {
                    let bits = value.to_f32().to_be_bytes();
                    [0, 0, 0, 4, bits[0], bits[1], bits[2], bits[3]]
                });
            }
            VectorType::Double => {
                array_header(pg_sys::FLOAT8OID, vector.len(), out);
                elements(vector, out, |value| {
                    let mut element = [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0];
                    element[4..].copy_from_slice(&value.to_f64().to_be_bytes());
                    element
                });
            }
            VectorType::Vector(_) => {
                pgvector_header(vector.len(), out)?;
                elements(vector, out, |value| value.to_f32().to_be_bytes());
            }
            VectorType::Halfvec(_) => {
                pgvector_header(vector.len(), out)?;
                let half = |value: N| f16::from_f32(value.to_f32());
                if let Some(value) = vector.iter().find(|value| half(**value).is_infinite()) {
                    return Err(Error::Vector(VectorError::HalfOverflow(value.to_f32())));
                }
                elements(vector, out, |value| half(value).to_be_bytes());
            }
        }
        Ok(())
    }

    /// Whether values have double precision.
    pub(crate) fn is_double(self) -> bool {
        matches!(self, VectorType::Double)
    }

    /// Hands the floats behind a datum to `take`; not for `tqvec`, whose records are decoded together.
    ///
    /// # Safety
    /// `datum` must be a non-null datum of this type.
    pub(crate) unsafe fn read<R>(
        self,
        datum: pg_sys::Datum,
        take: impl FnOnce(Elements<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        // SAFETY: the datum is of this type; copies that detoasting makes are freed, or go with their memory context.
        unsafe {
            match self {
                VectorType::Real | VectorType::Double => {
                    let plain = pg_sys::pg_detoast_datum(datum.cast_mut_ptr());
                    let array = FloatArray::from_datum(pg_sys::Datum::from(plain));
                    let result = take(array.elements()?);
                    if plain != datum.cast_mut_ptr() {
                        pg_sys::pfree(plain.cast());
                    }
                    result
                }
                VectorType::Tqvec(_) | VectorType::Vector(_) | VectorType::Halfvec(_) => {
                    let value = Varlena::packed(datum);
                    let result =
                        self.pgvector_floats(value.bytes()).and_then(|floats| take(Elements::Real(&floats)));
                    value.release();
                    result
                }
            }
        }
    }

    /// The elements of pgvector's types; `bytes` follow the varlena header.
    fn pgvector_floats(self, bytes: &[u8]) -> Result<Cow<'_, [f32]>, Error> {
        let dimension = bytes.first_chunk().map(|field| i16::from_ne_bytes(*field) as u16 as usize);
        let (dimension, elements) =
            dimension.zip(bytes.get(PGVECTOR_HEADER..)).ok_or(Error::Vector(VectorError::ArrayDamaged))?;
        match self {
            VectorType::Halfvec(_) if elements.len() == 2 * dimension => {
                Ok(Cow::Owned(tq_memory::collected(
                    elements.as_chunks().0.iter().map(|half| f16::from_ne_bytes(*half).to_f32()),
                )?))
            }
            VectorType::Vector(_) if elements.len() == 4 * dimension => {
                Ok(match bytemuck::try_cast_slice(elements) {
                    Ok(floats) => Cow::Borrowed(floats),
                    Err(_) => Cow::Owned(tq_memory::collected(
                        elements.as_chunks().0.iter().map(|float| f32::from_ne_bytes(*float)),
                    )?),
                })
            }
            _ => Err(Error::Vector(VectorError::ArrayDamaged)),
        }
    }
}

fn array_header(element: pg_sys::Oid, length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&1i32.to_be_bytes());
    out.extend_from_slice(&0i32.to_be_bytes());
    out.extend_from_slice(&element.to_u32().to_be_bytes());
    out.extend_from_slice(&(length as i32).to_be_bytes());
    out.extend_from_slice(&1i32.to_be_bytes());
}

fn pgvector_header(length: usize, out: &mut Vec<u8>) -> Result<(), Error> {
    // More than pgvector takes is its own error to report, as long as its field can say so.
    let length = i16::try_from(length).map_err(|_| Error::Vector(VectorError::PgvectorDimension(length)))?;
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
