//! Where the executor puts the rows of a COPY TO: a `DestReceiver` that takes the vector, and the id, out of each slot.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::ptr;

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::error::{CopyError, Error, raise};

/// Progress is reported each time so many rows were written.
const REPORT_EVERY: u64 = 64;

/// What a COPY TO writes its rows with.
pub(crate) trait RowSink {
    /// Adds the next row: its vector and, if the statement has a column of them, its id, both not null.
    ///
    /// # Errors
    /// Those of the row are to be told with its number, those of the file without: see [`Refusal`].
    ///
    /// # Safety
    /// The datums must be of the columns that the sink was made for.
    unsafe fn append(&mut self, vector: pg_sys::Datum, id: Option<pg_sys::Datum>) -> Result<(), Refusal>;

    /// Rows so far.
    fn rows(&self) -> u64;

    /// Bytes of the file so far.
    fn bytes(&self) -> u64;

    /// Completes the file, or gives the client all of it; returns the number of rows.
    ///
    /// # Errors
    /// Those of writing, and an empty file that nothing says the shape of.
    fn finish(self: Box<Self>) -> Result<u64, Error>;
}

/// Why a row was not written.
pub(crate) enum Refusal {
    /// Because of what it is.
    Row(Error),
    /// Because of the file.
    File(Error),
}

/// The receiver, in the form in which core passes it to its callbacks.
#[repr(C)]
pub(crate) struct Receiver {
    /// What core sees. It must stay the first field.
    callbacks: pg_sys::DestReceiver,
    sink: Box<dyn RowSink>,
    /// Positions of the columns in the query's result.
    vector: usize,
    id: Option<usize>,
    /// How many rows the planner expects.
    expected: f64,
}

impl Receiver {
    /// One that writes the vectors of that column, and the ids of the column `id`, counted from 0, of about `expected` rows.
    pub(crate) fn new(
        sink: Box<dyn RowSink>,
        vector: usize,
        id: Option<usize>,
        expected: f64,
    ) -> Box<Receiver> {
        let callbacks = pg_sys::DestReceiver {
            receiveSlot: Some(receive_slot),
            rStartup: Some(start_up),
            rShutdown: Some(shut_down),
            rDestroy: Some(shut_down),
            mydest: pg_sys::CommandDest::DestCopyOut,
        };
        Box::new(Receiver { callbacks, sink, vector, id, expected })
    }

    /// For the executor, as long as the receiver lives and stays where it is.
    pub(crate) fn as_dest(&mut self) -> *mut pg_sys::DestReceiver {
        ptr::from_mut(self).cast()
    }

    /// What the rows were written with.
    pub(crate) fn into_sink(self) -> Box<dyn RowSink> {
        self.sink
    }

    /// # Safety
    /// `slot` must hold a row of the query that the columns were found in.
    unsafe fn receive(&mut self, slot: *mut pg_sys::TupleTableSlot) -> Result<(), Error> {
        let row = self.sink.rows() + 1;
        let at = |source: Error| Error::Copy(CopyError::ExportRow { row, source: Box::new(source) });
        let null = |what| at(Error::Copy(CopyError::ExportNull(what)));
        // SAFETY: once deformed, the slot has values and null flags for all columns, among which ours are, of the types
        // that the sink was made for.
        unsafe {
            let id = match self.id {
                Some(id) => Some(column(slot, id).ok_or_else(|| null("id"))?),
                None => None,
            };
            let vector = column(slot, self.vector).ok_or_else(|| null("vector"))?;
            self.sink.append(vector, id).map_err(|refusal| match refusal {
                Refusal::Row(error) => at(error),
                Refusal::File(error) => error,
            })?;
        }
        if row.is_multiple_of(REPORT_EVERY) {
            self.report(self.expected);
        }
        Ok(())
    }

    /// Tells `pg_stat_progress_copy` that all rows are there.
    pub(crate) fn report_end(&self) {
        self.report(self.sink.rows() as f64);
    }

    /// Tells `pg_stat_progress_copy` how far it is, of so many rows.
    fn report(&self, expected: f64) {
        let (rows, bytes) = (self.sink.rows(), self.sink.bytes());
        let share = if rows == 0 { 1.0 } else { (expected / rows as f64).max(1.0) };
        let report = |what: u32, value: u64| {
            // SAFETY: writes two numbers into this backend's status entry.
            unsafe { pg_sys::pgstat_progress_update_param(what as c_int, value as i64) }
        };
        report(pg_sys::PROGRESS_COPY_BYTES_PROCESSED, bytes);
        report(pg_sys::PROGRESS_COPY_BYTES_TOTAL, (bytes as f64 * share) as u64);
        report(pg_sys::PROGRESS_COPY_TUPLES_PROCESSED, rows);
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
