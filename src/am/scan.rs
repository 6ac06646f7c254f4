//! Searches: `ambeginscan`, `amrescan`, `amgettuple`, `amendscan`.
//!
//! What a search keeps belongs to the memory context of its plan, which drops it, whatever way the statement ends; nothing in it is the
//! server's. A rescan with the same query, as a cursor or a loop makes it, prepares nothing anew.

use std::ffi::c_int;

use pgrx::prelude::*;
use pgrx::{PgMemoryContexts, pg_sys};
use tq_codec::{Metric, PreparedQuery};
use tq_format::RecordView;
use tq_index::{Bounds, Hit, IndexError, Refine, Scan, ScanOptions, Session, Tid, Walk};

use super::buffers::Buffers;
use super::column::{FloatColumn, norm_of};
use super::opclass::metric_of;
use super::other_rows::{OtherRecords, SearchError, SeenRecords, check_dimensions};
use super::rows::{list_options, named};
use super::table::{Seen, TableRows};
use crate::datum::float_array::FloatArray;
use crate::datum::record::Varlena;
use crate::error::{Error, IndexUseError, RegistryError, VectorError, raise};
use crate::registry;
use crate::registry::Query;
use crate::server::pg_compat::count_index_scan;
use crate::server::settings;

/// What a plan node keeps between calls.
#[derive(Default)]
struct Search {
    pages: Option<Buffers>,
    /// The index's column, if it is one of floats: then the executor measures the rows that it is given.
    floats: Option<FloatColumn>,
    running: Option<Running>,
    /// The query of the search before, by its bytes, prepared for the index's codec.
    kept: Option<(Vec<u8>, PreparedQuery)>,
}

/// A search that has begun.
enum Running {
    Query(Box<ByQuery>),
    /// Of NULL: all rows, in any order.
    Null(Box<(Session, Walk)>),
}

struct ByQuery {
    scan: Scan,
    others: OtherRecords,
    bytes: Vec<u8>,
}

/// Starts a plan node's use of an index.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn begin(
    index: pg_sys::Relation,
    keys: c_int,
    orderings: c_int,
) -> pg_sys::IndexScanDesc {
    // SAFETY: the server passes an open index; arrays of the size that it asked for live as long as the scan.
    unsafe {
        let scan = pg_sys::RelationGetIndexScan(index, keys, orderings);
        if orderings > 0 {
            let count = orderings as usize;
            (*scan).xs_orderbyvals = pg_sys::palloc0(count * size_of::<pg_sys::Datum>()).cast();
            (*scan).xs_orderbynulls = pg_sys::palloc0(count).cast();
        }
        (*scan).opaque =
            PgMemoryContexts::CurrentMemoryContext.leak_and_drop_on_delete(Search::default()).cast();
        scan
    }
}

/// Takes the query of the next search.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn rescan(
    scan: pg_sys::IndexScanDesc,
    keys: pg_sys::ScanKey,
    _key_count: c_int,
    orderings: pg_sys::ScanKey,
    _ordering_count: c_int,
) {
    // SAFETY: the server passes a scan that `begin` has made, and as many keys as it has room for.
    unsafe {
        let copy = |from: pg_sys::ScanKey, to: pg_sys::ScanKey, count: c_int| {
            if !from.is_null() && count > 0 {
                std::ptr::copy(from, to, count as usize);
            }
        };
        copy(keys, (*scan).keyData, (*scan).numberOfKeys);
        copy(orderings, (*scan).orderByData, (*scan).numberOfOrderBys);
        let search = &mut *(*scan).opaque.cast::<Search>();
        search.finish();
    }
}

/// Ends a plan node's use of an index. Its memory goes with the context.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn end(scan: pg_sys::IndexScanDesc) {
    // SAFETY: a scan that `begin` has made.
    unsafe { *(*scan).opaque.cast::<Search>() = Search::default() }
}

/// Gives the next row.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn next(
    scan: pg_sys::IndexScanDesc,
    direction: pg_sys::ScanDirection::Type,
) -> bool {
    // SAFETY: a scan that `begin` has made, whose index is open.
    unsafe {
        let index = (*scan).indexRelation;
        if direction != pg_sys::ScanDirection::ForwardScanDirection {
            raise(IndexUseError::Backwards.into());
        }
        let search = &mut *(*scan).opaque.cast::<Search>();
        match search.next(scan) {
            Ok(None) => false,
            Ok(Some(Hit { tid, distance })) => {
                give(scan, tid, distance, search.floats.is_some());
                true
            }
            Err(SearchError::Index(error) | SearchError::Other(Error::Index { source: error, .. })) => {
                raise(named(index, error))
            }
            Err(SearchError::Other(error)) => raise(error),
        }
    }
}

/// Fills in what the server looks at.
///
/// # Safety
/// A scan that `begin` has made.
unsafe fn give(scan: pg_sys::IndexScanDesc, tid: Tid, distance: Option<f64>, is_bound: bool) {
    // SAFETY: by the contract.
    unsafe {
        (*scan).xs_heaptid.ip_blkid.bi_hi = (tid.block >> 16) as u16;
        (*scan).xs_heaptid.ip_blkid.bi_lo = tid.block as u16;
        (*scan).xs_heaptid.ip_posid = tid.offset;
        (*scan).xs_recheck = false;
        // What floats are away at the least is no reason to look at NULLs again.
        (*scan).xs_recheckorderby = is_bound && distance.is_some();
        if (*scan).numberOfOrderBys > 0 {
            *(*scan).xs_orderbyvals = pg_sys::Datum::from(distance.unwrap_or_default().to_bits());
            *(*scan).xs_orderbynulls = distance.is_none();
        }
    }
}

impl Search {
    /// Keeps what a next search may need of the last.
    fn finish(&mut self) {
        if let Some(Running::Query(by_query)) = self.running.take() {
            let ByQuery { scan, bytes, .. } = *by_query;
            self.kept = scan.into_query().map(|query| (bytes, query));
        }
    }

    /// The next row of the search, which begins with the first call.
    ///
    /// # Safety
    /// A scan that `begin` has made.
    unsafe fn next(&mut self, scan: pg_sys::IndexScanDesc) -> Result<Option<Hit>, SearchError> {
        if self.running.is_none() {
            // SAFETY: by the contract.
            self.running = Some(unsafe { self.start(scan)? });
        }
        let Some(pages) = &self.pages else { return Ok(None) };
        match &mut self.running {
            Some(Running::Query(by_query)) => {
                let ByQuery { scan, others, .. } = by_query.as_mut();
                let found = scan.next(pages, &mut SeenRecords { records: others, table: pages.table() });
                pages.close_table();
                found
            }
            Some(Running::Null(all)) => {
                let (session, walk) = all.as_mut();
                Ok(walk.next(pages, session)?.map(|tid| Hit { tid, distance: None }))
            }
            None => Ok(None),
        }
    }

    /// Begins a search.
    ///
    /// # Safety
    /// A scan that `begin` has made.
    unsafe fn start(&mut self, scan: pg_sys::IndexScanDesc) -> Result<Running, SearchError> {
        // SAFETY: by the contract; the snapshot is there when rows are asked for, the ordering too.
        unsafe {
            let snapshot = (*scan).xs_snapshot;
            let is_mvcc = !snapshot.is_null()
                && matches!(
                    (*snapshot).snapshot_type,
                    pg_sys::SnapshotType::SNAPSHOT_MVCC | pg_sys::SnapshotType::SNAPSHOT_HISTORIC_MVCC
                );
            if !is_mvcc {
                return Err(SearchError::Other(IndexUseError::NoSnapshot.into()));
            }
            count_index_scan(scan);
            let index = (*scan).indexRelation;
            // What the search before remembers of pages is this one's to use.
            self.pages = None;
            let table = TableRows::new((*scan).heapRelation, index, Seen::By(snapshot));
            let pages = Buffers::new(index).with_table(table).searching();
            let session = Session::new(&pages)?.knowing(pages.known_lists());
            if session.meta().definition.refine == Refine::Floats && self.floats.is_none() {
                let shape = session.meta().shape;
                self.floats =
                    FloatColumn::of(index).map_err(SearchError::Other)?.map(|column| column.as_built(shape));
            }
            let pages = self.pages.insert(pages);
            let ordering = (*scan).orderByData;
            if (*scan).numberOfOrderBys == 0 || (*ordering).sk_flags & pg_sys::SK_ISNULL as c_int != 0 {
                return Ok(Running::Null(Box::new((session, Walk::all()))));
            }
            let metric = metric_of((*ordering).sk_strategy)
                .ok_or_else(|| SearchError::Other(IndexUseError::NoMetric.into()))?;
            let (bytes, query) = query_of(&*ordering, self.floats).map_err(SearchError::Other)?;
            start_query(pages, self.kept.take(), session, metric, (bytes, query))
        }
    }
}

/// Begins a search of a query, given by its bytes and what they mean. `kept` is the query of the search before.
fn start_query(
    pages: &Buffers,
    kept: Option<(Vec<u8>, PreparedQuery)>,
    session: Session,
    metric: Metric,
    (bytes, mut query): (Vec<u8>, Query),
) -> Result<Running, SearchError> {
    let level = settings::simd_level();
    let mut prepared = None;
    if let Some(shape) = &session.meta().shape {
        let codec = check_dimensions(&query, shape.dimension).and_then(|()| registry::of_shape(shape));
        prepared = match (codec, kept) {
            (Ok(codec), Some((of, kept)))
                if of == bytes && std::ptr::eq(kept.codec().as_ref(), codec.as_ref()) =>
            {
                Some(kept)
            }
            (Ok(codec), _) => Some(query.prepare(codec, level).map_err(SearchError::Other)?),
            // The codec was dropped, or is of another dimension, which is no matter as long as only dead rows are of it.
            (
                Err(
                    Error::Registry(RegistryError::UnknownCodec(_))
                    | Error::Vector(VectorError::DimensionsDiffer(..)),
                ),
                _,
            ) if !sees_slots(pages, &session)? => None,
            (Err(error), _) => return Err(SearchError::Other(error)),
        };
    }
    let square = prepared.as_ref().map_or(1.0, PreparedQuery::square);
    let bounds = match (session.meta().definition.refine, &query) {
        (Refine::Floats, Query::Floats(floats)) => {
            Some(Bounds::new(metric, norm_of(floats).powi(2), floats.len()))
        }
        _ => None,
    };
    let options = ScanOptions {
        epsilon: settings::epsilon(),
        memory: settings::work_memory(),
        level,
        lists: list_options(),
    };
    let scan = Scan::new(pages, session, prepared, square, options)?;
    pages.keep_lists(scan.known_lists());
    let others = OtherRecords { metric, query, prepared: Vec::new(), bounds };
    Ok(Running::Query(Box::new(ByQuery { scan, others, bytes })))
}

/// Whether the search's snapshot sees any row of the index's codec.
fn sees_slots(pages: &Buffers, session: &Session) -> Result<bool, IndexError> {
    let Some(table) = pages.table() else { return Ok(true) };
    let mut walk = Walk::slots();
    let mut seen = false;
    while !seen && let Some(tid) = walk.next(pages, session)? {
        seen = table.has(tid);
    }
    table.close();
    Ok(seen)
}

/// The query of an ordering: the bytes of its value, and what they mean.
///
/// # Safety
/// The ordering must be one of the server's, whose value isn't NULL.
unsafe fn query_of(
    ordering: &pg_sys::ScanKeyData,
    floats: Option<FloatColumn>,
) -> Result<(Vec<u8>, Query), Error> {
    let datum = ordering.sk_argument;
    if let Some(column) = floats {
        // SAFETY: the operators of the classes for floats have arguments of the column's type.
        return unsafe {
            column.floats(datum, |floats| {
                let bytes = tq_memory::copied(bytemuck::cast_slice(floats))?;
                Ok((bytes, Query::Floats(tq_memory::copied(floats)?)))
            })
        };
    }
    // SAFETY: the operators' second argument is an array of numbers or `tqvec`, as its type says; all are varlenas.
    unsafe {
        let varlena = Varlena::packed(datum);
        let bytes = tq_memory::copied(varlena.bytes())?;
        varlena.release();
        let query = if is_array(ordering.sk_subtype) {
            Query::Floats(tq_memory::copied(&FloatArray::from_datum(datum).floats()?)?)
        } else {
            Query::from_record(&RecordView::parse_stored(&bytes)?)?
        };
        Ok((bytes, query))
    }
}

/// Whether a query's type is one of the arrays that the operator classes know.
fn is_array(subtype: pg_sys::Oid) -> bool {
    matches!(
        subtype,
        pg_sys::FLOAT4ARRAYOID
            | pg_sys::FLOAT8ARRAYOID
            | pg_sys::NUMERICARRAYOID
            | pg_sys::INT4ARRAYOID
            | pg_sys::INT2ARRAYOID
            | pg_sys::INT8ARRAYOID
    )
}
