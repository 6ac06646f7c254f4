//! Ids on their way into a corpus's metadata, from the second column of a COPY TO.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};

use pgrx::{FromDatum, pg_sys};
use tq_files::Ids;
use tq_format::MAX_METADATA_LEN;
use tq_memory::Grow;

use super::IdType;
use crate::datum::record::Varlena;
use crate::error::{CopyError, Error};
use crate::server::encoding::is_utf8;

/// Gathers ids, one for each record.
#[derive(Debug)]
pub(crate) struct IdsBuilder {
    kind: IdType,
    ids: Ids,
    /// Bytes that the ids take at least when they are written.
    least: usize,
    /// Runs of whole numbers that follow one another.
    runs: usize,
}

impl IdsBuilder {
    /// For a column of this type; `None` if the metadata of a corpus has no ids of it.
    pub(crate) fn new(kind: IdType) -> Option<IdsBuilder> {
        let ids = match kind {
            IdType::Smallint | IdType::Integer | IdType::Bigint => Ids::Bigint(Vec::new()),
            IdType::Uuid => Ids::Uuid(Vec::new()),
            IdType::Text => Ids::Text(Vec::new()),
            IdType::Numeric | IdType::Double => return None,
        };
        Some(IdsBuilder { kind, ids, least: 0, runs: 0 })
    }

    /// Adds the id of the next record.
    ///
    /// # Errors
    /// More ids than the format has room for.
    ///
    /// # Safety
    /// `datum` must be a non-null datum of the column's type.
    pub(crate) unsafe fn append(&mut self, datum: pg_sys::Datum) -> Result<(), Error> {
        // SAFETY: the datum is of the column's type, by the contract; `kind` was chosen by that type.
        unsafe {
            match (&mut self.ids, self.kind) {
                (Ids::Bigint(ids), kind) => {
                    let id = match kind {
                        IdType::Smallint => i16::from_datum(datum, false).map(i64::from),
                        IdType::Integer => i32::from_datum(datum, false).map(i64::from),
                        _ => i64::from_datum(datum, false),
                    };
                    let id = id.unwrap_or_default();
                    if ids.last().and_then(|last| last.checked_add(1)) != Some(id) {
                        self.runs += 1;
                    }
                    ids.try_push(id)?;
                    // As values with commas, or as ranges in brackets.
                    self.least = (2 * ids.len()).min(6 * self.runs);
                }
                (Ids::Uuid(ids), _) => {
                    ids.try_push(datum.cast_mut_ptr::<[u8; 16]>().read())?;
                    // 36 characters, quotes and a comma.
                    self.least += 39;
                }
                (Ids::Text(ids), _) => {
                    let text = Varlena::packed(datum);
                    let id = to_utf8(text.bytes())?;
                    text.release();
                    self.least += id.len() + 3;
                    ids.try_push(id)?;
                }
            }
        }
        match self.least {
            0..=MAX_METADATA_LEN => Ok(()),
            _ => Err(Error::Copy(CopyError::ExportIds { rows: self.ids.len() as u64 })),
        }
    }

    /// All ids.
    pub(crate) fn finish(self) -> Ids {
        self.ids
    }
}

/// Text of the database as UTF-8; an error of PostgreSQL's if it can't be.
pub(crate) fn to_utf8(text: &[u8]) -> Result<String, Error> {
    if let (true, Ok(text)) = (is_utf8(), std::str::from_utf8(text)) {
        return Ok(tq_memory::text(text)?);
    }
    let given = text.as_ptr().cast::<c_char>();
    // SAFETY: the conversion takes a length, and returns its argument or a NUL-terminated copy.
    unsafe {
        let converted =
            pg_sys::pg_server_to_any(given, text.len() as c_int, pg_sys::pg_enc::PG_UTF8 as c_int)
                .cast_const();
        let bytes = if converted == given { text } else { CStr::from_ptr(converted).to_bytes() };
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(tq_memory::text(text)?),
            Err(_) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        }
    }
}
