//! The utility hook, and the hooks of other extensions around it.
//!
//! A hook that was loaded after this one stands before it, and sees every COPY come and go. One that was loaded earlier
//! stands behind, and would never hear of a COPY that is not passed on, while what ends the chain, PostgreSQL's
//! `standard_ProcessUtility`, can't be given one either: it knows none of our formats. So these hooks get a CALL of
//! `tq_run_copy` in its place, with the COPY's own text, query id and place in the text, and the procedure runs the
//! COPY. They count it, time it, log its text and see its rows, as for example pg_stat_statements does; only what looks
//! at the kind of the statement sees a CALL.

#![allow(unsafe_code)]

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use pgrx::prelude::*;
use pgrx::{PgBox, PgList, pg_sys};
use tq_files::Format;

use crate::server::kept_error::{keeping, rethrow};

use super::{from, statement, to};
use crate::error::{CopyError, Error, raise};

const PROCEDURE: &CStr = c"tq_run_copy";

static mut PREVIOUS: pg_sys::ProcessUtility_hook_type = None;

/// Puts the hook in front of those that are there already; called from `_PG_init`.
pub(crate) fn install() {
    // Its place is taken while there is memory for it.
    WAITING.with_borrow(|_| ());
    // SAFETY: `_PG_init` runs once in a process, in its only thread, before any statement that could reach the hook.
    unsafe {
        PREVIOUS = pg_sys::ProcessUtility_hook;
        pg_sys::ProcessUtility_hook = Some(process_utility);
    }
}

/// A COPY of ours that is to be run. The pointers are those that PostgreSQL passed to the hook.
#[derive(Clone, Copy)]
#[repr(C)]
struct CopyCall {
    format: Format,
    statement: *mut pg_sys::PlannedStmt,
    copy: *const pg_sys::CopyStmt,
    query: *const c_char,
    environment: *mut pg_sys::QueryEnvironment,
    completion: *mut pg_sys::QueryCompletion,
}

impl CopyCall {
    /// Runs the COPY and reports `COPY n`, as `SetQueryCompletion` does.
    ///
    /// # Safety
    /// The pointers must still be valid.
    unsafe fn run(self) -> Result<(), Error> {
        // SAFETY: by the contract; the completion may be null.
        unsafe {
            let rows = match (*self.copy).is_from {
                true => from::run(self.format, self.copy, self.query, self.environment),
                false => to::run(self.format, self.statement, self.copy, self.query),
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
    static WAITING: RefCell<Vec<CopyCall>> = const { RefCell::new(Vec::new()) };
}

/// Keeps a job waiting, until it is taken or its CALL is over in whatever way.
struct WaitingGuard {
    below: usize,
}

impl WaitingGuard {
    fn push(job: CopyCall) -> WaitingGuard {
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

/// What the chain ends with for a COPY of ours: the procedure `tq_run_copy`, which nobody else can use. Like the hook it
/// holds nothing, so that a kept error may jump over it.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn tq_run_copy(_call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the error comes from a guarded function, which has dropped all it held.
    unsafe { rethrow(run_waiting()) }
    pg_sys::Datum::null()
}

/// What PostgreSQL asks a library about a function: version 1 of calling it.
#[unsafe(no_mangle)]
extern "C" fn pg_finfo_tq_run_copy() -> *const pg_sys::Pg_finfo_record {
    const RECORD: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &RECORD
}

/// Runs the COPY that waits; returns the error to be raised again, or null.
#[pg_guard]
unsafe extern "C-unwind" fn run_waiting() -> *mut pg_sys::ErrorData {
    match WAITING.with_borrow_mut(Vec::pop) {
        // SAFETY: the hook that left the job is still on the stack below, and with it what PostgreSQL passed to it.
        Some(job) => outcome(unsafe { job.run() }),
        None => raise(Error::Copy(CopyError::RunCopyCalled)),
    }
}

/// Raises an error of ours; returns one of PostgreSQL's to be raised again, or null.
fn outcome(result: Result<(), Error>) -> *mut pg_sys::ErrorData {
    match result {
        Ok(()) => ptr::null_mut(),
        Err(Error::Kept(error)) => error.into_raw(),
        Err(error) => raise(error),
    }
}

unsafe extern "C-unwind" {
    // pgrx's own binding puts its guard around the call, see `process_utility`.
    fn standard_ProcessUtility(
        statement: *mut pg_sys::PlannedStmt,
        query: *const c_char,
        read_only_tree: bool,
        context: pg_sys::ProcessUtilityContext::Type,
        parameters: pg_sys::ParamListInfo,
        environment: *mut pg_sys::QueryEnvironment,
        destination: *mut pg_sys::DestReceiver,
        completion: *mut pg_sys::QueryCompletion,
    );
}

/// The hook. It has no guard of pgrx's around it, and puts none around what it passes on: an error of somebody else's
/// statement would come out of one without its cursor position and the names of table, column and constraint. So it must
/// hold nothing that is to be dropped when such an error jumps over it, and must not panic.
#[allow(clippy::too_many_arguments)] // as PostgreSQL defines the hook
#[allow(ffi_unwind_calls)] // no frame of ours below it holds anything
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
    // SAFETY: PostgreSQL passes a valid statement; all arguments go on as they came.
    unsafe {
        let next = PREVIOUS.unwrap_or(standard_ProcessUtility);
        match format_of(statement) {
            None => next(
                statement,
                query,
                read_only_tree,
                context,
                parameters,
                environment,
                destination,
                completion,
            ),
            Some(format) => {
                let copy = (*statement).utilityStmt.cast::<pg_sys::CopyStmt>();
                let job = CopyCall { format, statement, copy, query, environment, completion };
                rethrow(copy_of_ours(job, read_only_tree, context, parameters, destination));
            }
        }
    }
}

/// The format of a statement that is a COPY of ours.
///
/// # Safety
/// `statement` must be a valid utility statement.
unsafe fn format_of(statement: *const pg_sys::PlannedStmt) -> Option<Format> {
    // SAFETY: by the contract; the node's tag says that it is a COPY.
    unsafe {
        let node = (*statement).utilityStmt;
        if !pgrx::is_a(node, pg_sys::NodeTag::T_CopyStmt) {
            return None;
        }
        statement::copy_format(node.cast())
    }
}

/// Runs a COPY of ours, below the hooks that are behind this one; returns the error to be raised again, or null.
#[pg_guard]
#[allow(ffi_unwind_calls)] // another library's hook, whose errors are kept
unsafe extern "C-unwind" fn copy_of_ours(
    job: CopyCall,
    read_only_tree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    parameters: pg_sys::ParamListInfo,
    destination: *mut pg_sys::DestReceiver,
) -> *mut pg_sys::ErrorData {
    // SAFETY: the job has what PostgreSQL passed to the hook, which is still running.
    unsafe {
        let next = PREVIOUS.and_then(|next| Some((next, procedure()?)));
        // Nobody to tell, or no extension in this database: then the COPY says what is missing.
        let Some((next, procedure)) = next else { return outcome(job.run()) };
        let waiting = WaitingGuard::push(job);
        let call = call(job.statement, procedure);
        let passed = keeping(|| {
            next(
                call,
                job.query,
                read_only_tree,
                context,
                parameters,
                job.environment,
                destination,
                job.completion,
            );
        });
        drop(waiting);
        outcome(passed.map_err(Error::from))
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
