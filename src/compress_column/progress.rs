//! How far a call has come, for other sessions to see: `tq_compress_progress()`.
//!
//! Core keeps a command's progress where every session reads it, with the rights that its `pg_stat_progress_*` views have, and
//! forgets it with an error. There is no kind of command for others than core's own, so that this is a COPY's, which it resembles
//! most: rows that go into a table, and rows that are skipped, have the same places. `pg_stat_progress_copy` shows them as
//! well, of a command and type that are NULL. What a COPY has no place for is in places that core's doesn't use, with a number
//! that tells the one from the other.

#![allow(unsafe_code)]

use std::ffi::{CString, c_int};
use std::ptr;

use pgrx::pg_sys;

use super::target::{TablePart, Target};

/// "tqcolumn": what the function looks for, as the last number.
const MARK: i64 = i64::from_be_bytes(*b"tqcolumn");

/// The places of numbers, from 0; the function counts them from 1.
const ROWS_DONE: c_int = 2;
const ROWS_SKIPPED: c_int = 6;
const SOURCE: c_int = 13;
const TARGET: c_int = 14;
const ROWS_TOTAL: c_int = 15;
const BATCHES: c_int = 16;
const STARTED: c_int = 17;
const MARK_PLACE: c_int = 19;

/// What is shown of a call.
pub(super) struct Progress {
    relation: pg_sys::Oid,
    columns: (pg_sys::AttrNumber, pg_sys::AttrNumber),
    total: i64,
    started: i64,
    batches: i64,
}

impl Progress {
    /// Looks up what doesn't change.
    ///
    /// # Safety
    /// A transaction must be open.
    pub(super) unsafe fn new(target: &Target) -> Progress {
        // SAFETY: by the contract.
        let rows: f64 = target.parts.iter().map(|part| unsafe { estimate(target, part) }).sum();
        Progress {
            relation: target.relation,
            columns: target.numbers,
            total: rows.round() as i64,
            // SAFETY: a number that the session has.
            started: unsafe { pg_sys::GetCurrentStatementStartTimestamp() },
            batches: 0,
        }
    }

    /// Counts a batch that is committed.
    pub(super) fn committed(&mut self) {
        self.batches += 1;
    }

    /// Shows how many rows are done and how many were skipped. Commands that triggers run, and subtransactions that they roll
    /// back, may have taken the place, so that all is written anew.
    pub(super) fn show(&self, done: u64, skipped: u64) {
        let numbers = [
            (ROWS_DONE, done as i64),
            (ROWS_SKIPPED, skipped as i64),
            (SOURCE, self.columns.0.into()),
            (TARGET, self.columns.1.into()),
            (ROWS_TOTAL, self.total),
            (BATCHES, self.batches),
            (STARTED, self.started),
            (MARK_PLACE, MARK),
        ];
        let (places, values) = (numbers.map(|(place, _)| place), numbers.map(|(_, value)| value));
        // SAFETY: the entry is this session's own, which nobody else writes to, or null where there is none. There are as many
        // places as values.
        unsafe {
            let copy = pg_sys::ProgressCommandType::PROGRESS_COMMAND_COPY;
            let is_ours = pg_sys::MyBEEntry.as_ref().is_some_and(|entry| {
                entry.st_progress_command == copy && entry.st_progress_param[MARK_PLACE as usize] == MARK
            });
            if !is_ours {
                pg_sys::pgstat_progress_start_command(copy, self.relation);
            }
            pg_sys::pgstat_progress_update_multi_param(
                numbers.len() as c_int,
                places.as_ptr(),
                values.as_ptr(),
            );
        }
    }

    /// Shows nothing any more. An error does that by itself.
    pub(super) fn end(self) {
        // SAFETY: writes to this session's own entry.
        unsafe { pg_sys::pgstat_progress_end_command() }
    }
}

/// The planner's estimate of a table's rows, and of how many of them have a vector and no record. Columns without statistics,
/// as those that are new, are taken for full and for empty.
///
/// # Safety
/// A transaction must be open.
unsafe fn estimate(target: &Target, part: &TablePart) -> f64 {
    let (mut pages, mut rows, mut visible) = (0, 0.0, 0.0);
    // SAFETY: the table is there, or this is an error of the server's; the results are written to variables of those types.
    unsafe {
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let relation = pg_sys::table_open(part.oid, lock);
        pg_sys::estimate_rel_size(relation, ptr::null_mut(), &mut pages, &mut rows, &mut visible);
        pg_sys::table_close(relation, pg_sys::NoLock as pg_sys::LOCKMODE);
    }
    let of = |column: &str| null_fraction(part.oid, column);
    rows * (1.0 - of(&target.source_name).unwrap_or(0.0)) * of(&target.column).unwrap_or(1.0)
}

/// The part of a column's rows that are NULL, as the last ANALYZE has found it.
fn null_fraction(table: pg_sys::Oid, column: &str) -> Option<f64> {
    let column = CString::new(column).ok()?;
    // SAFETY: look-ups by OID, name and number; a tuple that is found is one of pg_statistic, and is released.
    unsafe {
        let number = pg_sys::get_attnum(table, column.as_ptr());
        let tuple = pg_sys::SearchSysCache3(
            pg_sys::SysCacheIdentifier::STATRELATTINH as c_int,
            pg_sys::Datum::from(table),
            pg_sys::Datum::from(number),
            pg_sys::Datum::from(false),
        );
        if tuple.is_null() {
            return None;
        }
        let fraction = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_statistic>()).stanullfrac;
        pg_sys::ReleaseSysCache(tuple);
        Some(fraction.into())
    }
}
