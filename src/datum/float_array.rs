//! `real[]` and `double precision[]` arguments as vectors of floats.

#![allow(unsafe_code)]

use std::borrow::Cow;

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::{impl_sql_translatable, pg_sys};

use super::record::AnyDatum;
use crate::error::{Error, VectorError};

/// A detoasted array of `real` or `double precision`, checked when it is read.
pub(crate) struct FloatArray<'fcx> {
    array: &'fcx pg_sys::ArrayType,
}

impl_sql_translatable!(FloatArray<'_>, "real[]");

// SAFETY: the SQL declarations name `real[]` or `double precision[]` for these arguments.
unsafe impl<'fcx> ArgAbi<'fcx> for FloatArray<'fcx> {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the argument is an array (see the impl), and the caller checked that it isn't null.
        unsafe {
            FloatArray::from_datum(
                arg.unbox_arg_using_from_datum::<AnyDatum>().map_or(pg_sys::Datum::null(), |d| d.0),
            )
        }
    }
}

/// The elements of an array, as it has them.
pub(crate) enum Elements<'a> {
    Real(&'a [f32]),
    Double(&'a [f64]),
}

impl<'a> FloatArray<'a> {
    /// The array behind `datum`.
    ///
    /// # Safety
    /// `datum` must be a valid, non-null array datum that outlives `'a`.
    pub(crate) unsafe fn from_datum(datum: pg_sys::Datum) -> FloatArray<'a> {
        // SAFETY: by the contract the datum is an array; detoasted it has a four-byte header and is aligned, which
        // is what ArrayType demands.
        unsafe {
            FloatArray { array: &*pg_sys::pg_detoast_datum(datum.cast_mut_ptr()).cast::<pg_sys::ArrayType>() }
        }
    }

    /// Calls `f` with the array behind `datum`, and frees the copy that was made if it had to be detoasted. What an error of the
    /// server's leaves behind goes with its memory context.
    ///
    /// # Errors
    /// Those of `f`.
    ///
    /// # Safety
    /// `datum` must be a valid, non-null array datum.
    pub(crate) unsafe fn with<R>(
        datum: pg_sys::Datum,
        f: impl FnOnce(&FloatArray<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        // SAFETY: by the contract; a copy is this function's own, and nothing of it is left when `f` is done.
        unsafe {
            let array = FloatArray::from_datum(datum);
            let result = f(&array);
            let plain = std::ptr::from_ref(array.array).cast_mut();
            if plain.cast() != datum.cast_mut_ptr::<pg_sys::varlena>() {
                pg_sys::pfree(plain.cast());
            }
            result
        }
    }

    /// The elements, in f32: `real[]` borrowed, `double precision[]` rounded. A double beyond f32's range becomes
    /// infinite, which whoever compresses refuses.
    ///
    /// # Errors
    /// More than one dimension, no element, a null.
    pub(crate) fn floats(&self) -> Result<Cow<'a, [f32]>, Error> {
        Ok(match self.elements()? {
            Elements::Real(floats) => Cow::Borrowed(floats),
            Elements::Double(doubles) => {
                Cow::Owned(tq_memory::collected(doubles.iter().map(|&value| value as f32))?)
            }
        })
    }

    /// The elements, borrowed.
    ///
    /// # Errors
    /// As for [`floats`](Self::floats).
    pub(crate) fn elements(&self) -> Result<Elements<'a>, Error> {
        let array = std::ptr::from_ref(self.array).cast_mut();
        if self.array.ndim == 0 {
            return Err(Error::Vector(VectorError::ArrayEmpty));
        }
        if self.array.ndim != 1 {
            return Err(Error::Vector(VectorError::ArrayDimensions(self.array.ndim)));
        }
        // SAFETY: `array` is a valid detoasted array.
        if self.array.dataoffset != 0 && unsafe { pg_sys::array_contains_nulls(array) } {
            return Err(Error::Vector(VectorError::ArrayNulls));
        }
        // SAFETY: a detoasted array begins with its four-byte varlena header, which says how many bytes it has; with
        // one dimension that dimension's length follows ArrayType (ARR_DIMS).
        let (bytes, length) = unsafe {
            let base = array.cast::<u8>();
            let bytes = std::slice::from_raw_parts(base, pgrx::varsize_any(array.cast()));
            (bytes, base.add(HEADER).cast::<i32>().read() as usize)
        };
        // ARR_DATA_PTR: `dataoffset`, or without a null bitmap the aligned end of the header. Elements of float4 and
        // float8 follow each other without gaps, aligned to their size.
        let offset = match self.array.dataoffset {
            0 => (HEADER + 2 * size_of::<i32>()).next_multiple_of(pg_sys::MAXIMUM_ALIGNOF as usize),
            offset => offset as usize,
        };
        if self.array.elemtype == pg_sys::FLOAT8OID {
            elements(bytes, offset, length).map(Elements::Double)
        } else {
            elements(bytes, offset, length).map(Elements::Real)
        }
    }
}

/// Size of the fixed part of an array's header.
const HEADER: usize = size_of::<pg_sys::ArrayType>();

/// The elements of an array, if it is as long as it says.
fn elements<T: bytemuck::AnyBitPattern>(bytes: &[u8], offset: usize, length: usize) -> Result<&[T], Error> {
    length
        .checked_mul(size_of::<T>())
        .and_then(|size| bytes.get(offset..offset.checked_add(size)?))
        .and_then(|data| bytemuck::try_cast_slice(data).ok())
        .ok_or(Error::Vector(VectorError::ArrayDamaged))
}
