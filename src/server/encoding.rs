//! Text between Rust, which has UTF-8 alone, and databases of other encodings.
//!
//! ASCII is the same in all of them, and passes. Whatever else is an error in such a database, rather than other text than was
//! meant, or text that the database can't hold. `SQL_ASCII` knows no encoding: what is UTF-8 passes there.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_int};

use pgrx::pg_sys;

/// Text that can't pass between Rust and the database.
#[derive(thiserror::Error, Debug)]
pub(crate) enum EncodingError {
    /// It isn't ASCII, and the database's encoding, which is named, has no UTF-8.
    #[error("text that is not ASCII can't be used in a database of encoding {0}")]
    Foreign(String),
    /// It isn't UTF-8.
    #[error("text is not valid UTF-8")]
    NotUtf8,
}

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
pub(crate) fn from_server(bytes: &[u8]) -> Result<&str, EncodingError> {
    let text = std::str::from_utf8(bytes);
    match foreign() {
        Some(encoding) if !bytes.is_ascii() => Err(EncodingError::Foreign(encoding)),
        _ => text.map_err(|_| EncodingError::NotUtf8),
    }
}

/// Text from elsewhere, for the database.
///
/// # Errors
/// The database can't be known to hold it.
pub(crate) fn to_server(text: String) -> Result<String, EncodingError> {
    match foreign() {
        Some(encoding) if !text.is_ascii() => Err(EncodingError::Foreign(encoding)),
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
