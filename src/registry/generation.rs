//! How often the codec table has changed, as far as this backend has heard: whatever was made of its rows before is looked up
//! again.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use pgrx::pg_sys;

/// Counts invalidations of the codec table.
static GENERATION: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The codec table, as far as this backend has looked it up.
    static REGISTRY_OID: Cell<pg_sys::Oid> = const { Cell::new(pg_sys::InvalidOid) };
}

/// Changes whenever a codec obtained earlier may no longer be the right one for its hash.
#[inline]
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Makes what was looked up until now be looked up again when it is used next.
pub(super) fn expire() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// Listens to relation-cache invalidations.
pub(super) fn init() {
    // SAFETY: the callback is a plain function that lives as long as the process, and calls nothing of the server.
    unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(on_relcache_invalidation), pg_sys::Datum::null()) }
}

/// An invalidation of `tq_codec`, or of everything (`InvalidOid`).
///
/// May run at almost any moment, so it only counts.
unsafe extern "C-unwind" fn on_relcache_invalidation(_: pg_sys::Datum, relation: pg_sys::Oid) {
    if relation == pg_sys::InvalidOid || REGISTRY_OID.get() == relation {
        expire();
    }
}

/// Says which relation the codec table is. A backend that hasn't looked it up holds no registered codec.
pub(super) fn set_registry(relation: pg_sys::Oid) {
    REGISTRY_OID.set(relation);
}
