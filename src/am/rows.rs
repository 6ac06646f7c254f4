//! Names of rows and of indexes, settings of searches, and how an index's errors are told.

use pgrx::pg_sys;
use tq_index::{IndexError, ListOptions, Order, Tid};

use crate::error::Error;
use crate::server::names::shown_name;
use crate::server::settings::{self, IterativeScan};

/// The heap's name of a row.
///
/// # Safety
/// `tid` must be valid.
pub(super) unsafe fn tid_of(tid: pg_sys::ItemPointer) -> Tid {
    // SAFETY: by the contract.
    let pg_sys::ItemPointerData { ip_blkid, ip_posid } = unsafe { *tid };
    Tid { block: u32::from(ip_blkid.bi_hi) << 16 | u32::from(ip_blkid.bi_lo), offset: ip_posid }
}

/// The server's pointer to a row.
pub(super) fn pointer_to(tid: Tid) -> pg_sys::ItemPointerData {
    pg_sys::ItemPointerData {
        ip_blkid: pg_sys::BlockIdData { bi_hi: (tid.block >> 16) as u16, bi_lo: tid.block as u16 },
        ip_posid: tid.offset,
    }
}

/// How a search is to go about lists, by the settings.
pub(super) fn list_options() -> ListOptions {
    let order = match settings::iterative_scan() {
        IterativeScan::off => Order::Off,
        IterativeScan::strict_order => Order::Strict,
        IterativeScan::relaxed_order => Order::Relaxed,
    };
    ListOptions {
        probes: settings::probes(),
        target: settings::target_recall(),
        order,
        most_slots: settings::max_scan_tuples(),
    }
}

/// An error of an index, with its name.
///
/// # Safety
/// `index` must be an open relation.
pub(super) unsafe fn named(index: pg_sys::Relation, error: IndexError) -> Error {
    // SAFETY: by the contract.
    let name = unsafe { shown_name((*index).rd_id) };
    match name {
        Ok(name) => Error::Index { name: name.unwrap_or_default(), source: error },
        Err(error) => error.into(),
    }
}

/// An index: its OID, and the file that it is in at the time.
pub(super) type Key = (pg_sys::Oid, pg_sys::Oid);

/// What a backend remembers an index by.
///
/// # Safety
/// `index` must be an open relation.
pub(super) unsafe fn key_of(index: pg_sys::Relation) -> Key {
    // SAFETY: by the contract.
    unsafe { ((*index).rd_id, (*(*index).rd_rel).relfilenode) }
}
