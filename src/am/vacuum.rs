//! `ambulkdelete` and `amvacuumcleanup`.

use std::ffi::c_void;

use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::prelude::*;
use tq_index::{Pages, Tid};

use super::buffers::Buffers;
use super::rows::{named, pointer_to};
use crate::error::raise;

/// The server's results, made if they aren't there.
///
/// # Safety
/// `stats` must be null or the server's.
unsafe fn results(stats: *mut pg_sys::IndexBulkDeleteResult) -> *mut pg_sys::IndexBulkDeleteResult {
    if stats.is_null() {
        // SAFETY: zeros are a valid value.
        return unsafe { pg_sys::palloc0(size_of::<pg_sys::IndexBulkDeleteResult>()).cast() };
    }
    stats
}

/// Removes the rows that the server says are dead. When nothing is, nothing changes: CREATE INDEX CONCURRENTLY asks for the rows so.
#[allow(ffi_unwind_calls)] // behind the boundary
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn bulk_delete(
    info: *mut pg_sys::IndexVacuumInfo,
    stats: *mut pg_sys::IndexBulkDeleteResult,
    callback: pg_sys::IndexBulkDeleteCallback,
    state: *mut c_void,
) -> *mut pg_sys::IndexBulkDeleteResult {
    // SAFETY: the server passes an open index, its own results, and a callback with its state; that may jump, up to the boundary.
    unsafe {
        let index = (*info).index;
        let stats = results(stats);
        let Some(callback) = callback else { return stats };
        let pages = Buffers::vacuuming(index);
        let mut is_dead = |tid: Tid| {
            let mut pointer = pointer_to(tid);
            pg_guard_ffi_boundary(|| callback(&mut pointer, state))
        };
        match tq_index::vacuum(&pages, &mut is_dead) {
            Ok(found) => {
                (*stats).num_pages = pages.blocks();
                (*stats).estimated_count = false;
                (*stats).num_index_tuples = found.live as f64;
                (*stats).tuples_removed += found.removed as f64;
            }
            Err(error) => raise(named(index, error)),
        }
        stats
    }
}

/// Ends a vacuum.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn cleanup(
    info: *mut pg_sys::IndexVacuumInfo,
    stats: *mut pg_sys::IndexBulkDeleteResult,
) -> *mut pg_sys::IndexBulkDeleteResult {
    // SAFETY: the server passes an open index and its own results.
    unsafe {
        if (*info).analyze_only {
            return stats;
        }
        let made = stats.is_null();
        let stats = results(stats);
        (*stats).num_pages = Buffers::new((*info).index).blocks();
        if made {
            // Nothing died, and nobody has counted.
            (*stats).estimated_count = true;
            (*stats).num_index_tuples = (*info).num_heap_tuples;
        } else {
            pg_sys::IndexFreeSpaceMapVacuum((*info).index);
        }
        stats
    }
}
