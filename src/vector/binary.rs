//! Binary input. RECEIVE takes the record's bytes, the very ones that SEND gives (core's `byteasend`), that lie on
//! disk and that stand in a corpus file.

#![allow(unsafe_code)]

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::prelude::*;
use pgrx::{impl_sql_translatable, pg_sys};
use tq_format::RecordView;

use crate::datum::record::RecordOut;
use crate::datum::typmod::Typmod;
use crate::error::{Error, SqlResult, VectorError};

/// The message that RECEIVE reads from.
struct ReceiveBuffer<'fcx>(&'fcx mut pg_sys::StringInfoData);

impl_sql_translatable!(ReceiveBuffer<'_>, arg_only = "internal");

// SAFETY: PostgreSQL calls a RECEIVE function with a StringInfo as its first argument, alone in using it.
unsafe impl<'fcx> ArgAbi<'fcx> for ReceiveBuffer<'fcx> {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: see the impl; `Internal` passes the pointer through.
        unsafe {
            let internal: Option<pgrx::Internal> = arg.unbox_arg_using_from_datum();
            let pointer =
                internal.and_then(|i| i.unwrap()).map_or(std::ptr::null_mut(), |d| d.cast_mut_ptr());
            ReceiveBuffer(&mut *pointer)
        }
    }
}

/// `tqvec`'s RECEIVE: the whole rest of the message is one record.
#[pg_extern(sql = false)]
fn tqvec_recv<'fcx>(
    message: ReceiveBuffer<'fcx>,
    _element: pg_sys::Oid,
    typmod: i32,
) -> SqlResult<RecordOut<'fcx>> {
    let buffer = message.0;
    let length = buffer.len - buffer.cursor;
    // SAFETY: the message holds `len` bytes from `data`, of which `cursor` are read; core leaves them alone until the call is over.
    let bytes: &'fcx [u8] = unsafe {
        std::slice::from_raw_parts(buffer.data.add(buffer.cursor as usize).cast::<u8>(), length as usize)
    };
    let record = RecordView::parse(bytes).map_err(|error| match foreign_form(bytes) {
        Some(form) => Error::Vector(VectorError::ForeignForm(form)),
        None => error.into(),
    })?;
    Typmod::from_raw(typmod).check(&record).map_err(Error::from)?;
    buffer.cursor = buffer.len;
    Ok(bytes.into())
}

/// What bytes are that are no record, if they are the binary form of another type that vectors are sent in:
///
/// ```text
/// vector, halfvec   i16 dimension   i16 unused = 0   per element: f32, FP16
/// sparsevec         i32 dimension   i32 elements   i32 unused = 0   per element: i32 index   then per element: f32
/// an array          i32 dimensions = 1   i32 nulls = 0 or 1   oid of the elements   i32 length   i32 first
///                   per element: i32 size   the element
/// ```
/// All numbers are big-endian.
fn foreign_form(bytes: &[u8]) -> Option<String> {
    let (words, _) = bytes.as_chunks::<4>();
    let word = |index: usize| words.get(index).map(|word| i32::from_be_bytes(*word));
    let of = |what: &str, dimensions: i32| {
        Some(format!("got the binary form of {what} with {dimensions} elements"))
    };
    if let (Some(1), Some(0 | 1), Some(oid), Some(length @ 0..)) = (word(0), word(1), word(2), word(3))
        && bytes.len() >= 20
    {
        let what = match pg_sys::Oid::from(oid as u32) {
            pg_sys::FLOAT4OID => "a real[]",
            pg_sys::FLOAT8OID => "a double precision[]",
            pg_sys::INT2OID => "a smallint[]",
            pg_sys::INT4OID => "an integer[]",
            pg_sys::INT8OID => "a bigint[]",
            pg_sys::NUMERICOID => "a numeric[]",
            _ => "an array",
        };
        return of(what, length);
    }
    if let (Some(dimension @ 0..), Some(count @ 0..), Some(0)) = (word(0), word(1), word(2))
        && bytes.len() as u64 == 12 + 8 * count as u64
    {
        return of("a sparsevec", dimension);
    }
    let [d0, d1, 0, 0, elements @ ..] = bytes else { return None };
    let dimension = usize::from(u16::from_be_bytes([*d0, *d1]));
    match elements.len() {
        length if length == 4 * dimension => of("a vector", dimension as i32),
        length if length == 2 * dimension => of("a halfvec", dimension as i32),
        _ => None,
    }
}
