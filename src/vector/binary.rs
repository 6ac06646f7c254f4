//! Binary input. RECEIVE takes the record's bytes, the very ones that SEND gives (core's `byteasend`), that lie on
//! disk and that stand in a corpus file; and the binary forms of pgvector's types and of arrays, which are compressed under the
//! type modifier, so that binary COPY and parameters of clients that know those load a column.

#![allow(unsafe_code)]

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::prelude::*;
use pgrx::{impl_sql_translatable, pg_sys};
use tq_format::{BinaryError, VectorBinary};

use crate::datum::record::RecordOut;
use crate::datum::typmod::Typmod;
use crate::error::{Error, SqlResult, VectorError};
use crate::registry::compress_floats;

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

/// `tqvec`'s RECEIVE: the whole rest of the message is one record, or floats in one of the forms that clients send.
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
    buffer.cursor = buffer.len;
    let typmod = Typmod::from_raw(typmod);
    match VectorBinary::parse(bytes).map_err(refused)? {
        VectorBinary::Record(record) => {
            typmod.check(&record).map_err(Error::from)?;
            Ok(bytes.into())
        }
        VectorBinary::Floats(floats) => Ok(compress_floats(&floats, typmod)?.into()),
    }
}

fn refused(error: BinaryError) -> Error {
    match error {
        BinaryError::Record(error) => error.into(),
        BinaryError::Memory(error) => Error::Memory(error),
        BinaryError::Empty => Error::Vector(VectorError::ArrayEmpty),
        BinaryError::Null => Error::Vector(VectorError::ArrayNulls),
        BinaryError::Nested(dimensions) => Error::Vector(VectorError::ArrayDimensions(dimensions as i32)),
        BinaryError::Range(number) => Error::Vector(VectorError::TextRange(number)),
        BinaryError::Foreign(..) | BinaryError::Damaged(_) => {
            Error::Vector(VectorError::ForeignForm(error.to_string()))
        }
        _ => Error::Vector(VectorError::ForeignForm("bytes of no known form".into())),
    }
}
