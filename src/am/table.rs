//! The table's rows, for an index that leaves the codes there.
//!
//! A search asks for rows as its own snapshot sees them: what it doesn't see is no result. Whoever makes slots anew asks for rows that
//! anybody may see, now or later, and so takes any version: all that one index entry stands for have the same value. One that is still
//! being written, or that died, may have lost parts that are kept elsewhere (TOAST), so that such a value is only read where no vacuum
//! can have been: while a snapshot of this session's is held, and of a row that is there by then.
//!
//! What reading needs of the server is made at the first row and given back before the call of the server's ends, by
//! [`TableRows::close`]; after an error the end of the transaction does it.

use std::cell::Cell;

use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use tq_format::RecordView;
use tq_index::{IndexError, Lent, Tid};

use super::buffers::prefetch;
use super::rows::pointer_to;
use crate::datum::record::Varlena;
use crate::error::interrupts::poll;

/// Which rows are seen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen {
    /// Those of this snapshot.
    By(pg_sys::Snapshot),
    /// Those that anybody sees.
    ByAnybody,
}

/// A column of a table.
#[derive(Debug)]
pub(super) struct TableRows {
    heap: pg_sys::Relation,
    /// The column; `None` if the index is over an expression.
    attribute: Option<i16>,
    seen: Seen,
    opened: Cell<Option<Opened>>,
}

/// What reading needs.
#[derive(Clone, Copy, Debug)]
struct Opened {
    fetch: *mut pg_sys::IndexFetchTableData,
    slot: *mut pg_sys::TupleTableSlot,
}

/// The number of the column that an index is over; `None` if it is over an expression.
///
/// # Safety
/// `index` must be an open index.
pub(super) unsafe fn column_of(index: pg_sys::Relation) -> Option<i16> {
    // SAFETY: an index has at least one column.
    let attribute = unsafe { *(*(*index).rd_index).indkey.values.as_ptr() };
    (attribute > 0).then_some(attribute)
}

impl TableRows {
    /// The rows of the table behind an index.
    ///
    /// # Safety
    /// Both relations must be open, and stay so as long as this is used; so must the snapshot.
    pub(super) unsafe fn new(heap: pg_sys::Relation, index: pg_sys::Relation, seen: Seen) -> Self {
        // SAFETY: by the contract.
        let attribute = unsafe { column_of(index) };
        Self { heap, attribute, seen, opened: Cell::new(None) }
    }

    /// Lends the record of a row.
    pub(super) fn record(
        &self,
        tid: Tid,
        use_record: &mut dyn FnMut(&RecordView<'_>) -> Result<(), IndexError>,
    ) -> Result<Lent, IndexError> {
        poll();
        let damaged = |problem| IndexError::Damaged { block: 0, problem };
        let attribute = self.attribute.ok_or(damaged("codes are said to be in the table, which has none"))?;
        // SAFETY: the table is open, and the snapshot is the caller's or one of the server's own. The value stays as long as the slot
        // holds the row, which is until the next is fetched.
        unsafe {
            let Some(mut value) = self.value(tid, self.snapshot(), attribute) else { return Ok(Lent::Gone) };
            if matches!(self.seen, Seen::ByAnybody) && pgrx::varatt_is_1b_e(value.cast_mut_ptr()) {
                if !pg_sys::ActiveSnapshotSet() {
                    return Ok(Lent::NotNow);
                }
                match self.value(tid, &raw mut pg_sys::SnapshotSelfData, attribute) {
                    Some(again) => value = again,
                    None => return Ok(Lent::NotNow),
                }
            }
            let varlena = Varlena::packed(value);
            let record = RecordView::parse_stored(varlena.bytes());
            use_record(&record.map_err(|_| damaged("a row of the table is no record"))?)?;
            varlena.release();
            Ok(Lent::Yes)
        }
    }

    /// Whether there is a row of that name to be seen.
    pub(super) fn has(&self, tid: Tid) -> bool {
        poll();
        // SAFETY: the table is open, and the snapshot is the caller's or one of the server's own.
        unsafe { self.fetch(tid, self.snapshot()).is_some() }
    }

    /// Says that a row will be asked for soon; whether its page isn't in the buffers.
    pub(super) fn prefetch(&self, tid: Tid) -> bool {
        // SAFETY: the table is open. A block that isn't there any more is none to read, and no error.
        unsafe { prefetch(self.heap, tid.block) }
    }

    fn snapshot(&self) -> pg_sys::Snapshot {
        match self.seen {
            Seen::By(snapshot) => snapshot,
            Seen::ByAnybody => &raw mut pg_sys::SnapshotAnyData,
        }
    }

    /// A column's value in the version of a row that a snapshot sees; `None` if it sees none.
    ///
    /// # Safety
    /// The table must be open and have the column, and the snapshot be valid.
    unsafe fn value(&self, tid: Tid, snapshot: pg_sys::Snapshot, attribute: i16) -> Option<pg_sys::Datum> {
        let mut null = true;
        // SAFETY: by the contract; the slot holds a row.
        unsafe {
            let slot = self.fetch(tid, snapshot)?;
            let value = pg_sys::slot_getattr(slot, attribute.into(), &mut null);
            (!null).then_some(value)
        }
    }

    /// Puts the version of a row that a snapshot sees into the slot; `None` if it sees none.
    ///
    /// # Safety
    /// The table must be open, and the snapshot valid.
    #[allow(ffi_unwind_calls)] // behind the boundary
    unsafe fn fetch(&self, tid: Tid, snapshot: pg_sys::Snapshot) -> Option<*mut pg_sys::TupleTableSlot> {
        let mut pointer = pointer_to(tid);
        let (mut again, mut dead) = (false, false);
        // SAFETY: by the contract; every table's access method has the functions. Jumps stop at the boundary.
        unsafe {
            let Opened { fetch, slot } = self.open()?;
            let fetch_tuple = (*(*self.heap).rd_tableam).index_fetch_tuple?;
            let found = pg_guard_ffi_boundary(|| {
                fetch_tuple(fetch, &mut pointer, snapshot, slot, &mut again, &mut dead)
            });
            found.then_some(slot)
        }
    }

    /// Makes what reading needs, if it isn't there.
    ///
    /// # Safety
    /// The table must be open.
    #[allow(ffi_unwind_calls)] // behind the boundary
    unsafe fn open(&self) -> Option<Opened> {
        if let Some(opened) = self.opened.get() {
            return Some(opened);
        }
        // SAFETY: by the contract.
        unsafe {
            let begin = (*(*self.heap).rd_tableam).index_fetch_begin?;
            let fetch = pg_guard_ffi_boundary(|| begin(self.heap));
            let slot = pg_sys::table_slot_create(self.heap, std::ptr::null_mut());
            self.opened.set(Some(Opened { fetch, slot }));
        }
        self.opened.get()
    }

    /// Gives back what reading has needed.
    #[allow(ffi_unwind_calls)] // behind the boundary
    pub(super) fn close(&self) {
        let Some(Opened { fetch, slot }) = self.opened.take() else { return };
        // SAFETY: both were made by `open`, in this call of the server's, and are used no more.
        unsafe {
            pg_sys::ExecDropSingleTupleTableSlot(slot);
            if let Some(end) = (*(*self.heap).rd_tableam).index_fetch_end {
                pg_guard_ffi_boundary(|| end(fetch));
            }
        }
    }
}
