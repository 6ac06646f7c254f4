//! `ambuild` and `ambuildempty`.
//!
//! A build looks at blocks from all over the table first, which decide the codec and the centre, and then reads the table once. Pages
//! are written whole, and logged when all are there. Rows that are dead to everyone aren't seen; those that some snapshot may still see
//! are indexed like the others, but no sample takes them.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::prelude::*;
use tq_codec::{Codec, Workers};
use tq_format::RecordShape;
use tq_index::{Build, Definition, Means, Refine, SAMPLE_ROWS, Sample, Tid, Value};

use super::buffers::Buffers;
use super::column::{FloatColumn, Reader};
use super::insert::forget;
use super::opclass::metric_of_index;
use super::options::{lists_of, refine_of};
use super::rows::{named, tid_of};
use super::table::{Seen, TableRows};
use crate::error::interrupts::poll;
use crate::error::{Error, IndexUseError, raise};
use crate::server::pg_compat::needs_wal;
use crate::server::settings;

/// Places of the table that a sample is taken from.
const SAMPLED_PLACES: u32 = 1024;

/// Rows of a sample for each list, if memory allows: fewer make worse lists, more take time.
const SAMPLED_OF_A_LIST: usize = 50;

/// Phases that `pg_stat_progress_create_index` shows; the server numbers from 1, and keeps that one.
const SAMPLING: i64 = 2;
const TRAINING: i64 = 3;
const LOADING: i64 = 4;
const FINISHING: i64 = 5;
const LOGGING: i64 = 6;

/// Names a phase.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn phase_name(phase: i64) -> *mut c_char {
    let name = match phase {
        1 => c"initializing",
        SAMPLING => c"sampling table",
        TRAINING => c"training lists",
        LOADING => c"loading rows",
        FINISHING => c"calibrating searches",
        LOGGING => c"writing WAL",
        _ => return std::ptr::null_mut(),
    };
    name.as_ptr().cast_mut()
}

fn enter_phase(phase: i64) {
    // SAFETY: sets a number in the backend's own status.
    unsafe { pg_sys::pgstat_progress_update_param(pg_sys::PROGRESS_CREATEIDX_SUBPHASE as i32, phase) }
}

/// Receives the rows of a table.
trait Rows {
    /// A row: its value, or NULL; with it the codec of the value's record, if that is known.
    fn row(
        &mut self,
        tid: Tid,
        value: Option<Value<'_>>,
        codec: Option<&Arc<Codec>>,
        alive: bool,
    ) -> Result<(), Error>;

    /// What reads values.
    fn reader(&mut self) -> &mut Reader;
}

/// The server's callback.
#[pg_guard]
unsafe extern "C-unwind" fn take_row<R: Rows>(
    _index: pg_sys::Relation,
    tid: pg_sys::ItemPointer,
    values: *mut pg_sys::Datum,
    nulls: *mut bool,
    alive: bool,
    state: *mut c_void,
) {
    poll();
    // SAFETY: the server passes the state that it was given, and the one column's value with a flag.
    let (rows, tid, value) = unsafe { (&mut *state.cast::<R>(), tid_of(tid), (!*nulls).then_some(*values)) };
    let mut reader = std::mem::take(rows.reader());
    // SAFETY: a value of the column.
    let taken = unsafe { reader.read(value, |value, codec| rows.row(tid, value, codec, alive)) };
    *rows.reader() = reader;
    if let Err(error) = taken {
        raise(error);
    }
}

/// Reads some of a table's blocks, as for a build.
///
/// # Safety
/// Both relations must be open, the index being made; `info` must be theirs.
#[allow(ffi_unwind_calls)] // behind the boundary
unsafe fn scan_blocks<R: Rows>(
    (heap, index, info): (pg_sys::Relation, pg_sys::Relation, *mut pg_sys::IndexInfo),
    blocks: Option<(u32, u32)>,
    rows: &mut R,
) -> f64 {
    let (first, count) = blocks.unwrap_or((0, pg_sys::InvalidBlockNumber));
    let whole = blocks.is_none();
    // SAFETY: by the contract; every table's access method has the function. Jumps stop at the boundary.
    unsafe {
        let Some(range_scan) = (*(*heap).rd_tableam).index_build_range_scan else { return 0.0 };
        pg_guard_ffi_boundary(|| {
            range_scan(
                heap,
                index,
                info,
                whole,
                false,
                whole,
                first,
                count,
                Some(take_row::<R>),
                std::ptr::from_mut(rows).cast(),
                std::ptr::null_mut(),
            )
        })
    }
}

struct Sampling {
    sample: Sample,
    /// Rows that are still to be taken at this place.
    left: usize,
    /// Rows that were there.
    seen: u64,
    reader: Reader,
}

impl Rows for Sampling {
    fn row(
        &mut self,
        _: Tid,
        value: Option<Value<'_>>,
        codec: Option<&Arc<Codec>>,
        alive: bool,
    ) -> Result<(), Error> {
        self.seen += 1;
        if let (Some(value), Some(codec)) = (value, codec)
            && alive
            && self.left > 0
        {
            self.left -= 1;
            self.sample.add(value, codec).map_err(Error::index)?;
        }
        Ok(())
    }

    fn reader(&mut self) -> &mut Reader {
        &mut self.reader
    }
}

struct Loading<'a> {
    build: Build<'a, Buffers>,
    reader: Reader,
}

impl Rows for Loading<'_> {
    fn row(
        &mut self,
        tid: Tid,
        value: Option<Value<'_>>,
        _: Option<&Arc<Codec>>,
        _: bool,
    ) -> Result<(), Error> {
        self.build.add(tid, value).map_err(Error::index)
    }

    fn reader(&mut self) -> &mut Reader {
        &mut self.reader
    }
}

/// Builds an index.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn build(
    heap: pg_sys::Relation,
    index: pg_sys::Relation,
    info: *mut pg_sys::IndexInfo,
) -> *mut pg_sys::IndexBuildResult {
    // SAFETY: the server passes open relations, and makes an index whose pages nobody else sees.
    unsafe {
        forget(index);
        super::recent::forget(index);
        // Where codes are left in the table, searches that are measured read them there.
        let pages = Buffers::new(index).with_table(TableRows::new(heap, index, Seen::ByAnybody));
        let (read, indexed) = match fill(&pages, (heap, index, info)) {
            Ok(counts) => counts,
            Err(Error::Index { source, .. }) => raise(named(index, source)),
            Err(error) => raise(error),
        };
        pages.close_table();
        if needs_wal(index) {
            enter_phase(LOGGING);
            pages.log_all();
        }
        let result =
            pg_sys::palloc0(size_of::<pg_sys::IndexBuildResult>()).cast::<pg_sys::IndexBuildResult>();
        (*result).heap_tuples = read;
        (*result).index_tuples = indexed as f64;
        result
    }
}

/// Writes all of an index's pages; returns how many rows were read, and how many are in it.
///
/// # Safety
/// That of [`scan_blocks`].
unsafe fn fill(
    pages: &Buffers,
    relations: (pg_sys::Relation, pg_sys::Relation, *mut pg_sys::IndexInfo),
) -> Result<(f64, u64), Error> {
    let (_, index, _) = relations;
    // SAFETY: by the contract.
    unsafe {
        let column = FloatColumn::of_new(index)?;
        let definition = definition_of(index, column).ok_or(IndexUseError::NoMetric)?;
        enter_phase(SAMPLING);
        let (sample, rows) = sample_of(relations, column, Sample::default(), SAMPLE_ROWS)?;
        let lists = lists_of(index, rows);
        let threads = if lists > 0 { settings::threads() } else { 1 };
        let workers = Workers::new(threads).map_err(|error| Error::index(error.into()))?;
        let memory = settings::maintenance_memory();
        let build = if lists > 0 && sample.rows() > 0 {
            let kept = memory / 2;
            let wanted = SAMPLED_OF_A_LIST * lists as usize;
            let wanted = wanted.min(kept / sample.row_bytes().max(1)).max(lists as usize);
            let (sample, _) = sample_of(relations, column, Sample::keeping(kept), wanted)?;
            enter_phase(TRAINING);
            let means = Means { lists, rows: rows as u64, memory: memory / 2, workers: &workers };
            Build::with_lists(pages, definition, sample, means)
        } else {
            Build::new(pages, definition, &sample)
        };
        enter_phase(LOADING);
        let reader = Reader::new(column);
        let mut loading = Loading { build: build.map_err(Error::index)?, reader };
        let read = scan_blocks(relations, None, &mut loading);
        enter_phase(FINISHING);
        Ok((read, loading.build.finish().map_err(Error::index)?))
    }
}

/// Takes a sample of a table, of about so many rows; returns with it about how many rows the table has.
///
/// # Safety
/// That of [`scan_blocks`].
unsafe fn sample_of(
    relations: (pg_sys::Relation, pg_sys::Relation, *mut pg_sys::IndexInfo),
    column: Option<FloatColumn>,
    sample: Sample,
    rows: usize,
) -> Result<(Sample, f64), Error> {
    let mut sampling = Sampling { sample, left: 0, seen: 0, reader: Reader::new(column) };
    // SAFETY: by the contract.
    unsafe {
        let blocks = pg_sys::RelationGetNumberOfBlocksInFork(relations.0, pg_sys::ForkNumber::MAIN_FORKNUM);
        let places = blocks.min(SAMPLED_PLACES.max((rows / 16) as u32));
        let rows_a_place = rows.div_ceil(places.max(1) as usize);
        for place in 0..places {
            sampling.left = rows_a_place;
            let block = (u64::from(place) * u64::from(blocks) / u64::from(places)) as u32;
            scan_blocks(relations, Some((block, 1)), &mut sampling);
        }
        let rows = sampling.seen as f64 / f64::from(places.max(1)) * f64::from(blocks);
        Ok((sampling.sample, rows))
    }
}

/// What an index is to be, by its operators and options.
///
/// # Safety
/// `index` must be an open index.
unsafe fn definition_of(index: pg_sys::Relation, column: Option<FloatColumn>) -> Option<Definition> {
    // SAFETY: by the contract.
    unsafe {
        let refine = if column.is_some() { Refine::Floats } else { refine_of(index) };
        Some(Definition { metric: metric_of_index(index)?, refine })
    }
}

/// Makes the empty index that an unlogged one begins with after a crash.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn build_empty(index: pg_sys::Relation) {
    // SAFETY: the server passes an open index.
    unsafe {
        let pages = Buffers::init_fork(index);
        let column = FloatColumn::of_new(index).unwrap_or_else(|error| raise(error));
        let Some(definition) = definition_of(index, column) else { raise(IndexUseError::NoMetric.into()) };
        tq_index::create_unlogged(&pages, definition);
        pages.log_all();
    }
}

/// Lends every row of an index's table that this statement sees, and that the index, whose records have that shape, should have.
///
/// # Safety
/// `index` must be an open index.
#[allow(ffi_unwind_calls)] // behind the boundary
pub(super) unsafe fn compare_with_table(
    index: pg_sys::Relation,
    shape: Option<RecordShape>,
    compare: &mut dyn FnMut(Tid, Option<Value<'_>>),
) -> Result<(), Error> {
    struct Comparing<'a> {
        compare: &'a mut dyn FnMut(Tid, Option<Value<'_>>),
        reader: Reader,
    }
    impl Rows for Comparing<'_> {
        fn row(
            &mut self,
            tid: Tid,
            value: Option<Value<'_>>,
            _: Option<&Arc<Codec>>,
            _: bool,
        ) -> Result<(), Error> {
            (self.compare)(tid, value);
            Ok(())
        }

        fn reader(&mut self) -> &mut Reader {
            &mut self.reader
        }
    }
    // SAFETY: the table of an index that is open can be opened; its access method has the functions. The snapshot was taken before the
    // index was looked at, so that all that it sees was there by then.
    unsafe {
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let heap = pg_sys::table_open((*(*index).rd_index).indrelid, lock);
        let info = pg_sys::BuildIndexInfo(index);
        (*info).ii_Concurrent = true;
        let column = FloatColumn::of(index)?.map(|column| column.as_built(shape));
        let mut rows = Comparing { compare, reader: Reader::new(column) };
        let table = (*heap).rd_tableam;
        if let (Some(begin), Some(range_scan)) = ((*table).scan_begin, (*table).index_build_range_scan) {
            pg_guard_ffi_boundary(|| {
                let flags = pg_sys::ScanOptions::SO_TYPE_SEQSCAN | pg_sys::ScanOptions::SO_ALLOW_STRAT;
                let scan = begin(
                    heap,
                    pg_sys::GetActiveSnapshot(),
                    0,
                    std::ptr::null_mut(),
                    std::ptr::null_mut(),
                    flags,
                );
                range_scan(
                    heap,
                    index,
                    info,
                    false,
                    false,
                    false,
                    0,
                    pg_sys::InvalidBlockNumber,
                    Some(take_row::<Comparing<'_>>),
                    std::ptr::from_mut(&mut rows).cast(),
                    scan,
                );
            });
        }
        pg_sys::table_close(heap, lock);
    }
    Ok(())
}
