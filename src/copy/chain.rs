//! The utility hook, and the hooks of other extensions around it.
//!
//! A hook that was loaded after this one stands before it, and sees every COPY come and go. One that was loaded earlier
//! stands behind, and would never hear of a COPY that is not passed on, while what ends the chain, PostgreSQL's
//! `standard_ProcessUtility`, can't be given one either: it knows none of our formats. So these hooks get a CALL of
//! [`tq_run_copy`] in its place, with the COPY's own text, query id and place in the text, and the procedure runs the
//! COPY. They count it, time it, log its text and see its rows, as for example pg_stat_statements does; only what looks
//! at the kind of the statement sees a CALL.

#![allow(unsafe_code)]

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use pgrx::prelude::*;
use pgrx::{PgBox, PgList, pg_sys};

use super::statement::Format;
use super::{export, import};
use crate::error::{Error, SqlResult, raise};

const PROCEDURE: &CStr = c"tq_run_copy";

static mut PREVIOUS: pg_sys::ProcessUtility_hook_type = None;

/// Puts the hook in front of those that are there already; called from `_PG_init`.
pub(super) fn install() {
    // SAFETY: `_PG_init` runs once in a process, in its only thread, before any statement that could reach the hook.
    unsafe {
        PREVIOUS = pg_sys::ProcessUtility_hook;
        pg_sys::ProcessUtility_hook = Some(process_utility);
    }
}

/// A COPY of ours that is to be run. The pointers are those that PostgreSQL passed to the hook.
#[derive(Clone, Copy)]
struct Job {
    format: Format,
    statement: *mut pg_sys::PlannedStmt,
    copy: *const pg_sys::CopyStmt,
    query: *const c_char,
    environment: *mut pg_sys::QueryEnvironment,
    completion: *mut pg_sys::QueryCompletion,
}

impl Job {
    /// Runs the COPY and reports `COPY n`, as `SetQueryCompletion` does.
    ///
    /// # Safety
    /// The pointers must still be valid.
    unsafe fn run(self) -> Result<(), Error> {
        // SAFETY: by the contract; the completion may be null.
        unsafe {
            let rows = match (*self.copy).is_from {
                true => import::run(self.format, self.copy, self.query, self.environment),
                false => export::run(self.format, self.statement, self.copy, self.query),
            }?;
            if let Some(completion) = self.completion.as_mut() {
                completion.commandTag = pg_sys::CommandTag::CMDTAG_COPY;
                completion.nprocessed = rows;
            }
        }
        Ok(())
    }
}

thread_local! {
    /// The COPYs that wait for their CALL to arrive at the end of the chain. A hook may run a statement of its own,
    /// even a COPY, before it passes on what it was given, so they form a stack.
    static WAITING: RefCell<Vec<Job>> = const { RefCell::new(Vec::new()) };
}

/// Keeps a job waiting, until it is taken or its CALL is over in whatever way.
struct WaitingGuard {
    below: usize,
}

impl WaitingGuard {
    fn push(job: Job) -> WaitingGuard {
        WAITING.with_borrow_mut(|waiting| {
            waiting.push(job);
            WaitingGuard { below: waiting.len() - 1 }
        })
    }
}

impl Drop for WaitingGuard {
    fn drop(&mut self) {
        WAITING.with_borrow_mut(|waiting| waiting.truncate(self.below));
    }
}

/// What the chain ends with for a COPY of ours; nobody else can use it.
#[pg_extern(sql = false)]
fn tq_run_copy() -> SqlResult<()> {
    match WAITING.with_borrow_mut(Vec::pop) {
        // SAFETY: the hook that left the job is still on the stack below, and with it what PostgreSQL passed to it.
        Some(job) => Ok(unsafe { job.run() }?),
        None => Err(Error::RunCopyCalled)?,
    }
}

#[pg_guard]
#[allow(clippy::too_many_arguments)] // as PostgreSQL defines the hook
unsafe extern "C-unwind" fn process_utility(
    statement: *mut pg_sys::PlannedStmt,
    query: *const c_char,
    read_only_tree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    parameters: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    let on = |statement: *mut pg_sys::PlannedStmt| {
        // SAFETY: the arguments are those that PostgreSQL passed, but perhaps for a statement of the same life.
        unsafe {
            pass_on(
                statement,
                query,
                read_only_tree,
                context,
                parameters,
                environment,
                destination,
                completion,
            );
        }
    };
    // SAFETY: PostgreSQL passes a valid statement.
    unsafe {
        let node = (*statement).utilityStmt;
        if !pgrx::is_a(node, pg_sys::NodeTag::T_CopyStmt) {
            return on(statement);
        }
        let copy = node.cast::<pg_sys::CopyStmt>();
        let Some(format) = Format::of(copy) else { return on(statement) };
        let job = Job { format, statement, copy, query, environment, completion };
        let others = PREVIOUS;
        let procedure = others.and_then(|_| procedure());
        match procedure {
            Some(procedure) => {
                let waiting = WaitingGuard::push(job);
                on(call(statement, procedure));
                drop(waiting);
            }
            // Nobody to tell, or no extension in this database: then the COPY says what is missing.
            None => {
                if let Err(error) = job.run() {
                    raise(error);
                }
            }
        }
    }
}

/// Calls the next hook, or what PostgreSQL does without any.
///
/// # Safety
/// The arguments must be such as PostgreSQL passes to the hook.
#[allow(clippy::too_many_arguments)] // as PostgreSQL defines the hook
#[allow(ffi_unwind_calls)] // another library's hook, called inside pgrx's guard
unsafe fn pass_on(
    statement: *mut pg_sys::PlannedStmt,
    query: *const c_char,
    read_only_tree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    parameters: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: by the contract. Another's hook goes through pgrx's guard, as every call into the server: an error below
    // must unwind the frames above.
    unsafe {
        match PREVIOUS {
            Some(next) => pg_sys::ffi::pg_guard_ffi_boundary(|| {
                next(
                    statement,
                    query,
                    read_only_tree,
                    context,
                    parameters,
                    environment,
                    destination,
                    completion,
                );
            }),
            None => pg_sys::standard_ProcessUtility(
                statement,
                query,
                read_only_tree,
                context,
                parameters,
                environment,
                destination,
                completion,
            ),
        }
    }
}

/// The procedure's OID in this database, if the extension is there.
fn procedure() -> Option<pg_sys::Oid> {
    // SAFETY: catalog look-ups in a transaction. The list has as many members as it says, each with a tuple of pg_proc,
    // and is released when nothing of it is in use any more; an error in between releases it with the transaction.
    unsafe {
        let extension = pg_sys::get_extension_oid(c"tinyquant".as_ptr(), true);
        if extension == pg_sys::InvalidOid {
            return None;
        }
        let cache = pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as c_int;
        let (name, none) = (pg_sys::Datum::from(PROCEDURE.as_ptr()), pg_sys::Datum::from(0));
        let list = pg_sys::SearchSysCacheList(cache, 1, name, none, none);
        let oids: Vec<pg_sys::Oid> = (*list)
            .members
            .as_slice((*list).n_members as usize)
            .iter()
            .map(|member| {
                let tuple = &raw mut (**member).tuple;
                (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_proc>()).oid
            })
            .collect();
        pg_sys::ReleaseCatCacheList(list);
        oids.into_iter()
            .find(|oid| pg_sys::getExtensionOfObject(pg_sys::ProcedureRelationId, *oid) == extension)
    }
}

/// A statement like `statement` that calls `procedure` in its stead.
///
/// # Safety
/// `statement` must be valid; the new one shares what it refers to, and lives in the current memory context.
unsafe fn call(statement: *mut pg_sys::PlannedStmt, procedure: pg_sys::Oid) -> *mut pg_sys::PlannedStmt {
    // SAFETY: nodes are made in the current memory context; a shallow copy of a node is a node.
    unsafe {
        let mut names = PgList::<pg_sys::Node>::new();
        names.push(pg_sys::makeString(pg_sys::pstrdup(PROCEDURE.as_ptr())).cast());
        let form = pg_sys::CoercionForm::COERCE_EXPLICIT_CALL;
        let mut expression = PgBox::<pg_sys::FuncExpr>::alloc_node(pg_sys::NodeTag::T_FuncExpr);
        expression.funcid = procedure;
        expression.funcresulttype = pg_sys::VOIDOID;
        expression.funcformat = form;
        expression.location = -1;
        let mut call = PgBox::<pg_sys::CallStmt>::alloc_node(pg_sys::NodeTag::T_CallStmt);
        call.funccall = pg_sys::makeFuncCall(names.into_pg(), ptr::null_mut(), form, -1 as c_int);
        call.funcexpr = expression.into_pg();
        let mut proxy = PgBox::<pg_sys::PlannedStmt>::alloc_node(pg_sys::NodeTag::T_PlannedStmt);
        *proxy = *statement;
        proxy.utilityStmt = call.into_pg().cast();
        proxy.into_pg()
    }
}
