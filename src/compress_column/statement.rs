//! The statements of `tq_compress_column`, run on an open SPI connection.
//!
//! They are ordinary SQL with the caller's rights, so that triggers, constraints, indexes and generated columns do what they
//! do in any UPDATE. They name relations with their schema and functions and operators with `pg_catalog`, so that no search
//! path matters.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};

use pgrx::IntoDatum;
use pgrx::pg_sys;

use super::target::{TablePart, Target};
use crate::error::Error;

/// A parameter of a statement: its type and value.
pub(crate) type Parameter = (pg_sys::Oid, Option<pg_sys::Datum>);

impl TablePart {
    /// The parameters of a statement that names the part; [`TablePart::condition`] is the last, where there is one.
    pub(crate) fn arguments<const N: usize>(&self, arguments: [Parameter; N]) -> Vec<Parameter> {
        let mut arguments = arguments.to_vec();
        if self.by_parent {
            arguments.push((pg_sys::OIDOID, self.oid.into_datum()));
        }
        arguments
    }

    /// What tells the part from others, with the number of its parameter.
    pub(crate) fn condition(&self, parameter: usize) -> String {
        if self.by_parent {
            format!("AND t.tableoid OPERATOR(pg_catalog.=) ${parameter}")
        } else {
            String::new()
        }
    }
}

impl Target {
    /// The condition of rows that are still to be filled.
    pub(crate) fn open(&self) -> String {
        format!("t.{} IS NOT NULL AND t.{} IS NULL", self.source, self.target)
    }
}

/// Runs a statement on the open connection. It sees the database as of now.
///
/// # Safety
/// An SPI connection must be open, in a transaction; each value is of its type.
pub(crate) unsafe fn execute(query: &str, arguments: &[Parameter]) -> Result<(), Error> {
    let failed = |code| Error::Spi(pgrx::spi::SpiError::SpiError(code));
    let query = CString::new(query).map_err(|_| failed(pgrx::spi::SpiErrorCodes::Argument))?;
    let mut types: Vec<pg_sys::Oid> = arguments.iter().map(|(oid, _)| *oid).collect();
    let mut values: Vec<pg_sys::Datum> =
        arguments.iter().map(|(_, datum)| datum.unwrap_or(pg_sys::Datum::null())).collect();
    // SAFETY: by the contract; as many types as values, none null.
    let result = unsafe {
        pg_sys::SPI_execute_with_args(
            query.as_ptr(),
            arguments.len() as i32,
            types.as_mut_ptr(),
            values.as_mut_ptr(),
            std::ptr::null(),
            false,
            0,
        )
    };
    if result < 0 {
        return Err(failed(
            pgrx::spi::SpiErrorCodes::try_from(result).unwrap_or(pgrx::spi::SpiErrorCodes::Argument),
        ));
    }
    Ok(())
}

/// Settings that hold until they are taken back by `AtEOXact_GUC`, or the transaction ends by an error.
///
/// # Safety
/// A transaction must be open.
pub(crate) unsafe fn set(settings: &[(&CStr, &CStr)]) -> i32 {
    // SAFETY: by the contract; names and values are NUL-terminated.
    unsafe {
        let level = pg_sys::NewGUCNestLevel();
        for (name, value) in settings {
            pg_sys::set_config_option(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
        }
        level
    }
}
