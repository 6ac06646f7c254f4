//! Text between Rust, which has UTF-8 alone, and databases of other encodings.
//!
//! ASCII is the same in all of them, and passes. Whatever else is an error in such a database, rather than other text than was
//! meant, or text that the database can't hold. `SQL_ASCII` knows no encoding: what is UTF-8 passes there.

#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_int};
use std::ops::Deref;

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::spi::quote_qualified_identifier;
use pgrx::{IntoDatum, impl_sql_translatable, pg_sys};
use serde_json::value::RawValue;

use crate::datum::record::AnyDatum;
use crate::error::{Error, raise};

/// The database's encoding, if it is one in which UTF-8 isn't text.
fn foreign() -> Option<String> {
    // SAFETY: reads what the backend knows of its database; the name is static.
    unsafe {
        let encoding = pg_sys::GetDatabaseEncoding();
        let unicode = [pg_sys::pg_enc::PG_UTF8, pg_sys::pg_enc::PG_SQL_ASCII];
        if unicode.iter().any(|known| *known as i64 == i64::from(encoding)) {
            return None;
        }
        Some(CStr::from_ptr(pg_sys::GetDatabaseEncodingName()).to_string_lossy().into_owned())
    }
}

/// Whether the database's encoding is UTF-8.
pub(crate) fn is_utf8() -> bool {
    // SAFETY: returns a number that is set when the session starts.
    unsafe { pg_sys::GetDatabaseEncoding() == pg_sys::pg_enc::PG_UTF8 as c_int }
}

/// Text of the database's.
///
/// # Errors
/// It isn't ASCII, and not known to be UTF-8.
pub(crate) fn from_server(bytes: &[u8]) -> Result<&str, Error> {
    let text = std::str::from_utf8(bytes);
    match foreign() {
        Some(encoding) if !bytes.is_ascii() => Err(Error::Encoding(encoding)),
        _ => text.map_err(|_| Error::NotUtf8),
    }
}

/// [`from_server`] of a name from the catalogs.
pub(crate) fn name_of(name: &pg_sys::NameData) -> Result<String, Error> {
    // SAFETY: a name is an array of bytes in which a NUL stands behind the name.
    unsafe { from_server(CStr::from_ptr(name.data.as_ptr()).to_bytes()).map(str::to_owned) }
}

/// A relation's name with its schema, quoted; `None` if there is no such relation.
///
/// # Errors
/// [`from_server`].
pub(crate) fn qualified_name(relation: pg_sys::Oid) -> Result<Option<String>, Error> {
    Ok(names_of(relation)?.map(|(schema, table)| quote_qualified_identifier(schema, table)))
}

/// [`qualified_name`] for messages, which put quotes around it: the names as they are.
///
/// # Errors
/// [`from_server`].
pub(crate) fn shown_name(relation: pg_sys::Oid) -> Result<Option<String>, Error> {
    Ok(names_of(relation)?.map(|(schema, table)| format!("{schema}.{table}")))
}

/// A relation's schema and its own name, in the current memory context.
fn names_of<'a>(relation: pg_sys::Oid) -> Result<Option<(&'a str, &'a str)>, Error> {
    // SAFETY: look-ups by OID, whose results are null for what doesn't exist, else NUL-terminated copies.
    unsafe {
        let table = pg_sys::get_rel_name(relation);
        let schema = pg_sys::get_namespace_name(pg_sys::get_rel_namespace(relation));
        if table.is_null() || schema.is_null() {
            return Ok(None);
        }
        let text = |pointer| from_server(CStr::from_ptr(pointer).to_bytes());
        Ok(Some((text(schema)?, text(table)?)))
    }
}

/// Text from elsewhere, for the database.
///
/// # Errors
/// The database can't be known to hold it.
pub(crate) fn to_server(text: String) -> Result<String, Error> {
    match foreign() {
        Some(encoding) if !text.is_ascii() => Err(Error::Encoding(encoding)),
        _ => Ok(text),
    }
}

/// A message as the database's encoding has it: ASCII, where that isn't UTF-8.
pub(crate) fn message(text: String) -> String {
    // Core's messages are C strings.
    let text = if text.contains('\0') { text.replace('\0', "\\0") } else { text };
    if text.is_ascii() || foreign().is_none() {
        return text;
    }
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            letter if letter.is_ascii() => plain.push(letter),
            letter => plain.extend(letter.escape_unicode()),
        }
    }
    plain
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
        Text(from_server(bytes.unwrap_or_default()).unwrap_or_else(|error| raise(error)))
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
        serde_json::from_str(&self.0).map_err(|_| Error::OptionValue {
            option: "options".into(),
            problem: "must be a JSON object".into(),
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
        Error::OptionValue { option: option.into(), problem: format!("can't be read: {problem}") }
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
        let text = text.and_then(|text| Ok(tq_memory::text(text)?)).unwrap_or_else(|error| raise(error));
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
