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

use super::columns::type_name;
use crate::error::Error;
use crate::vector::{FloatArray, Typmod, Varlena};
use tq_memory::Grow;

/// Bytes of pgvector's fields before the elements.
const PGVECTOR_HEADER: usize = 4;

/// A type that holds a vector.
#[derive(Clone, Copy, Debug)]
pub(super) enum VectorType {
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
    pub(super) fn of(oid: pg_sys::Oid, mut typmod: i32) -> Option<VectorType> {
        if let Some((_, typmod)) = Typmod::of_type(oid, typmod) {
            return Some(VectorType::Tqvec(typmod));
        }
        // SAFETY: catalog look-ups by OID and by name.
        let (base, is_pgvector) = unsafe {
            let base = pg_sys::getBaseTypeAndTypmod(oid, &mut typmod);
            let extension = pg_sys::get_extension_oid(c"vector".as_ptr(), true);
            let owner = pg_sys::getExtensionOfObject(pg_sys::TypeRelationId, base);
            (base, extension != pg_sys::InvalidOid && owner == extension)
        };
        match base {
            pg_sys::FLOAT4ARRAYOID => return Some(VectorType::Real),
            pg_sys::FLOAT8ARRAYOID => return Some(VectorType::Double),
            _ if !is_pgvector => return None,
            _ => {}
        }
        let dimension = u32::try_from(typmod).ok();
        // The name may come with its schema.
        match type_name(base).rsplit('.').next() {
            Some("vector") => Some(VectorType::Vector(dimension)),
            Some("halfvec") => Some(VectorType::Halfvec(dimension)),
            _ => None,
        }
    }

    /// The dimension that the column fixes, if it does.
    pub(super) fn dimension(self) -> Option<u32> {
        match self {
            VectorType::Tqvec(typmod) => typmod.dimension(),
            VectorType::Real | VectorType::Double => None,
            VectorType::Vector(dimension) | VectorType::Halfvec(dimension) => dimension,
        }
    }

    /// Bytes of a field with so many numbers, without its length; for `tqvec` nothing that could be known here.
    pub(super) fn field_len(self, dimension: usize) -> usize {
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
    pub(super) fn write(self, vector: &[f32], out: &mut Vec<u8>) -> Result<(), Error> {
        let length = self.field_len(vector.len());
        out.try_room(4 + length)?;
        out.extend_from_slice(&(length as i32).to_be_bytes());
        match self {
            VectorType::Tqvec(_) => {}
            VectorType::Real => {
                array_header(pg_sys::FLOAT4OID, vector.len(), out);
                elements(vector, out, |value| {
                    let bits = value.to_bits().to_be_bytes();
                    [0, 0, 0, 4, bits[0], bits[1], bits[2], bits[3]]
                });
            }
            VectorType::Double => {
                array_header(pg_sys::FLOAT8OID, vector.len(), out);
                elements(vector, out, |value| {
                    let mut element = [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0];
                    element[4..].copy_from_slice(&f64::from(value).to_be_bytes());
                    element
                });
            }
            VectorType::Vector(_) => {
                pgvector_header(vector.len(), out)?;
                elements(vector, out, f32::to_be_bytes);
            }
            VectorType::Halfvec(_) => {
                pgvector_header(vector.len(), out)?;
                if let Some(value) = vector.iter().find(|value| f16::from_f32(**value).is_infinite()) {
                    return Err(Error::HalfOverflow(*value));
                }
                elements(vector, out, |value| f16::from_f32(value).to_be_bytes());
            }
        }
        Ok(())
    }

    /// Hands the floats behind a datum to `take`; not for `tqvec`, whose records are decoded together.
    ///
    /// # Safety
    /// `datum` must be a non-null datum of this type.
    pub(super) unsafe fn read<R>(
        self,
        datum: pg_sys::Datum,
        take: impl FnOnce(&[f32]) -> Result<R, Error>,
    ) -> Result<R, Error> {
        // SAFETY: the datum is of this type; copies that detoasting makes are freed, or go with their memory context.
        unsafe {
            match self {
                VectorType::Real | VectorType::Double => {
                    let plain = pg_sys::pg_detoast_datum(datum.cast_mut_ptr());
                    let array = FloatArray::from_datum(pg_sys::Datum::from(plain));
                    let result = take(&array.floats()?);
                    if plain != datum.cast_mut_ptr() {
                        pg_sys::pfree(plain.cast());
                    }
                    result
                }
                VectorType::Tqvec(_) | VectorType::Vector(_) | VectorType::Halfvec(_) => {
                    let value = Varlena::packed(datum);
                    let result = self.pgvector_floats(value.bytes()).and_then(|floats| take(&floats));
                    value.release();
                    result
                }
            }
        }
    }

    /// The elements of pgvector's types; `bytes` follow the varlena header.
    fn pgvector_floats(self, bytes: &[u8]) -> Result<Cow<'_, [f32]>, Error> {
        let dimension = bytes.first_chunk().map(|field| i16::from_ne_bytes(*field) as u16 as usize);
        let (dimension, elements) = dimension.zip(bytes.get(PGVECTOR_HEADER..)).ok_or(Error::ArrayDamaged)?;
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
            _ => Err(Error::ArrayDamaged),
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
    let length = i16::try_from(length).map_err(|_| Error::PgvectorDimension(length))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&0i16.to_be_bytes());
    Ok(())
}

/// Appends each element in its binary form.
fn elements<const N: usize>(vector: &[f32], out: &mut Vec<u8>, form: impl Fn(f32) -> [u8; N]) {
    let start = out.len();
    out.resize(start + N * vector.len(), 0);
    for (place, value) in out[start..].as_chunks_mut::<N>().0.iter_mut().zip(vector) {
        *place = form(*value);
    }
}
