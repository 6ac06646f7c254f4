//! The statements of `tq_compress_column`, run on an open SPI connection.
//!
//! They are ordinary SQL with the caller's rights, so that triggers, constraints, indexes and generated columns do what they
//! do in any UPDATE. They name relations with their schema and functions and operators with `pg_catalog`, so that no search
//! path matters.

#![allow(unsafe_code)]

use std::ffi::CStr;

use pgrx::IntoDatum;
use pgrx::pg_sys;

use super::target::{TablePart, Target};
use crate::error::Error;
use crate::server::spi;
use crate::server::spi::{Access, FetchedRows, Parameter};

impl TablePart {
    /// The parameters of a statement that names the part; [`TablePart::condition`] is the last, where there is one.
    pub(super) fn arguments<const N: usize>(&self, arguments: [Parameter; N]) -> Vec<Parameter> {
        let mut arguments = arguments.to_vec();
        if self.by_parent {
            arguments.push((pg_sys::OIDOID, self.oid.into_datum()));
        }
        arguments
    }

    /// What tells the part from others, with the number of its parameter.
    pub(super) fn condition(&self, parameter: usize) -> String {
        if self.by_parent {
            format!("AND t.tableoid OPERATOR(pg_catalog.=) ${parameter}")
        } else {
            String::new()
        }
    }
}

impl Target {
    /// The condition of rows that are still to be filled.
    pub(super) fn open(&self) -> String {
        format!("t.{} IS NOT NULL AND t.{} IS NULL", self.source, self.target)
    }
}

/// Runs a statement on the open connection. It sees the database as of now.
///
/// # Safety
/// An SPI connection must be open, in a transaction; each value is of its type.
pub(super) unsafe fn execute(query: &str, arguments: &[Parameter]) -> Result<FetchedRows, Error> {
    // SAFETY: by the contract.
    Ok(unsafe { spi::execute(query, arguments, Access::Write, 0) }?)
}

/// A position that a statement has returned.
///
/// # Safety
/// The value must be a `tid`.
pub(super) unsafe fn item_pointer(value: Option<pg_sys::Datum>) -> pg_sys::ItemPointerData {
    // SAFETY: by the contract it points to one.
    value.map_or_else(Default::default, |datum| unsafe { *datum.cast_mut_ptr::<pg_sys::ItemPointerData>() })
}

/// Settings that hold until they are taken back by `AtEOXact_GUC`, or the transaction ends by an error.
///
/// # Safety
/// A transaction must be open.
pub(super) unsafe fn set(settings: &[(&CStr, &CStr)]) -> i32 {
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
