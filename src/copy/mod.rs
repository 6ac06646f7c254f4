//! `COPY … WITH (FORMAT tqcv)`, and `tq_import` and `tq_export`, which run it.
//!
//! A utility hook looks at every COPY's parse tree. One whose `format` option names a format of ours is taken; any
//! other goes on to whoever is next, untouched. Taking means doing what core's `DoCopy` does, with core's own
//! functions: feeding its binary COPY from the mapped file ([`import`], [`source`]), or running a query into a file
//! that appears whole or not at all ([`export`], [`writer`]).

#![allow(unsafe_code)]

mod client;
mod columns;
mod export;
mod export_function;
mod function;
mod ids;
mod ids_builder;
mod import;
mod plan;
mod receive;
mod receiver;
mod source;
mod spool;
mod statement;
mod writer;

use std::ffi::c_char;

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::error::raise;

pgrx::extension_sql_file!("copy.sql", name = "copy", requires = ["vector"]);

static mut PREVIOUS_HOOK: pg_sys::ProcessUtility_hook_type = None;

/// Puts the hook in front of those that are there already; called from `_PG_init`.
pub(crate) fn init() {
    // SAFETY: `_PG_init` runs once in a process, in its only thread, before any statement that could reach the hook.
    unsafe {
        PREVIOUS_HOOK = pg_sys::ProcessUtility_hook;
        pg_sys::ProcessUtility_hook = Some(process_utility);
    }
}

#[pg_guard]
#[allow(clippy::too_many_arguments)] // as PostgreSQL defines the hook
#[allow(ffi_unwind_calls)] // another library's hook, called inside pgrx's guard
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
    // SAFETY: PostgreSQL passes a valid statement; the others are handed on as they came.
    unsafe {
        let node = (*statement).utilityStmt;
        if pgrx::is_a(node, pg_sys::NodeTag::T_CopyStmt) {
            let copy = node.cast::<pg_sys::CopyStmt>();
            if let Some(format) = statement::Format::of(copy) {
                let result = match (*copy).is_from {
                    true => import::run(format, copy, query, environment),
                    false => export::run(format, statement, copy, query),
                };
                match result {
                    Ok(rows) => set_completion(completion, rows),
                    Err(error) => raise(error),
                }
                return;
            }
        }
        match PREVIOUS_HOOK {
            // Through pgrx's guard, as every call into the server: an error below must unwind the frames above.
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

/// Reports `COPY n`, as `SetQueryCompletion` does.
///
/// # Safety
/// `completion` must be null or valid.
unsafe fn set_completion(completion: *mut pg_sys::QueryCompletion, rows: u64) {
    // SAFETY: checked for null; otherwise valid by the contract.
    if let Some(completion) = unsafe { completion.as_mut() } {
        completion.commandTag = pg_sys::CommandTag::CMDTAG_COPY;
        completion.nprocessed = rows;
    }
}
