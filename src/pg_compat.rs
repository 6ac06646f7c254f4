//! What differs between PostgreSQL's major versions. No other file looks at the version.

#![allow(unsafe_code)]

use pgrx::pg_sys;

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
