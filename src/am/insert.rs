//! `aminsert`, and what a backend remembers of the indexes that it inserts into.

use std::cell::RefCell;

use pgrx::prelude::*;
use tq_index::{Refine, Session};

use super::buffers::Buffers;
use super::column::{FloatColumn, Reader};
use super::rows::{Key, key_of, named, tid_of};
use super::table::{Seen, TableRows};
use crate::error::{Error, raise};

/// Indexes that a backend remembers; a statement inserts into those of a table, or of some partitions.
const MOST_SESSIONS: usize = 32;

/// What is remembered of one: what it holds, and how its column is read.
struct Known {
    session: Session,
    reader: Reader,
}

thread_local! {
    /// The most recently used last.
    static SESSIONS: RefCell<Vec<(Key, Known)>> = const { RefCell::new(Vec::new()) };
}

/// Makes what is remembered now, for which the C library may allocate.
pub(super) fn init() {
    SESSIONS.with_borrow(|_| ());
}

/// Forgets an index that is built anew, maybe in the same file.
///
/// # Safety
/// `index` must be an open relation.
pub(super) unsafe fn forget(index: pg_sys::Relation) {
    // SAFETY: by the contract.
    let key = unsafe { key_of(index) };
    SESSIONS.with_borrow_mut(|sessions| sessions.retain(|(other, _)| *other != key));
}

/// Adds a row.
#[pg_guard]
#[allow(clippy::too_many_arguments)] // the server's signature
pub(super) unsafe extern "C-unwind" fn insert(
    index: pg_sys::Relation,
    values: *mut pg_sys::Datum,
    nulls: *mut bool,
    tid: pg_sys::ItemPointer,
    heap: pg_sys::Relation,
    _unique: pg_sys::IndexUniqueCheck::Type,
    _unchanged: bool,
    _info: *mut pg_sys::IndexInfo,
) -> bool {
    // SAFETY: the server passes an open index, the column's value and the row's name.
    unsafe {
        let value = (!*nulls).then_some(*values);
        let table = TableRows::new(heap, index, Seen::ByAnybody);
        let pages = Buffers::new(index).with_table(table);
        let inserted = with_known(index, &pages, |Known { session, reader }| {
            reader.read(value, |value, codec| {
                let inserted = session.insert(&pages, tid_of(tid), value, codec);
                inserted.map_err(|error| named(index, error))
            })
        });
        pages.close_table();
        match inserted {
            Ok(()) => false,
            Err(error) => raise(error),
        }
    }
}

/// Lends what is remembered of an index. An error forgets it: it may be one in the middle of a change.
///
/// # Safety
/// `index` must be an open relation, and `pages` its.
unsafe fn with_known<R>(
    index: pg_sys::Relation,
    pages: &Buffers,
    with: impl FnOnce(&mut Known) -> Result<R, Error>,
) -> Result<R, Error> {
    // SAFETY: by the contract.
    let key = unsafe { key_of(index) };
    let found = SESSIONS.with_borrow_mut(|sessions| {
        let at = sessions.iter().rposition(|(other, _)| *other == key)?;
        Some(sessions.remove(at).1)
    });
    let mut known = match found {
        Some(known) => known,
        // SAFETY: by the contract.
        None => unsafe {
            let session = Session::new(pages).map_err(|error| named(index, error))?;
            let is_of_floats = session.meta().definition.refine == Refine::Floats;
            let column = if is_of_floats { FloatColumn::of(index)? } else { None };
            let column = column.map(|column| column.as_built(session.meta().shape));
            Known { session, reader: Reader::new(column) }
        },
    };
    let result = with(&mut known)?;
    SESSIONS.with_borrow_mut(|sessions| {
        if sessions.len() == MOST_SESSIONS {
            sessions.remove(0);
        }
        sessions.push((key, known));
    });
    Ok(result)
}
