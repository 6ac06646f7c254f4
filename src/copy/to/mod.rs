//! COPY TO: an ordinary query, planned and run by PostgreSQL, whose rows go into a corpus.
//!
//! Mirrors `DoCopy`, `BeginCopyTo` and `DoCopyTo` (commands/copy.c, copyto.c). A relation is turned into a SELECT from
//! it in every case, as core does where row security applies: so views and partitioned tables work, and the rights are
//! those that any SELECT asks for.

#![allow(unsafe_code)]

pub(crate) mod client;
pub(crate) mod corpus_sink;
pub(crate) mod float_sink;
pub(crate) mod function;
pub(crate) mod receiver;
pub(crate) mod set_aside;
pub(crate) mod spool;
use std::ffi::{c_char, c_int};
use std::ptr;

use pgrx::{PgBox, PgList, PgRelation, PgTupleDesc, pg_sys};
use tq_files::Format;

use self::corpus_sink::{CorpusSink, ExportSpec};
use self::float_sink::FloatSink;
use self::receiver::{Receiver, RowSink};
use super::columns::{holds, type_name, wanted_types};
use super::ids::IdType;
use super::ids::builder::IdsBuilder;
use super::statement::{Endpoint, Statement};
use crate::datum::vector_type::VectorType;
use crate::error::{CopyError, Error};
use crate::formats::checked_metadata;
use crate::registry;
use crate::server::file_access;
use crate::server::file_access::FileAccess;
use crate::server::kept_error::keeping;
use crate::server::names::catalog_name;
use crate::server::pg_compat;

// Called without pgrx's guard, so that their errors stay as they are.
unsafe extern "C-unwind" {
    fn pg_analyze_and_rewrite_fixedparams(
        parsed: *mut pg_sys::RawStmt,
        query: *const c_char,
        types: *const pg_sys::Oid,
        count: c_int,
        environment: *mut pg_sys::QueryEnvironment,
    ) -> *mut pg_sys::List;
    fn pg_plan_query(
        query: *mut pg_sys::Query,
        text: *const c_char,
        options: c_int,
        parameters: pg_sys::ParamListInfo,
    ) -> *mut pg_sys::PlannedStmt;
    fn ExecutorStart(description: *mut pg_sys::QueryDesc, flags: c_int);
}

/// Runs a COPY TO of ours; returns the number of rows.
///
/// # Safety
/// `planned` must be the statement that PostgreSQL passed to the utility hook, and hold `copy`; `query` its text.
pub(crate) unsafe fn run(
    format: Format,
    planned: *const pg_sys::PlannedStmt,
    copy: *const pg_sys::CopyStmt,
    query: *const c_char,
) -> Result<u64, Error> {
    // SAFETY: the statement is the parser's, valid for the whole call; every PostgreSQL function is called as core
    // calls it, and raises its errors by unwinding through here. Nothing here calls the server when it does.
    unsafe {
        let statement = Statement::parse(format, copy)?;
        if let Endpoint::File(_) = &statement.endpoint {
            file_access::require(FileAccess::Write, "COPY to a file")?;
        }
        let raw = PgBox::<pg_sys::RawStmt>::alloc_node(pg_sys::NodeTag::T_RawStmt).into_pg();
        (*raw).stmt_location = (*planned).stmt_location;
        (*raw).stmt_len = (*planned).stmt_len;
        let mut relation = ptr::null_mut();
        if (*copy).relation.is_null() {
            if !pgrx::is_a((*copy).query, pg_sys::NodeTag::T_SelectStmt) {
                return Err(unsupported(format, "a query other than SELECT and VALUES"));
            }
            (*raw).stmt = pg_sys::copyObjectImpl((*copy).query.cast()).cast();
        } else {
            relation = pg_sys::table_openrv((*copy).relation, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
            (*raw).stmt = select_from(relation, (*copy).attlist).cast();
        }
        let relation_oid = if relation.is_null() { pg_sys::InvalidOid } else { (*relation).rd_id };
        let description = start(format, raw, query, relation_oid)?;

        let columns = ResultColumns::find(format, (*description).tupDesc)?;
        let kind = match &statement.endpoint {
            Endpoint::File(_) => pg_sys::PROGRESS_COPY_TYPE_FILE,
            Endpoint::Client => pg_sys::PROGRESS_COPY_TYPE_PIPE,
        };
        let (vector, id) = (columns.vector, columns.id.as_ref().map(|(index, _)| *index));
        let expected = (*(*(*description).plannedstmt).planTree).plan_rows;
        let mut receiver = Receiver::new(sink(&statement, columns)?, vector, id, expected);
        (*description).dest = receiver.as_dest();
        start_progress(relation_oid, kind);
        keeping(|| pg_compat::executor_run(description))?;
        receiver.report_end();

        pg_sys::ExecutorFinish(description);
        pg_sys::ExecutorEnd(description);
        pg_sys::FreeQueryDesc(description);
        pg_sys::PopActiveSnapshot();
        let rows = receiver.into_sink().finish()?;
        if !relation.is_null() {
            pg_sys::table_close(relation, pg_sys::NoLock as pg_sys::LOCKMODE);
        }
        pg_sys::pgstat_progress_end_command();
        Ok(rows)
    }
}

/// `SELECT columns FROM [ONLY] relation`: the columns that the statement names, or all that aren't generated.
///
/// # Safety
/// `relation` must be open, `attlist` the column list of a COPY from the parser.
unsafe fn select_from(relation: pg_sys::Relation, attlist: *mut pg_sys::List) -> *mut pg_sys::SelectStmt {
    // SAFETY: nodes are made in the current memory context, with names that are copied there.
    unsafe {
        let descriptor = (*relation).rd_att;
        let numbers = pg_sys::CopyGetAttnums(descriptor, relation, attlist);
        let open = PgRelation::from_pg(relation);
        let columns = open.tuple_desc();
        let mut targets = PgList::<pg_sys::ResTarget>::new();
        for number in PgList::<c_int>::from_pg(numbers).iter_int() {
            let Some(attribute) = columns.get(number as usize - 1) else { continue };
            let name = pg_sys::pstrdup(attribute.attname.data.as_ptr());
            let mut fields = PgList::<pg_sys::Node>::new();
            fields.push(pg_sys::makeString(name).cast());
            let mut reference = PgBox::<pg_sys::ColumnRef>::alloc_node(pg_sys::NodeTag::T_ColumnRef);
            reference.fields = fields.into_pg();
            reference.location = -1;
            let mut target = PgBox::<pg_sys::ResTarget>::alloc_node(pg_sys::NodeTag::T_ResTarget);
            target.val = reference.into_pg().cast();
            target.location = -1;
            targets.push(target.into_pg());
        }
        let class = (*relation).rd_rel;
        let from = pg_sys::makeRangeVar(
            pg_sys::get_namespace_name((*class).relnamespace),
            pg_sys::pstrdup((*class).relname.data.as_ptr()),
            -1,
        );
        // As core's COPY, which leaves the rows of a table's children out; those of partitions are the table's own.
        (*from).inh = (*class).relkind as u8 == pg_sys::RELKIND_PARTITIONED_TABLE;
        let mut sources = PgList::<pg_sys::RangeVar>::new();
        sources.push(from);
        let mut select = PgBox::<pg_sys::SelectStmt>::alloc_node(pg_sys::NodeTag::T_SelectStmt);
        select.targetList = targets.into_pg();
        select.fromClause = sources.into_pg();
        select.into_pg()
    }
}

/// Plans the query and starts the executor on it. Its receiver is still to be set.
///
/// # Safety
/// `raw` must be a SELECT that nobody else uses, `query` the text that it came from; `relation` the relation that it
/// stands for, or invalid.
#[allow(ffi_unwind_calls)] // in `keeping`, which ends the jump
unsafe fn start(
    format: Format,
    raw: *mut pg_sys::RawStmt,
    query: *const c_char,
    relation: pg_sys::Oid,
) -> Result<*mut pg_sys::QueryDesc, Error> {
    // SAFETY: as BeginCopyTo does it, with what it does it with.
    unsafe {
        let rewritten =
            keeping(|| pg_analyze_and_rewrite_fixedparams(raw, query, ptr::null(), 0, ptr::null_mut()))?;
        let rewritten = PgList::<pg_sys::Query>::from_pg(rewritten);
        let select = match rewritten.get_ptr(0) {
            Some(select) if rewritten.len() == 1 => select,
            _ => return Err(unsupported(format, "a query that rules make several of")),
        };
        // SELECT INTO is a SELECT to the parser alone.
        if (*select).commandType != pg_sys::CmdType::CMD_SELECT || !(*select).utilityStmt.is_null() {
            return Err(unsupported(format, "SELECT INTO"));
        }
        let options = pg_sys::CURSOR_OPT_PARALLEL_OK as c_int;
        let plan = keeping(|| pg_plan_query(select, query, options, ptr::null_mut()))?;
        // The name was looked up again, and may by now be another relation's.
        if relation != pg_sys::InvalidOid
            && !PgList::<pg_sys::Oid>::from_pg((*plan).relationOids).iter_oid().any(|oid| oid == relation)
        {
            return Err(Error::Copy(CopyError::ExportRelationChanged));
        }
        pg_sys::PushCopiedSnapshot(pg_sys::GetActiveSnapshot());
        pg_sys::UpdateActiveSnapshotCommandId();
        let nowhere = pg_sys::CreateDestReceiver(pg_sys::CommandDest::DestNone);
        let description = pg_sys::CreateQueryDesc(
            plan,
            query,
            pg_sys::GetActiveSnapshot(),
            ptr::null_mut(),
            nowhere,
            ptr::null_mut(),
            ptr::null_mut(),
            0,
        );
        keeping(|| ExecutorStart(description, 0))?;
        Ok(description)
    }
}

/// Begins the row of `pg_stat_progress_copy`.
fn start_progress(relation: pg_sys::Oid, kind: u32) {
    // SAFETY: writes into this backend's status entry.
    unsafe {
        pg_sys::pgstat_progress_start_command(pg_sys::ProgressCommandType::PROGRESS_COMMAND_COPY, relation);
        for (what, value) in [
            (pg_sys::PROGRESS_COPY_COMMAND, pg_sys::PROGRESS_COPY_COMMAND_TO),
            (pg_sys::PROGRESS_COPY_TYPE, kind),
        ] {
            pg_sys::pgstat_progress_update_param(what as c_int, i64::from(value));
        }
    }
}

/// What writes the rows, by the statement's format.
fn sink(statement: &Statement, columns: ResultColumns) -> Result<Box<dyn RowSink>, Error> {
    let ids = columns.id.map(|(_, ids)| ids);
    match (statement.format, columns.kind) {
        (Format::Tqcv, VectorType::Tqvec(typmod)) => {
            let spec = ExportSpec {
                codec: statement.options.text("codec").map(registry::definition).transpose()?,
                empty: match typmod.codec() {
                    Some(prefix) => Some(registry::by_prefix(prefix)?.definition()?),
                    None => typmod.builtin_codec()?,
                },
                user: statement.options.text("metadata").map(checked_metadata).transpose()?,
            };
            let columns = 1 + usize::from(ids.is_some());
            Ok(Box::new(CorpusSink::new(statement, spec, ids.and_then(IdsBuilder::new), columns)?))
        }
        // All others are files of floats.
        (_, kind) => Ok(Box::new(FloatSink::new(statement, kind, ids)?)),
    }
}

/// The columns of the query's result.
struct ResultColumns {
    vector: usize,
    kind: VectorType,
    id: Option<(usize, IdType)>,
}

impl ResultColumns {
    /// # Safety
    /// `descriptor` must be the result's.
    unsafe fn find(format: Format, descriptor: pg_sys::TupleDesc) -> Result<ResultColumns, Error> {
        // SAFETY: the descriptor lives as long as the executor's state, which this borrows it from.
        let descriptor = unsafe { PgTupleDesc::from_pg_unchecked(descriptor) };
        let mut vectors = Vec::new();
        let mut others = Vec::new();
        for (index, attribute) in descriptor.iter().enumerate() {
            match VectorType::of(attribute.atttypid, attribute.atttypmod) {
                Some(kind) if holds(format, kind) => vectors.push((index, kind)),
                _ => others.push((index, attribute)),
            }
        }
        let (wanted, ids) = (wanted_types(format), format.has_ids());
        let wrong = |got: String| {
            Err(Error::Copy(CopyError::ExportColumns { format: format.name(), wanted, ids, got }))
        };
        match (vectors.as_slice(), others.as_slice()) {
            ([], [(_, attribute)]) => Err(Error::Copy(CopyError::ColumnType {
                column: catalog_name(&attribute.attname)?,
                got: type_name(attribute.atttypid),
                wanted,
            })),
            ([], []) => wrong("there are none".into()),
            ([], _) => wrong(format!("none of the {} columns is of that type", others.len())),
            ([(vector, kind)], []) => Ok(ResultColumns { vector: *vector, kind: *kind, id: None }),
            ([(vector, kind)], [(id, attribute)]) if ids => {
                match IdType::exported(format, attribute.atttypid) {
                    Some(id_type) => {
                        Ok(ResultColumns { vector: *vector, kind: *kind, id: Some((*id, id_type)) })
                    }
                    None => Err(Error::Copy(CopyError::ExportIdType {
                        column: catalog_name(&attribute.attname)?,
                        got: type_name(attribute.atttypid),
                    })),
                }
            }
            ([_], [_]) => wrong("there is another".into()),
            ([_], _) => wrong(format!("there are {} others", others.len())),
            (_, _) => wrong(format!("{} are of that type", vectors.len())),
        }
    }
}

fn unsupported(format: Format, what: &str) -> Error {
    Error::Copy(CopyError::Unsupported {
        format: format.name(),
        what: what.into(),
        hint: Some("COPY TO takes a SELECT."),
    })
}
