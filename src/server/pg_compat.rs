//! What differs between PostgreSQL's major versions. No other file looks at the version.

#![allow(unsafe_code)]

use std::ffi::CStr;
#[cfg(not(feature = "pg15"))]
use std::ffi::{CString, c_char, c_int};

use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;

/// Says that the relation behind `nsitem` is to be inserted into. What a WHERE clause then refers to is added to that,
/// as rights to SELECT, when the clause is transformed.
///
/// Since version 16 the permissions live in an `RTEPermissionInfo`.
///
/// # Safety
/// `nsitem` must come from `addRangeTableEntryForRelation`, and still be valid.
pub(crate) unsafe fn ask_for_insert(nsitem: *mut pg_sys::ParseNamespaceItem) {
    // SAFETY: the pointer is valid by this function's contract, and leads to a node that the parser made.
    unsafe {
        #[cfg(feature = "pg15")]
        {
            (*(*nsitem).p_rte).requiredPerms = pg_sys::ACL_INSERT as pg_sys::AclMode;
        }
        #[cfg(not(feature = "pg15"))]
        {
            (*(*nsitem).p_perminfo).requiredPerms = pg_sys::ACL_INSERT as pg_sys::AclMode;
        }
    }
}

/// Checks that the current user may do what was asked for with the relation behind `nsitem`, which must be the only
/// entry of `pstate`'s range table, inserting into the columns `inserted` (attribute numbers offset by
/// `FirstLowInvalidHeapAttributeNumber`). Raises PostgreSQL's own error if not.
///
/// Mirrors the permission step of `DoCopy`.
///
/// # Safety
/// `pstate` and `nsitem` must come from `make_parsestate` and `addRangeTableEntryForRelation`, and still be valid.
pub(crate) unsafe fn check_permissions(
    pstate: *mut pg_sys::ParseState,
    nsitem: *mut pg_sys::ParseNamespaceItem,
    inserted: impl Iterator<Item = i32>,
) {
    // SAFETY: both pointers are valid by this function's contract, and the nodes they lead to were made by the
    // parser in the same memory context.
    unsafe {
        #[cfg(feature = "pg15")]
        {
            let rte = (*nsitem).p_rte;
            for column in inserted {
                (*rte).insertedCols = pg_sys::bms_add_member((*rte).insertedCols, column);
            }
            pg_sys::ExecCheckRTPerms((*pstate).p_rtable, true);
        }
        #[cfg(not(feature = "pg15"))]
        {
            let perminfo = (*nsitem).p_perminfo;
            for column in inserted {
                (*perminfo).insertedCols = pg_sys::bms_add_member((*perminfo).insertedCols, column);
            }
            let perminfos = pg_sys::lappend(std::ptr::null_mut(), perminfo.cast());
            pg_sys::ExecCheckPermissions((*pstate).p_rtable, perminfos, true);
        }
    }
}

/// The statistics target of a column that is to be analysed. Since version 17 it isn't part of the column's description.
///
/// # Safety
/// `stats` must be what ANALYZE passes to a type's function.
#[allow(clippy::useless_conversion)] // of 16 bits in version 16
pub(crate) unsafe fn statistics_target(stats: *mut pg_sys::VacAttrStats) -> i32 {
    // SAFETY: by this function's contract.
    let target = unsafe {
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        {
            (*(*stats).attr).attstattarget
        }
        #[cfg(not(any(feature = "pg15", feature = "pg16")))]
        {
            (*stats).attstattarget
        }
    };
    // SAFETY: a plain variable of the backend's.
    let default = unsafe { pg_sys::default_statistics_target };
    if i32::from(target) < 0 { default } else { target.into() }
}

unsafe extern "C-unwind" {
    #[cfg(feature = "pg18")]
    fn ExecutorRun(description: *mut pg_sys::QueryDesc, direction: pg_sys::ScanDirection::Type, count: u64);
    #[cfg(not(feature = "pg18"))]
    fn ExecutorRun(
        description: *mut pg_sys::QueryDesc,
        direction: pg_sys::ScanDirection::Type,
        count: u64,
        execute_once: bool,
    );
}

/// Runs a query to its end, forwards. Since version 18 `ExecutorRun` isn't told that it is called only once. It is called
/// without pgrx's guard: errors jump.
///
/// # Safety
/// `description` must have been started with `ExecutorStart`; a jump must find nothing to drop.
#[allow(ffi_unwind_calls)] // by the contract
pub(crate) unsafe fn executor_run(description: *mut pg_sys::QueryDesc) {
    let forward = pg_sys::ScanDirection::ForwardScanDirection;
    // SAFETY: by this function's contract.
    unsafe {
        #[cfg(feature = "pg18")]
        ExecutorRun(description, forward, 0);
        #[cfg(not(feature = "pg18"))]
        ExecutorRun(description, forward, 0, true);
    }
}

#[cfg(not(feature = "pg15"))]
unsafe extern "C-unwind" {
    // Sets a field of the report that is being made; pgrx has no binding of it.
    fn errcode(code: c_int) -> c_int;
}

/// Leaves an error with the caller of an input function, if it has asked for that; whether it has. Since version 16 one can.
///
/// # Safety
/// `context` must be the one in the running call's `FunctionCallInfo`.
#[allow(ffi_unwind_calls)] // errcode doesn't jump where a report is being made
pub(crate) unsafe fn save_error(context: *mut pg_sys::Node, code: i32, report: &ErrorReport) -> bool {
    #[cfg(feature = "pg15")]
    {
        let _ = (context, code, report);
        false
    }
    // SAFETY: the context is null or a node, whose tag says what it is; the pieces of a report go between errsave_start, if that
    // wants them, and errsave_finish. All texts are NUL-terminated copies in the server's memory.
    #[cfg(not(feature = "pg15"))]
    unsafe {
        if context.is_null() || !pgrx::is_a(context, pg_sys::NodeTag::T_ErrorSaveContext) {
            return false;
        }
        if !pg_sys::errsave_start(context, std::ptr::null()) {
            return true;
        }
        errcode(code);
        pg_sys::errmsg_internal(c"%s".as_ptr(), server_text(report.message()));
        if let Some(detail) = report.detail() {
            pg_sys::errdetail_internal(c"%s".as_ptr(), server_text(detail));
        }
        if let Some(hint) = report.hint() {
            // `errhint` itself has no binding either.
            pg_sys::errhint_plural(c"%s".as_ptr(), c"%s".as_ptr(), 1, server_text(hint));
        }
        pg_sys::errsave_finish(context, c"text.rs".as_ptr(), line!() as c_int, c"tqvec_in".as_ptr());
        true
    }
}

/// Whether a setting of the server's has its value from a SET of this session: not from a file, a role, a database or the client's
/// connection. A setting is found by its name only since version 16; before, among all of them.
pub(crate) fn is_set_by_session(name: &CStr) -> bool {
    // SAFETY: the server's list of settings, whose entries have names and stay where they are.
    unsafe {
        #[cfg(feature = "pg15")]
        let setting = {
            let all = pg_sys::get_guc_variables();
            let count = usize::try_from(pg_sys::GetNumConfigOptions()).unwrap_or(0);
            let mut all = std::slice::from_raw_parts(all, count).iter();
            all.find(|setting| CStr::from_ptr((***setting).name) == name).copied()
        };
        #[cfg(not(feature = "pg15"))]
        let setting = {
            let quiet = pg_sys::DEBUG5 as c_int;
            let found = pg_sys::find_option(name.as_ptr(), false, true, quiet);
            (!found.is_null()).then_some(found)
        };
        setting.is_some_and(|setting| (*setting).source == pg_sys::GucSource::PGC_S_SESSION)
    }
}

/// What a vacuum does between pages: it may sleep. Since version 18 it is told whether ANALYZE calls.
pub(crate) fn vacuum_delay() {
    // SAFETY: no lock is held, by the rules of those who call it.
    unsafe {
        #[cfg(feature = "pg18")]
        pg_sys::vacuum_delay_point(false);
        #[cfg(not(feature = "pg18"))]
        pg_sys::vacuum_delay_point();
    }
}

/// What names a relation's file; since version 16 under another name.
#[cfg(feature = "pg15")]
pub(crate) type FileLocator = pg_sys::RelFileNode;
/// What names a relation's file; since version 16 under another name.
#[cfg(not(feature = "pg15"))]
pub(crate) type FileLocator = pg_sys::RelFileLocator;

/// The name of a relation's file.
///
/// # Safety
/// `relation` must be open.
pub(crate) unsafe fn locator_of(relation: pg_sys::Relation) -> FileLocator {
    // SAFETY: by the contract.
    unsafe {
        #[cfg(feature = "pg15")]
        {
            (*relation).rd_node
        }
        #[cfg(not(feature = "pg15"))]
        {
            (*relation).rd_locator
        }
    }
}

/// Adds empty pages to a relation, several at once where that can be done: since version 16, which then has the file system make room
/// instead of writing zeros.
///
/// # Safety
/// `relation` must be open.
pub(crate) unsafe fn extend(relation: pg_sys::Relation, fork: pg_sys::ForkNumber::Type, pages: u32) {
    #[cfg(feature = "pg15")]
    let _ = (relation, fork, pages);
    #[cfg(not(feature = "pg15"))]
    {
        // As many as are worth an array on the stack.
        const MOST: usize = 64;
        let mut left = pages;
        while left > 0 {
            let mut buffers = [0; MOST];
            let mut made = 0;
            // SAFETY: by the contract; there is room for the buffers, whose pins are given back.
            unsafe {
                pg_sys::ExtendBufferedRelBy(
                    pg_sys::BufferManagerRelation { rel: relation, ..Default::default() },
                    fork,
                    std::ptr::null_mut(),
                    0,
                    left.min(MOST as u32),
                    buffers.as_mut_ptr(),
                    &mut made,
                );
                buffers[..made as usize].iter().for_each(|buffer| pg_sys::ReleaseBuffer(*buffer));
            }
            left = left.saturating_sub(made.max(1));
        }
    }
}

/// Whether changes of a relation are logged: it is permanent, and not one that is new in a transaction at the lowest `wal_level`, whose
/// file is written at the end instead. A field has another name since version 16.
///
/// # Safety
/// `relation` must be open.
pub(crate) unsafe fn needs_wal(relation: pg_sys::Relation) -> bool {
    // SAFETY: by the contract; a plain variable of the backend's.
    unsafe {
        #[cfg(feature = "pg15")]
        let first = (*relation).rd_firstRelfilenodeSubid;
        #[cfg(not(feature = "pg15"))]
        let first = (*relation).rd_firstRelfilelocatorSubid;
        // Zero stands for none.
        let old = (*relation).rd_createSubid == 0 && first == 0;
        let permanent = (*(*relation).rd_rel).relpersistence as u8 == pg_sys::RELPERSISTENCE_PERMANENT;
        permanent && (pg_sys::wal_level >= pg_sys::WalLevel::WAL_LEVEL_REPLICA as i32 || old)
    }
}

/// Counts a search in the statistics of an index, and since version 18 in what EXPLAIN ANALYZE shows.
///
/// # Safety
/// `scan` must be an index scan that is under way.
pub(crate) unsafe fn count_index_scan(scan: pg_sys::IndexScanDesc) {
    // SAFETY: by the contract; what counts of a relation is there if it is enabled.
    unsafe {
        let index = (*scan).indexRelation;
        if (*index).pgstat_info.is_null() && (*index).pgstat_enabled {
            pg_sys::pgstat_assoc_relation(index);
        }
        if let Some(info) = (*index).pgstat_info.as_mut() {
            #[cfg(feature = "pg15")]
            {
                info.t_counts.t_numscans += 1;
            }
            #[cfg(not(feature = "pg15"))]
            {
                info.counts.numscans += 1;
            }
        }
        #[cfg(feature = "pg18")]
        if let Some(instrument) = (*scan).instrument.as_mut() {
            instrument.nsearches += 1;
        }
    }
}

/// Marks a path as one that must not be taken, where there is a mark for that: since version 18.
///
/// # Safety
/// `path` must be a path of the planner's.
pub(crate) unsafe fn disable_path(path: *mut pg_sys::IndexPath) {
    #[cfg(feature = "pg18")]
    // SAFETY: by the contract.
    unsafe {
        (*path).path.disabled_nodes = 2;
    }
    #[cfg(not(feature = "pg18"))]
    let _ = path;
}

/// A copy in the current memory context.
#[cfg(not(feature = "pg15"))]
fn server_text(text: &str) -> *mut c_char {
    let text = CString::new(text).unwrap_or_default();
    // SAFETY: copies a NUL-terminated string.
    unsafe { pg_sys::pstrdup(text.as_ptr()) }
}
