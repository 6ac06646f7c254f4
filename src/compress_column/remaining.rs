//! What is left to do in a table, for `tq_compress_column` to know when it is through.
//!
//! Going over a table takes many statements, and a row that others move meanwhile may be ahead of none of them. One
//! statement counts each row once, wherever it is.

#![allow(unsafe_code)]

use pgrx::IntoDatum;
use pgrx::pg_sys;

use super::statement::{execute, item_pointer};
use super::target::{TablePart, Target};
use crate::error::Error;

/// The rows of a table that have a vector and no record, as one snapshot sees them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct RemainingRows {
    pub(super) rows: u64,
    /// The last one's position.
    last: (u32, u16),
    /// Of all their positions: two that are equal are the same rows, which nobody has changed.
    fingerprint: i64,
}

impl RemainingRows {
    /// Counts the rows.
    ///
    /// # Safety
    /// An SPI connection must be open, in a transaction.
    pub(super) unsafe fn count(target: &Target, part: &TablePart) -> Result<RemainingRows, Error> {
        let query = format!(
            "SELECT pg_catalog.count(*), pg_catalog.max(t.ctid), pg_catalog.sum(pg_catalog.hashtid(t.ctid)) \
             FROM {} AS t WHERE {} AND {} IS NOT NULL {}",
            part.name,
            target.open(),
            target.vector,
            part.condition(1),
        );
        // SAFETY: by the contract; the statement returns one row, with columns of these types.
        unsafe {
            let rows = execute(&query, &part.arguments([]))?;
            let last = pgrx::itemptr::item_pointer_get_both(item_pointer(rows.value(0, 2)));
            let integer = |column| rows.value(0, column).map_or(0, |number| number.value() as i64);
            let open = RemainingRows { rows: integer(1).unsigned_abs(), last, fingerprint: integer(3) };
            rows.free();
            Ok(open)
        }
    }

    /// Whether they are so many, with that sum of `hashtid`.
    pub(super) fn is(&self, rows: u64, fingerprint: i64) -> bool {
        self.rows == rows && self.fingerprint == fingerprint
    }

    pub(super) fn last(&self) -> pg_sys::ItemPointerData {
        position(self.last)
    }
}

/// A position by its block and its number there.
pub(super) fn position((block, offset): (u32, u16)) -> pg_sys::ItemPointerData {
    let mut position = pg_sys::ItemPointerData::default();
    pgrx::itemptr::item_pointer_set_all(&mut position, block, offset);
    position
}

/// The position behind a table's last page, if the table numbers its pages as a heap does. Elsewhere it is any position.
///
/// # Safety
/// An SPI connection must be open, in a transaction.
pub(super) unsafe fn end_of(part: &TablePart) -> Result<pg_sys::ItemPointerData, Error> {
    let argument = (pg_sys::OIDOID, part.oid.into_datum());
    // SAFETY: by the contract; the statement leaves one bigint, or null for a table that is gone.
    let bytes = unsafe {
        let rows = execute("SELECT pg_catalog.pg_relation_size($1)", &[argument])?;
        let bytes = rows.value(0, 1).map_or(0, |bytes| bytes.value() as u64);
        rows.free();
        bytes
    };
    Ok(position((u32::try_from(bytes / u64::from(pg_sys::BLCKSZ)).unwrap_or(u32::MAX), 0)))
}
