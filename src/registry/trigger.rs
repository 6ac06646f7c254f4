//! The trigger of the table `tq_codec`: refuses updates, and announces every other change to all backends.
//!
//! Not one of pgrx's, which ends in a panic where it is called as a function.

#![allow(unsafe_code)]

use pgrx::prelude::*;
use pgrx::trigger_support::called_as_trigger;

use super::table;
use crate::error::{Error, RegistryError, raise};

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
    }
    // Triggers that run after their statement, or for all of it, have no row to return.
    pg_sys::Datum::null()
}

/// What PostgreSQL asks a library about a function: version 1 of calling it.
#[unsafe(no_mangle)]
extern "C" fn pg_finfo_tq_codec_changed_wrapper() -> *const pg_sys::Pg_finfo_record {
    const RECORD: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &RECORD
}
