//! Array arguments as vectors of floats: `real[]`, and arrays of the other numbers that clients send.

#![allow(unsafe_code)]

use std::borrow::Cow;

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::{impl_sql_translatable, pg_sys};

use super::record::AnyDatum;
use crate::error::{Error, VectorError};

/// A detoasted array of numbers, checked when it is read.
pub(crate) struct FloatArray<'fcx> {
    array: &'fcx pg_sys::ArrayType,
}

impl_sql_translatable!(FloatArray<'_>, "real[]");

// SAFETY: the SQL declarations name arrays for these arguments.
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
    /// Of integers and `numeric`, which are read as doubles.
    Converted(Vec<f64>),
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

    /// The elements, in f32: `real[]` borrowed, others rounded.
    ///
    /// # Errors
    /// More than one dimension, no element, a null, elements that aren't numbers, a number beyond f32's range.
    pub(crate) fn floats(&self) -> Result<Cow<'a, [f32]>, Error> {
        Ok(match self.elements()? {
            Elements::Real(floats) => Cow::Borrowed(floats),
            Elements::Double(doubles) => Cow::Owned(rounded(doubles)?),
            Elements::Converted(doubles) => Cow::Owned(rounded(&doubles)?),
        })
    }

    /// The elements, borrowed if they are floats.
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
        // ARR_DATA_PTR: `dataoffset`, or without a null bitmap the aligned end of the header. Elements of fixed size follow each
        // other without gaps, aligned to their size.
        let offset = match self.array.dataoffset {
            0 => (HEADER + 2 * size_of::<i32>()).next_multiple_of(pg_sys::MAXIMUM_ALIGNOF as usize),
            offset => offset as usize,
        };
        match self.array.elemtype {
            pg_sys::FLOAT4OID => elements(bytes, offset, length).map(Elements::Real),
            pg_sys::FLOAT8OID => elements(bytes, offset, length).map(Elements::Double),
            pg_sys::INT2OID => converted(elements::<i16>(bytes, offset, length)?.iter().map(|&n| n.into())),
            pg_sys::INT4OID => converted(elements::<i32>(bytes, offset, length)?.iter().map(|&n| n.into())),
            pg_sys::INT8OID => converted(elements::<i64>(bytes, offset, length)?.iter().map(|&n| n as f64)),
            // SAFETY: a valid array of `numeric` without nulls.
            pg_sys::NUMERICOID => unsafe { numerics(array) },
            other => Err(Error::Vector(VectorError::ArrayElements(other))),
        }
    }
}

/// The numbers in f32.
fn rounded(doubles: &[f64]) -> Result<Vec<f32>, Error> {
    if let Some(beyond) = doubles.iter().find(|value| value.is_finite() && (**value as f32).is_infinite()) {
        return Err(Error::Vector(VectorError::TextRange(format!("{beyond:e}"))));
    }
    Ok(tq_memory::collected(doubles.iter().map(|&value| value as f32))?)
}

fn converted<'a>(numbers: impl ExactSizeIterator<Item = f64>) -> Result<Elements<'a>, Error> {
    Ok(Elements::Converted(tq_memory::collected(numbers)?))
}

/// The elements of an array of `numeric` as doubles; what none can hold is an error of the server's.
///
/// # Safety
/// `array` must be a valid, detoasted array of `numeric` without nulls.
unsafe fn numerics<'a>(array: *mut pg_sys::ArrayType) -> Result<Elements<'a>, Error> {
    let (mut datums, mut count) = (std::ptr::null_mut(), 0);
    // SAFETY: by the contract; `numeric` is a varlena aligned as an integer. The server says how many datums there are, which are
    // its copy and point into the array.
    unsafe {
        pg_sys::deconstruct_array(
            array,
            pg_sys::NUMERICOID,
            -1,
            false,
            pg_sys::TYPALIGN_INT as _,
            &mut datums,
            std::ptr::null_mut(),
            &mut count,
        );
        let numbers = std::slice::from_raw_parts(datums, usize::try_from(count).unwrap_or(0));
        let doubles = tq_memory::collected(numbers.iter().map(|number| {
            let double = pgrx::direct_function_call_as_datum(pg_sys::numeric_float8, &[Some(*number)]);
            f64::from_bits(double.map_or(0, pg_sys::Datum::value) as u64)
        }))?;
        pg_sys::pfree(datums.cast());
        Ok(Elements::Converted(doubles))
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
