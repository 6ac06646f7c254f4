//! In what the current command runs: what a standby can't do, and a read-only transaction, and whether it is upkeep.

#![allow(unsafe_code)]

use std::ffi::CStr;

use pgrx::pg_sys;

/// Refuses a command that writes, in core's words, while the server is a standby. To be asked before pgrx's SPI, which takes a
/// transaction id for whatever isn't a SELECT: a standby has none, and would say so as an internal error.
pub(crate) fn refuse_in_recovery(command: &CStr) {
    // SAFETY: reads the server's state; the name is a C string. Raises PostgreSQL's own error.
    unsafe { pg_sys::PreventCommandDuringRecovery(command.as_ptr()) }
}

/// Refuses a command that writes, in core's words, in a read-only transaction, where else one of the statements that it is made of would
/// be refused.
pub(crate) fn refuse_if_read_only(command: &CStr) {
    // SAFETY: reads the transaction's state; the name is a C string. Raises PostgreSQL's own error.
    unsafe { pg_sys::PreventCommandIfReadOnly(command.as_ptr()) }
}

/// Whether the current command is one that evaluates a table's expressions without being asked for their values: ANALYZE, CREATE INDEX,
/// REINDEX, REFRESH MATERIALIZED VIEW. These are what runs user code under restrictions.
pub(crate) fn is_upkeep() -> bool {
    // SAFETY: reads the session's state.
    unsafe { pg_sys::InSecurityRestrictedOperation() }
}
