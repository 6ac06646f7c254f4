//! Names from the catalogs: of columns, relations and types, for statements and for messages.

#![allow(unsafe_code)]

use std::ffi::CStr;

use pgrx::pg_sys;
use pgrx::spi::quote_qualified_identifier;

use super::encoding::{EncodingError, from_server};

/// A name as a catalog's row has it.
///
/// # Errors
/// [`from_server`].
pub(crate) fn catalog_name(name: &pg_sys::NameData) -> Result<String, EncodingError> {
    // SAFETY: a name is an array of bytes in which a NUL stands behind the name.
    unsafe { from_server(CStr::from_ptr(name.data.as_ptr()).to_bytes()).map(str::to_owned) }
}

/// A relation's name with its schema, quoted; `None` if there is no such relation.
///
/// # Errors
/// [`from_server`].
pub(crate) fn qualified_name(relation: pg_sys::Oid) -> Result<Option<String>, EncodingError> {
    Ok(schema_and_name(relation)?.map(|(schema, table)| quote_qualified_identifier(schema, table)))
}

/// [`qualified_name`] for messages, which put quotes around it: the names as they are.
///
/// # Errors
/// [`from_server`].
pub(crate) fn shown_name(relation: pg_sys::Oid) -> Result<Option<String>, EncodingError> {
    Ok(schema_and_name(relation)?.map(|(schema, table)| format!("{schema}.{table}")))
}

/// A relation's schema and its own name, in the current memory context.
fn schema_and_name<'a>(relation: pg_sys::Oid) -> Result<Option<(&'a str, &'a str)>, EncodingError> {
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

/// A type's name, with its schema unless that is `pg_catalog`, quoted.
pub(crate) fn type_name(oid: pg_sys::Oid) -> String {
    // SAFETY: the name of whatever type has that OID, as a NUL-terminated copy.
    unsafe {
        let name = pg_sys::format_type_extended(oid, -1, pg_sys::FORMAT_TYPE_FORCE_QUALIFY as u16);
        CStr::from_ptr(name).to_string_lossy().into_owned()
    }
}
