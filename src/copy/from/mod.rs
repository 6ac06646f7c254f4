//! COPY FROM: PostgreSQL's own, reading binary COPY data that [`crate::copy::from::source`] makes from the mapped file.
//!
//! Mirrors `DoCopy` (commands/copy.c) step by step: the rights to server files, the relation and its lock, the
//! WHERE clause, the rights to the columns, row-level security, read-only transactions. Defaults, generated
//! columns, triggers, constraints, partitions, FREEZE, WAL and progress are core's `CopyFrom`.

#![allow(unsafe_code)]

mod condition;
pub(crate) mod corpus_rows;
mod data;
pub(crate) mod float_rows;
pub(crate) mod function;
pub(crate) mod own_encoding;
pub(crate) mod plan;
pub(crate) mod receive;
pub(crate) mod rejects;
pub(crate) mod source;
pub(crate) mod tolerant;
use std::ffi::{CStr, c_char};
use std::path::Path;
use std::ptr;

use pgrx::{PgList, pg_sys};
use tq_files::{Corpus, Format};
use tq_format::CorpusHeader;

use self::condition::transform_where;
use self::corpus_rows::CorpusSource;
use self::float_rows::FloatSource;
use self::plan::{LoadPlan, RecordColumn, id_column};
use self::receive::receive;
use self::rejects::FileRejects;
use self::source::{RowSource, SourceGuard, read_callback};
use super::columns::TargetColumns;
use super::ids::Origin;
use super::statement::{Endpoint, Statement};
use crate::datum::vector_type::VectorType;
use crate::error::{CopyError, Error, notice};
use crate::formats::{Matrix, check_content, open_ids, open_matrix};
use crate::server::file_access;
use crate::server::file_access::FileAccess;
use crate::server::kept_error::keeping;
use crate::server::pg_compat;

// Called without pgrx's guard, so that their errors stay as they are.
unsafe extern "C-unwind" {
    fn BeginCopyFrom(
        parse: *mut pg_sys::ParseState,
        relation: pg_sys::Relation,
        condition: *mut pg_sys::Node,
        filename: *const c_char,
        is_program: bool,
        source: pg_sys::copy_data_source_cb,
        attlist: *mut pg_sys::List,
        options: *mut pg_sys::List,
    ) -> pg_sys::CopyFromState;
    fn CopyFrom(state: pg_sys::CopyFromState) -> u64;
    fn EndCopyFrom(state: pg_sys::CopyFromState);
}

/// Runs a COPY of ours; returns the number of rows.
///
/// # Safety
/// `copy`, `query` and `environment` must be what PostgreSQL passed to the utility hook.
pub(crate) unsafe fn run(
    format: Format,
    copy: *const pg_sys::CopyStmt,
    query: *const c_char,
    environment: *mut pg_sys::QueryEnvironment,
) -> Result<u64, Error> {
    // SAFETY: the statement is the parser's, valid for the whole call; every PostgreSQL function is called as DoCopy
    // calls it, and raises its errors by unwinding through here.
    unsafe {
        // standard_ProcessUtility's checks for a command that writes.
        pg_sys::PreventCommandIfParallelMode(c"COPY".as_ptr());
        pg_sys::PreventCommandDuringRecovery(c"COPY".as_ptr());
        let statement = Statement::parse(format, copy)?;
        if matches!(statement.endpoint, Endpoint::File(_)) {
            file_access::require(FileAccess::Read, "COPY from a file")?;
        }

        let lock = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;
        let relation = pg_sys::table_openrv((*copy).relation, lock);
        let parse = pg_sys::make_parsestate(ptr::null_mut());
        (*parse).p_sourcetext = query;
        (*parse).p_queryEnv = environment;
        let item =
            pg_sys::addRangeTableEntryForRelation(parse, relation, lock, ptr::null_mut(), false, false);
        pg_compat::ask_for_insert(item);
        let condition = transform_where(parse, item, relation, (*copy).whereClause)?;

        let attributes = pg_sys::CopyGetAttnums((*relation).rd_att, relation, (*copy).attlist);
        let numbers: Vec<i32> = PgList::<i32>::from_pg(attributes).iter_int().collect();
        let offset = pg_sys::FirstLowInvalidHeapAttributeNumber;
        pg_compat::check_permissions(parse, item, numbers.iter().map(|number| number - offset));
        if pg_sys::check_enable_rls((*relation).rd_id, pg_sys::InvalidOid, false)
            == pg_sys::CheckEnableRlsResult::RLS_ENABLED as i32
        {
            return Err(Error::Copy(CopyError::FromRowSecurity));
        }
        if pg_sys::XactReadOnly && !(*relation).rd_islocaltemp {
            pg_sys::PreventCommandIfReadOnly(c"COPY FROM".as_ptr());
        }

        let columns = TargetColumns::find(format, relation, &numbers)?;
        let rejects = FileRejects::parse(&statement, &columns.vector.name)?;
        let rows = load(&statement, parse, relation, condition, (*copy).attlist, columns, rejects)?;
        pg_sys::table_close(relation, pg_sys::NoLock as pg_sys::LOCKMODE);
        pg_sys::free_parsestate(parse);
        Ok(rows)
    }
}

/// Opens the file, checks it against the columns and hands it to core.
///
/// # Safety
/// As for [`run`]; `relation` must be open and `parse` its parse state.
#[allow(ffi_unwind_calls)] // in `keeping`, which ends the jump
unsafe fn load(
    statement: &Statement,
    parse: *mut pg_sys::ParseState,
    relation: pg_sys::Relation,
    condition: *mut pg_sys::Node,
    attlist: *mut pg_sys::List,
    columns: TargetColumns,
    rejects: Option<FileRejects>,
) -> Result<u64, Error> {
    let received = match statement.endpoint {
        Endpoint::File(_) => None,
        Endpoint::Client => Some(receive(statement.format.name(), 1 + usize::from(columns.id.is_some()))?),
    };
    // What messages call it, and where it is.
    let (path, place) = match (&statement.endpoint, &received) {
        (Endpoint::File(path), _) => (path.as_path(), path.as_path()),
        (Endpoint::Client, received) => {
            (Path::new("STDIN"), received.as_ref().map_or(Path::new(""), |received| &received.path))
        }
    };
    let attlist = match columns.id {
        Some(_) => columns.list()?,
        None => attlist,
    };
    let FileRows { rows, unknown_codec } = open(statement, path, place, columns, rejects)?;

    let bytes = rows.bytes();
    let guard = SourceGuard::push(rows)?;
    // SAFETY: the callback reads from the source that `guard` keeps on the stack until this function is left, in
    // whichever way.
    let rows = unsafe {
        let options = core_options(statement);
        let callback: pg_sys::copy_data_source_cb = Some(read_callback);
        let state = keeping(|| {
            BeginCopyFrom(parse, relation, condition, ptr::null(), false, callback, attlist, options)
        })?;
        pg_sys::pgstat_progress_update_param(pg_sys::PROGRESS_COPY_BYTES_TOTAL as i32, bytes as i64);
        let copied = keeping(|| {
            let rows = CopyFrom(state);
            EndCopyFrom(state);
            rows
        });
        guard.leave_encoding();
        copied?
    };
    guard.finish();
    if let Some(received) = received {
        received.finish();
    }
    if let Some((header, described)) = unknown_codec {
        notify_unknown_codec(path, &header, described);
    }
    Ok(rows)
}

/// A file that is ready to be read.
struct FileRows {
    rows: Box<dyn RowSource>,
    /// The header of a corpus whose codec is not known here, and whether it describes it.
    unknown_codec: Option<(CorpusHeader, bool)>,
}

fn open(
    statement: &Statement,
    path: &Path,
    place: &Path,
    columns: TargetColumns,
    rejects: Option<FileRejects>,
) -> Result<FileRows, Error> {
    check_content(statement.format, path, place)?;
    let TargetColumns { vector, id } = columns;
    if let (Format::Tqcv, VectorType::Tqvec(typmod)) = (statement.format, vector.kind) {
        let corpus = Corpus::open(place).map_err(|source| Error::CorpusFile { path: path.into(), source })?;
        let cloned = corpus.header().try_clone();
        let header =
            cloned.map_err(|source| Error::CorpusFile { path: path.into(), source: source.into() })?;
        let column = RecordColumn { name: &vector.name, typmod };
        let plan = LoadPlan::make(statement, path, &header, &column, id)?;
        return Ok(FileRows {
            rows: Box::new(CorpusSource::new(path.into(), corpus, plan.rows, rejects)),
            unknown_codec: plan.unknown_codec.then_some((header, plan.described)),
        });
    }
    let Matrix { reader, bytes, ids, .. } =
        open_matrix(statement.format, &statement.options, path, place, "TENSOR")?;
    let named = match &id {
        Some(_) => open_ids(statement.format, &statement.options, path, place, reader.rows(), "IDS_TENSOR")?,
        None => None,
    };
    let ids = named.or(ids).map(Origin::Index);
    let id = id_column(statement, path, ids, id)?;
    let rows = FloatSource::new(statement, path, reader, bytes, &vector, id, rejects)?;
    Ok(FileRows { rows: Box::new(rows), unknown_codec: None })
}

/// The options that core's COPY gets: binary, and what the user said that concerns core.
///
/// # Safety
/// Must run in a backend, which allocates the nodes.
unsafe fn core_options(statement: &Statement) -> *mut pg_sys::List {
    // SAFETY: nodes are made in the current memory context; names and values are copied or static.
    unsafe {
        let option = |name: &CStr, value: &CStr| {
            let value = pg_sys::makeString(pg_sys::pstrdup(value.as_ptr()));
            pg_sys::makeDefElem(pg_sys::pstrdup(name.as_ptr()), value.cast(), -1)
        };
        let mut options = PgList::<pg_sys::DefElem>::new();
        options.push(option(c"format", c"binary"));
        if statement.options.flag("freeze") {
            options.push(option(c"freeze", c"true"));
        }
        options.into_pg()
    }
}

/// A codec that is not known here does no harm to the load, but the user will want to know.
fn notify_unknown_codec(path: &Path, header: &CorpusHeader, described: bool) {
    let hint = if described {
        "The file describes it; to register it, load it once as a role with INSERT on tq_codec, and not in a read-only transaction."
    } else {
        "Register it with tq_create_codec, giving the seed and codebook that the file was made with, or with tq_import_codec."
    };
    notice(
        format!("codec with config_hash \"{}\" is not registered", header.config_hash.escape_debug()),
        Some(format!(
            "The records of \"{}\" are loaded, and can be stored, copied and compared for equality, but not decoded.",
            path.display()
        )),
        Some(hint.into()),
    );
}
