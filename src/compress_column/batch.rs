//! The rows of a table that `tq_compress_column` works on: finding, reading, locking and writing them.
//!
//! Rows are found first and locked by a statement of its own. Locking follows a row that someone else has just changed
//! to its new version, anywhere in the table; the position up to which the table is done must not follow it there. A row
//! that is lost between the two statements shows up as a difference of counts, and is found again where it went.

#![allow(unsafe_code)]

use std::ffi::CStr;

use pgrx::IntoDatum;
use pgrx::pg_sys;
use tq_memory::{Grow, OutOfMemory};

use super::rejects::PassRejects;
use super::statement::{execute, item_pointer, set};
use super::target::{TablePart, Target, holds_numbers};
use crate::datum::float_array::FloatArray;
use crate::error::{ColumnError, Error};

/// Few positions among many rows: looking up each is right however few rows the planner believes in.
const BY_POSITION: [(&CStr, &CStr); 5] = [
    (c"enable_hashjoin", c"off"),
    (c"enable_mergejoin", c"off"),
    (c"enable_tidscan", c"on"),
    (c"enable_nestloop", c"on"),
    (c"jit", c"off"),
];
/// In the order of positions, which neither an index nor several processes nor a scan that joins another one keep. Not for
/// a statement that fires triggers, whose queries would be left without indexes.
const IN_ORDER: [(&CStr, &CStr); 7] = [
    (c"enable_tidscan", c"on"),
    (c"enable_seqscan", c"off"),
    (c"enable_indexscan", c"off"),
    (c"enable_indexonlyscan", c"off"),
    (c"enable_bitmapscan", c"off"),
    (c"synchronize_seqscans", c"off"),
    (c"max_parallel_workers_per_gather", c"0"),
];

/// Vectors of one dimension, and where their rows are.
#[derive(Default)]
pub(super) struct VectorPiece {
    pub(super) positions: Vec<pg_sys::ItemPointerData>,
    /// Row after row.
    pub(super) vectors: Vec<f32>,
    pub(super) dimension: usize,
}

impl VectorPiece {
    /// Leaves those rows alone, by their numbers from 0, in their order. Their vectors are not needed any more.
    pub(super) fn keep(&mut self, rows: &[usize]) {
        for (place, row) in rows.iter().enumerate() {
            self.positions[place] = self.positions[*row];
        }
        self.positions.truncate(rows.len());
        self.vectors = Vec::new();
    }

    /// An error that concerns one of the rows.
    pub(super) fn error(&self, part: &TablePart, row: usize, source: Error) -> Error {
        row_error(part, self.positions.get(row).copied().unwrap_or_default(), source)
    }
}

pub(super) fn row_error(part: &TablePart, position: pg_sys::ItemPointerData, source: Error) -> Error {
    let (block, offset) = pgrx::itemptr::item_pointer_get_both(position);
    Error::Column(ColumnError::Row {
        table: part.shown.clone(),
        position: format!("({block},{offset})"),
        source: source.into(),
    })
}

/// What to do about rows that others have locked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LockPolicy {
    Skip,
    Wait,
}

/// Rows that are locked, and the vectors of those that have one.
#[derive(Default)]
pub(super) struct LockedRows {
    /// How many are locked: those of the pieces, and those whose cast gave NULL.
    pub(super) locked: usize,
    /// A piece for each run of one dimension.
    pub(super) pieces: Vec<VectorPiece>,
}

impl LockedRows {
    /// Adds a vector to the last piece, or to a new one if it has another dimension.
    fn add(&mut self, position: pg_sys::ItemPointerData, floats: &[f32]) -> Result<(), OutOfMemory> {
        if self.pieces.last().is_none_or(|piece| piece.dimension != floats.len()) {
            self.pieces.try_push(VectorPiece { dimension: floats.len(), ..VectorPiece::default() })?;
        }
        if let Some(piece) = self.pieces.last_mut() {
            piece.positions.try_push(position)?;
            piece.vectors.try_extend(floats)?;
        }
        Ok(())
    }
}

/// Statements whose values live as long as it, and plans that find rows by position. Left without [`Batch::end`], as when
/// an error passes, it ends with the transaction.
pub(super) struct Batch {
    settings: i32,
    memory: pg_sys::MemoryContext,
    before: pg_sys::MemoryContext,
}

impl Batch {
    /// # Safety
    /// An SPI connection must be open, in a transaction.
    pub(super) unsafe fn begin() -> Batch {
        // SAFETY: a transaction is open; the settings and the snapshot are taken back by `end` or with the transaction,
        // and the memory is below the connection's.
        unsafe {
            let settings = set(&BY_POSITION);
            // Fetching from TOAST wants a snapshot.
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            let before = pg_sys::CurrentMemoryContext;
            let memory = pg_sys::AllocSetContextCreateExtended(
                before,
                c"tq_compress_column".as_ptr(),
                pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            );
            pg_sys::MemoryContextSwitchTo(memory);
            Batch { settings, memory, before }
        }
    }

    pub(super) fn end(self) {
        // SAFETY: what `begin` made, in the reverse order.
        unsafe {
            pg_sys::MemoryContextSwitchTo(self.before);
            pg_sys::MemoryContextDelete(self.memory);
            pg_sys::PopActiveSnapshot();
            pg_sys::AtEOXact_GUC(true, self.settings);
        }
    }

    /// The positions of up to `limit` rows behind `after` and up to `end` that have a source and no record, in their
    /// order. Fewer than `limit` if there are no more.
    pub(super) fn find(
        &self,
        target: &Target,
        part: &TablePart,
        (after, end): (pg_sys::ItemPointerData, pg_sys::ItemPointerData),
        limit: usize,
    ) -> Result<Vec<pg_sys::ItemPointerData>, Error> {
        let query = format!(
            "SELECT t.ctid FROM {} AS t \
             WHERE t.ctid OPERATOR(pg_catalog.>) $1 AND t.ctid OPERATOR(pg_catalog.<=) $2 AND {} {} LIMIT $3",
            part.name,
            target.open(),
            part.condition(4),
        );
        let arguments = part.arguments([
            (pg_sys::TIDOID, after.into_datum()),
            (pg_sys::TIDOID, end.into_datum()),
            (pg_sys::INT8OID, (limit as i64).into_datum()),
        ]);
        // SAFETY: the connection is open, by `begin`'s contract. Each row holds a position, which is copied before the rows are
        // freed.
        unsafe {
            let settings = set(&IN_ORDER);
            let rows = execute(&query, &arguments)?;
            pg_sys::AtEOXact_GUC(true, settings);
            let mut found = tq_memory::with_capacity(rows.count())?;
            for row in 0..rows.count() {
                found.push(item_pointer(rows.value(row, 1)));
            }
            rows.free();
            Ok(found)
        }
    }

    /// Locks and reads the rows at some positions, as far as they are still to be filled and have a vector that one can read.
    pub(super) fn read(
        &self,
        target: &Target,
        part: &TablePart,
        places: &[pg_sys::ItemPointerData],
        locked: LockPolicy,
        rejects: &mut PassRejects,
    ) -> Result<LockedRows, Error> {
        let mut rows = LockedRows::default();
        if places.is_empty() {
            return Ok(rows);
        }
        // Row by row, as a sub-select that locks is: the planner believes in few rows without a record, and would go over
        // the table for each.
        let query = format!(
            "SELECT r.place, r.vector FROM pg_catalog.unnest($1) AS u(place), LATERAL ( \
                 SELECT t.ctid, {} FROM {} AS t \
                 WHERE t.ctid OPERATOR(pg_catalog.=) u.place AND {} {} FOR NO KEY UPDATE {}) AS r(place, vector)",
            target.vector,
            part.name,
            target.open(),
            part.condition(2),
            if locked == LockPolicy::Skip { "SKIP LOCKED" } else { "" },
        );
        let arguments = part.arguments([(pg_sys::TIDARRAYOID, tq_memory::copied(places)?.into_datum())]);
        // SAFETY: the connection is open, by `begin`'s contract. Both columns have the types that the statement says, and values
        // live as long as the rows, which are freed when all are copied.
        unsafe {
            let fetched = execute(&query, &arguments)?;
            // The column may be of another type than when the call began.
            if fetched.count() > 0 && !holds_numbers(fetched.type_of(2)) {
                return Err(Error::Column(ColumnError::SourceChanged(part.shown.clone())));
            }
            rows.locked = fetched.count();
            for row in 0..fetched.count() {
                let position = item_pointer(fetched.value(row, 1));
                // A cast may make a NULL of what isn't one.
                if let Some(array) = fetched.value(row, 2) {
                    FloatArray::with(array, |array| match array.floats() {
                        Ok(floats) => Ok(rows.add(position, &floats)?),
                        Err(error) => rejects.add(part, position, error),
                    })?;
                }
            }
            fetched.free();
        }
        Ok(rows)
    }

    /// Writes the records of a piece into its rows; returns how many have one then. A BEFORE trigger may leave a row as
    /// it was, or take the record back.
    pub(super) fn write(
        &self,
        target: &Target,
        part: &TablePart,
        piece: &VectorPiece,
        records: &[u8],
    ) -> Result<usize, Error> {
        if piece.positions.is_empty() {
            return Ok(0);
        }
        // A multi-argument unnest is core's, whatever the search path says.
        let query = format!(
            "UPDATE {} AS t SET {} = u.record::{} FROM unnest($1, $2) AS u(place, record) \
             WHERE t.ctid OPERATOR(pg_catalog.=) u.place {} RETURNING t.{} IS NOT NULL",
            part.name,
            target.target,
            target.type_name,
            part.condition(3),
            target.target,
        );
        let length = records.len() / piece.positions.len();
        let records: Vec<&[u8]> = tq_memory::collected(records.chunks_exact(length.max(1)))?;
        let arguments = part.arguments([
            (pg_sys::TIDARRAYOID, tq_memory::copied(&piece.positions)?.into_datum()),
            (pg_sys::BYTEAARRAYOID, records.into_datum()),
        ]);
        // SAFETY: the connection is open, by `begin`'s contract. Each row holds a boolean.
        unsafe {
            let rows = execute(&query, &arguments)?;
            let filled = (0..rows.count())
                .filter(|row| rows.value(*row, 1).is_some_and(|value| value.value() != 0))
                .count();
            rows.free();
            Ok(filled)
        }
    }
}
