//! Binary input. RECEIVE takes the record's bytes, the very ones that SEND gives (core's `byteasend`), that lie on
//! disk and that stand in a corpus file.

#![allow(unsafe_code)]

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::prelude::*;
use pgrx::{impl_sql_translatable, pg_sys};
use tq_format::RecordView;

use super::{RecordOut, Typmod};
use crate::error::{Error, SqlResult};

/// The message that RECEIVE reads from.
struct Message<'fcx>(&'fcx mut pg_sys::StringInfoData);

impl_sql_translatable!(Message<'_>, arg_only = "internal");

// SAFETY: PostgreSQL calls a RECEIVE function with a StringInfo as its first argument, alone in using it.
unsafe impl<'fcx> ArgAbi<'fcx> for Message<'fcx> {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: see the impl; `Internal` passes the pointer through.
        unsafe {
            let internal: Option<pgrx::Internal> = arg.unbox_arg_using_from_datum();
            let pointer =
                internal.and_then(|i| i.unwrap()).map_or(std::ptr::null_mut(), |d| d.cast_mut_ptr());
            Message(&mut *pointer)
        }
    }
}

/// `tqvec`'s RECEIVE: the whole rest of the message is one record.
#[pg_extern(sql = false)]
fn tqvec_recv<'fcx>(
    message: Message<'fcx>,
    _element: pg_sys::Oid,
    typmod: i32,
) -> SqlResult<RecordOut<'fcx>> {
    let buffer = message.0;
    let length = buffer.len - buffer.cursor;
    // SAFETY: the message holds `len` bytes from `data`, of which `cursor` are read; core leaves them alone until the call is over.
    let bytes: &'fcx [u8] = unsafe {
        std::slice::from_raw_parts(buffer.data.add(buffer.cursor as usize).cast::<u8>(), length as usize)
    };
    let record = RecordView::parse(bytes).map_err(Error::from)?;
    Typmod::from_raw(typmod).check(&record)?;
    buffer.cursor = buffer.len;
    Ok(bytes.into())
}
