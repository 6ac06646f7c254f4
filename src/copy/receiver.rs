//! Where the executor puts the rows of a COPY TO: a `DestReceiver` that takes the record, and the id, out of each slot.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::ptr;

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::writer::CorpusWriter;
use crate::error::{Error, raise};
use crate::vector::Varlena;

/// Progress is reported each time so many rows were written.
const REPORT_EVERY: u64 = 64;

/// The receiver, in the form in which core passes it to its callbacks.
#[repr(C)]
pub(super) struct Receiver {
    /// What core sees. It must stay the first field.
    callbacks: pg_sys::DestReceiver,
    writer: CorpusWriter,
    /// Positions of the columns in the query's result.
    record: usize,
    id: Option<usize>,
}

impl Receiver {
    /// One that writes the records of the column `record`, and the ids of the column `id`, counted from 0.
    pub(super) fn new(writer: CorpusWriter, record: usize, id: Option<usize>) -> Box<Receiver> {
        let callbacks = pg_sys::DestReceiver {
            receiveSlot: Some(receive_slot),
            rStartup: Some(start_up),
            rShutdown: Some(shut_down),
            rDestroy: Some(shut_down),
            mydest: pg_sys::CommandDest::DestCopyOut,
        };
        Box::new(Receiver { callbacks, writer, record, id })
    }

    /// For the executor, as long as the receiver lives and stays where it is.
    pub(super) fn as_dest(&mut self) -> *mut pg_sys::DestReceiver {
        ptr::from_mut(self).cast()
    }

    /// What was written.
    pub(super) fn into_writer(self) -> CorpusWriter {
        self.writer
    }

    /// # Safety
    /// `slot` must hold a row of the query that the columns were found in.
    unsafe fn receive(&mut self, slot: *mut pg_sys::TupleTableSlot) -> Result<(), Error> {
        let row = self.writer.count() + 1;
        let at = |source: Error| Error::ExportRow { row, source: Box::new(source) };
        // SAFETY: once deformed, the slot has values and null flags for all columns, among which ours are.
        unsafe {
            if let Some(id) = self.id {
                let datum = column(slot, id).ok_or_else(|| at(Error::ExportNull("id")))?;
                if let Some(ids) = self.writer.ids() {
                    ids.append(datum)?;
                }
            }
            let datum = column(slot, self.record).ok_or_else(|| at(Error::ExportNull("record")))?;
            let record = Varlena::packed(datum);
            self.writer.append(record.bytes()).map_err(|error| match error {
                // Of the file, and not of the row.
                error @ (Error::File(_) | Error::ExportMetadata(_) | Error::ExportHeader(_)) => error,
                error => at(error),
            })?;
            record.release();
        }
        if row.is_multiple_of(REPORT_EVERY) {
            self.report();
        }
        Ok(())
    }

    /// Tells `pg_stat_progress_copy` how far it is.
    pub(super) fn report(&self) {
        let report = |what: u32, value: u64| {
            // SAFETY: writes two numbers into this backend's status entry.
            unsafe { pg_sys::pgstat_progress_update_param(what as c_int, value as i64) }
        };
        report(pg_sys::PROGRESS_COPY_BYTES_PROCESSED, self.writer.bytes());
        report(pg_sys::PROGRESS_COPY_TUPLES_PROCESSED, self.writer.count());
    }
}

/// A column of the slot; `None` for NULL.
///
/// # Safety
/// `slot` must hold a row with more than `index` columns.
unsafe fn column(slot: *mut pg_sys::TupleTableSlot, index: usize) -> Option<pg_sys::Datum> {
    // SAFETY: columns are there up to tts_nvalid; those beyond are fetched first.
    unsafe {
        if ((*slot).tts_nvalid as usize) <= index {
            pg_sys::slot_getsomeattrs_int(slot, index as c_int + 1);
        }
        (!*(*slot).tts_isnull.add(index)).then(|| *(*slot).tts_values.add(index))
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn receive_slot(
    slot: *mut pg_sys::TupleTableSlot,
    receiver: *mut pg_sys::DestReceiver,
) -> bool {
    // SAFETY: core passes the receiver that the query was made with, which is the first field of ours; the slot holds
    // a row of that query.
    match unsafe { (*receiver.cast::<Receiver>()).receive(slot) } {
        Ok(()) => true,
        Err(error) => raise(error),
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn start_up(
    _receiver: *mut pg_sys::DestReceiver,
    _operation: c_int,
    _columns: pg_sys::TupleDesc,
) {
}

#[pg_guard]
unsafe extern "C-unwind" fn shut_down(_receiver: *mut pg_sys::DestReceiver) {}
