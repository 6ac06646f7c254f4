//! Arguments and results of SQL functions for which pgrx has types as well, which panic at what users can send: text of another
//! encoding, numbers and depths of `jsonb` that serde_json doesn't take.

#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::ops::Deref;

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::{IntoDatum, impl_sql_translatable, pg_sys};
use serde_json::value::RawValue;

use super::record::AnyDatum;
use crate::error::{CopyError, Error, VectorError, raise};
use crate::server::encoding::from_server;

/// An argument that must not be NULL, of a function that isn't strict.
pub(crate) fn required<T>(argument: Option<T>, name: &'static str) -> Result<T, Error> {
    argument.ok_or(Error::Vector(VectorError::NullArgument(name)))
}

/// A `text` argument. pgrx's own panics where it isn't UTF-8.
pub(crate) struct Text<'fcx>(&'fcx str);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.0
    }
}

impl_sql_translatable!(Text<'_>, arg_only = "text");

// SAFETY: the SQL declarations name `text` for these arguments.
unsafe impl<'fcx> ArgAbi<'fcx> for Text<'fcx> {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the argument is a varlena (see the impl) and not null.
        let bytes: Option<&'fcx [u8]> = unsafe { arg.unbox_arg_using_from_datum() };
        Text(from_server(bytes.unwrap_or_default()).unwrap_or_else(|error| raise(error.into())))
    }
}

/// `jsonb_out`, fixed in `catalog/pg_proc.dat`.
const F_JSONB_OUT: u32 = 3804;

/// Bytes that are held for a byte of the text of a value, which is many small pieces, and for what is made of it in the call.
pub(crate) const HELD_FOR_A_BYTE: usize = 192;

/// A `jsonb` argument, as text. pgrx's own panics at numbers and depths that serde_json doesn't take, and makes doubles of
/// numbers.
pub(crate) struct Json(String, #[allow(dead_code)] tq_memory::Hold);

impl Json {
    /// The fields of what must be an object, by their names.
    pub(crate) fn fields(&self) -> Result<BTreeMap<String, &RawValue>, Error> {
        serde_json::from_str(&self.0).map_err(|_| {
            Error::Copy(CopyError::OptionValue {
                option: "options".into(),
                problem: "must be a JSON object".into(),
            })
        })
    }
}

/// The value of such a field.
///
/// # Errors
/// A number or a depth that serde_json doesn't take.
pub(crate) fn json_value(option: &str, json: &RawValue) -> Result<serde_json::Value, Error> {
    serde_json::from_str(json.get()).map_err(|error| {
        // Where it stands in the text that we made of it tells nobody anything.
        let problem = error.to_string();
        let problem = problem.split(" at line").next().unwrap_or_default();
        Error::Copy(CopyError::OptionValue {
            option: option.into(),
            problem: format!("can't be read: {problem}"),
        })
    })
}

impl_sql_translatable!(Json, arg_only = "jsonb");

// SAFETY: the SQL declarations name `jsonb` for these arguments.
unsafe impl<'fcx> ArgAbi<'fcx> for Json {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the datum is a jsonb (see the impl), whose output function gives a NUL-terminated copy.
        let text = unsafe {
            let datum = arg.unbox_arg_using_from_datum::<AnyDatum>().map_or(pg_sys::Datum::null(), |d| d.0);
            CStr::from_ptr(pg_sys::OidOutputFunctionCall(pg_sys::Oid::from(F_JSONB_OUT), datum))
        };
        let bytes = HELD_FOR_A_BYTE * text.count_bytes() + (64 << 10);
        let hold = tq_memory::hold(bytes).unwrap_or_else(|error| raise(error.into()));
        let text = from_server(text.to_bytes());
        let text = text.map_err(Error::from).and_then(|text| Ok(tq_memory::text(text)?));
        let text = text.unwrap_or_else(|error| raise(error));
        Json(text, hold)
    }
}

/// JSON to return as `jsonb`. pgrx's own is made of a tree of values, whose numbers are doubles.
pub(crate) struct JsonOut(pub(crate) String);

impl_sql_translatable!(JsonOut, "jsonb");

// SAFETY: the datum is a jsonb, which is what the SQL declarations promise.
unsafe impl BoxRet for JsonOut {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        match self.into_datum() {
            // SAFETY: as above.
            Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
            None => fcinfo.return_null(),
        }
    }
}

impl IntoDatum for JsonOut {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        // JSON has no NUL byte.
        let text = CString::new(self.0).ok()?;
        // SAFETY: an input function takes a C string, which it doesn't keep.
        unsafe { pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(text.as_ptr().into())]) }
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}
