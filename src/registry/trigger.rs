//! The trigger of the table `tq_codec`: refuses updates, and to remove what something is declared with; announces every other change to
//! all backends.
//!
//! Not one of pgrx's, which ends in a panic where it is called as a function.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_int};

use pgrx::prelude::*;
use pgrx::trigger_support::called_as_trigger;

use super::{dropping, table};
use crate::error::{Error, RegistryError, raise};
use crate::server::encoding::from_server;

#[pg_guard]
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn tq_codec_changed_wrapper(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: PostgreSQL passes a valid call; where it is a trigger's, the context is the trigger's data, and the relation
    // the open one that it is on.
    unsafe {
        if !called_as_trigger(call) {
            raise(Error::Registry(RegistryError::NotTrigger("tq_codec_changed")));
        }
        let data = (*call).context.cast::<pg_sys::TriggerData>();
        if (*data).tg_event & pg_sys::TRIGGER_EVENT_OPMASK == pg_sys::TRIGGER_EVENT_UPDATE {
            raise(Error::Registry(RegistryError::CodecUpdate));
        }
        table::announce_change((*(*data).tg_relation).rd_id);
        // What is replicated has happened elsewhere, and has to here.
        if pg_sys::SessionReplicationRole != pg_sys::SESSION_REPLICATION_ROLE_REPLICA as c_int
            && let Err(error) = refuse_if_named(&*data)
        {
            raise(error);
        }
    }
    // Triggers that run after their statement, or for all of it, have no row to return.
    pg_sys::Datum::null()
}

/// Refuses to remove codecs that something is declared with; version 0.1.0's trigger isn't told which were deleted.
///
/// # Safety
/// `data` must be of a trigger that is running.
unsafe fn refuse_if_named(data: &pg_sys::TriggerData) -> Result<(), Error> {
    match data.tg_event & pg_sys::TRIGGER_EVENT_OPMASK {
        pg_sys::TRIGGER_EVENT_TRUNCATE => dropping::refuse_if_any_named(),
        pg_sys::TRIGGER_EVENT_DELETE if data.tg_event & pg_sys::TRIGGER_EVENT_ROW != 0 => {
            // SAFETY: by the contract, the row is one of the relation's.
            let (name, hash) = unsafe { (column(data, c"name")?, column(data, c"config_hash")?) };
            dropping::refuse_if_named(name, hash)
        }
        _ => Ok(()),
    }
}

/// A column's text in the row that a trigger runs for; empty if there is none.
///
/// # Safety
/// As [`refuse_if_named`], for a row.
unsafe fn column<'a>(data: &'a pg_sys::TriggerData, name: &CStr) -> Result<&'a str, Error> {
    // SAFETY: by the contract; the name is a C string, of which there is a column or a number that no column has, and the value a copy
    // in a memory context that outlives the trigger's call, or null.
    unsafe {
        let descriptor = (*data.tg_relation).rd_att;
        let value = pg_sys::SPI_getvalue(
            data.tg_trigtuple,
            descriptor,
            pg_sys::SPI_fnumber(descriptor, name.as_ptr()),
        );
        if value.is_null() { Ok("") } else { Ok(from_server(CStr::from_ptr(value).to_bytes())?) }
    }
}

/// What PostgreSQL asks a library about a function: version 1 of calling it.
#[unsafe(no_mangle)]
extern "C" fn pg_finfo_tq_codec_changed_wrapper() -> *const pg_sys::Pg_finfo_record {
    const RECORD: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &RECORD
}
