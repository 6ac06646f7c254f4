//! Whether a row of `tq_codec` that a statement has read may be kept for later ones.
//!
//! A statement sees the table as of its snapshot, and one of REPEATABLE READ as of the transaction's, while word of a
//! change arrives whenever the backend takes a lock. So a row can be read after the word of its replacement has come,
//! and nothing would tell the cache afterwards. Such a row serves its statement, which sees the records of that time,
//! too, and is looked up anew for the next use.

#![allow(unsafe_code)]

use std::ffi::CString;

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::spi::SpiErrorCodes;

use super::table::{CodecRow, RegistryTable};
use crate::error::Error;
use crate::server::memory::cushion;

/// Whether the row is in the table by the newest snapshot, which sees what is committed and the own transaction's
/// changes.
pub(super) fn is_current(table: RegistryTable, row: &CodecRow) -> Result<bool, Error> {
    cushion()?;
    // The hash stands for all columns but these.
    let query = format!(
        "SELECT FROM {} WHERE config_hash OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2 \
         AND codebook OPERATOR(pg_catalog.=) $3",
        table.name()?
    );
    let failed = |code| Error::Spi(pgrx::spi::SpiError::SpiError(code));
    let query = CString::new(query).map_err(|_| failed(SpiErrorCodes::Argument))?;
    let arguments = [
        DatumWithOid::from(row.config_hash.as_str()),
        DatumWithOid::from(row.name.as_str()),
        DatumWithOid::from(row.codebook.clone()),
    ];
    let mut types = arguments.each_ref().map(DatumWithOid::oid);
    let mut values = arguments
        .each_ref()
        .map(|argument| argument.datum().map_or(pg_sys::Datum::null(), |datum| datum.sans_lifetime()));
    Spi::connect(|_| {
        // SAFETY: an SPI connection is open; as many types as values, none null. The snapshot is copied when it is pushed,
        // and popped here or, after an error, with the transaction. A statement that may write would take its own.
        let (status, found) = unsafe {
            pg_sys::PushActiveSnapshot(pg_sys::GetCatalogSnapshot(table.oid));
            let status = pg_sys::SPI_execute_with_args(
                query.as_ptr(),
                arguments.len() as i32,
                types.as_mut_ptr(),
                values.as_mut_ptr(),
                std::ptr::null(),
                true,
                1,
            );
            let found = pg_sys::SPI_processed;
            pg_sys::PopActiveSnapshot();
            (status, found)
        };
        if status < 0 {
            return Err(failed(SpiErrorCodes::try_from(status).unwrap_or(SpiErrorCodes::Argument)));
        }
        Ok(found == 1)
    })
}
