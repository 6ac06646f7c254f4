//! Expressions as the planner and the executor have them: the nodes of a list, and what the catalog says of casts and types.

#![allow(unsafe_code)]

use pgrx::pg_sys;

/// The nodes of a list.
///
/// # Safety
/// The list must be null or a valid list of nodes, for as long as the iterator is used.
pub(crate) unsafe fn nodes(list: *const pg_sys::List) -> impl Iterator<Item = *mut pg_sys::Node> {
    // SAFETY: by the contract.
    let length = if list.is_null() { 0 } else { unsafe { (*list).length as usize } };
    // SAFETY: by the contract, and within the list's length.
    (0..length).map(move |index| unsafe { (*(*list).elements.add(index)).ptr_value.cast() })
}

/// The function of the cast between two types, or `InvalidOid` if there is none.
pub(crate) fn cast_function(source: pg_sys::Oid, target: pg_sys::Oid) -> pg_sys::Oid {
    /// Fixed in `catalog/pg_cast.h`.
    const CASTFUNC: pg_sys::AttrNumber = 4;
    let (cache, null) = (pg_sys::SysCacheIdentifier::CASTSOURCETARGET as i32, pg_sys::Datum::null());
    // SAFETY: a look-up in a system catalog by its key, of a column that is an OID.
    unsafe { pg_sys::GetSysCacheOid(cache, CASTFUNC, source.into(), target.into(), null, null) }
}

/// Whether values of the type are varlenas.
pub(crate) fn is_varlena(of: pg_sys::Oid) -> bool {
    // SAFETY: a look-up in a system catalog.
    unsafe { pg_sys::get_typlen(of) == -1 }
}
