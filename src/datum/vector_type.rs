//! The column types that hold a vector, and their values on the way in and out.
//!
//! Floats go in as fields of binary COPY data, and come out of datums, in which pgvector's types have the same parts as in those
//! fields, as the machine has them.

#![allow(unsafe_code)]

use std::borrow::Cow;

use half::f16;
use pgrx::pg_sys;
use tq_files::Real;
use tq_files::pgcopy::{VectorField, VectorFieldError};

use crate::datum::float_array::{Elements, FloatArray};
use crate::datum::record::Varlena;
use crate::datum::typmod::{Typmod, is_type_of, tqvec_typmod};
use crate::error::{Error, VectorError};

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

    /// The field of binary COPY data that has its values; none for `tqvec`, whose values are records.
    fn field(self) -> Option<VectorField> {
        match self {
            VectorType::Tqvec(_) => None,
            VectorType::Real => Some(VectorField::Real),
            VectorType::Double => Some(VectorField::Double),
            VectorType::Vector(_) => Some(VectorField::Vector),
            VectorType::Halfvec(_) => Some(VectorField::Halfvec),
        }
    }

    /// Bytes of a field with so many numbers, without its length; for `tqvec` nothing that could be known here.
    pub(crate) fn field_len(self, dimension: usize) -> usize {
        self.field().map_or(0, |field| field.len(dimension))
    }

    /// Appends a field of binary COPY data, its length in front.
    ///
    /// # Errors
    /// A number that FP16 can't hold, or more than pgvector's limit.
    pub(crate) fn write<N: Real>(self, vector: &[N], out: &mut Vec<u8>) -> Result<(), Error> {
        let Some(field) = self.field() else { return Ok(()) };
        field.write(vector, out).map_err(|error| match error {
            VectorFieldError::Memory(error) => error.into(),
            VectorFieldError::HalfOverflow(value) => Error::Vector(VectorError::HalfOverflow(value)),
            VectorFieldError::Dimension(got) => Error::Vector(VectorError::PgvectorDimension(got)),
        })
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
                    FloatArray::with(datum, |array| take(array.elements()?))
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
