//! What differs between PostgreSQL's major versions. No other file looks at the version.

#![allow(unsafe_code)]

use pgrx::pg_sys;

/// Checks that the current user may insert into the columns `inserted` (attribute numbers offset by
/// `FirstLowInvalidHeapAttributeNumber`) of the relation behind `nsitem`, which must be the only entry of
/// `pstate`'s range table. Raises PostgreSQL's own error if not.
///
/// Mirrors the permission step of `DoCopy`: since version 16 the permissions live in an `RTEPermissionInfo`.
///
/// # Safety
/// `pstate` and `nsitem` must come from `make_parsestate` and `addRangeTableEntryForRelation`, and still be valid.
pub(crate) unsafe fn check_insert_permission(
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
            (*rte).requiredPerms = pg_sys::ACL_INSERT as pg_sys::AclMode;
            for column in inserted {
                (*rte).insertedCols = pg_sys::bms_add_member((*rte).insertedCols, column);
            }
            pg_sys::ExecCheckRTPerms((*pstate).p_rtable, true);
        }
        #[cfg(not(feature = "pg15"))]
        {
            let perminfo = (*nsitem).p_perminfo;
            (*perminfo).requiredPerms = pg_sys::ACL_INSERT as pg_sys::AclMode;
            for column in inserted {
                (*perminfo).insertedCols = pg_sys::bms_add_member((*perminfo).insertedCols, column);
            }
            let perminfos = pg_sys::lappend(std::ptr::null_mut(), perminfo.cast());
            pg_sys::ExecCheckPermissions((*pstate).p_rtable, perminfos, true);
        }
    }
}

/// Runs a query to its end, forwards. Since version 18 `ExecutorRun` isn't told that it is called only once.
///
/// # Safety
/// `description` must have been started with `ExecutorStart`.
pub(crate) unsafe fn executor_run(description: *mut pg_sys::QueryDesc) {
    let forward = pg_sys::ScanDirection::ForwardScanDirection;
    // SAFETY: by this function's contract.
    unsafe {
        #[cfg(feature = "pg18")]
        pg_sys::ExecutorRun(description, forward, 0);
        #[cfg(not(feature = "pg18"))]
        pg_sys::ExecutorRun(description, forward, 0, true);
    }
}
