//! Whether a row of `tq_codec` that a statement has read may be kept for later ones.
//!
//! A statement sees the table as of its snapshot, and one of REPEATABLE READ as of the transaction's, while word of a
//! change arrives whenever the backend takes a lock. So a row can be read after the word of its replacement has come,
//! and nothing would tell the cache afterwards. Such a row serves its statement, which sees the records of that time,
//! too, and is looked up anew for the next use.

#![allow(unsafe_code)]

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use tq_codec::declaration::CodecPrefix;

use super::table;
use super::table::CodecRow;
use crate::error::{Error, RegistryError};
use crate::server::memory::cushion;
use crate::server::spi;
use crate::server::spi::Access;

/// Whether later statements may rely on the row, or this one alone: whether it is in the table by the newest snapshot, which sees what is committed and the own transaction's
/// changes.
pub(super) fn is_current(row: &CodecRow) -> Result<bool, Error> {
    let table = table::location()?;
    cushion()?;
    // The hash stands for all columns but these.
    let query = format!(
        "SELECT FROM {} WHERE config_hash OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2 \
         AND codebook OPERATOR(pg_catalog.=) $3",
        table.name()?
    );
    let arguments = [
        DatumWithOid::from(row.config_hash.as_str()),
        DatumWithOid::from(row.name.as_str()),
        DatumWithOid::from(row.codebook.clone()),
    ];
    let parameters = arguments
        .each_ref()
        .map(|argument| (argument.oid(), argument.datum().map(|datum| datum.sans_lifetime())));
    by_newest_snapshot(|| {
        Spi::connect(|_| {
            // SAFETY: an SPI connection is open; each value is of its type. A statement that may write would take a snapshot of its own.
            let found = unsafe { spi::execute(&query, &parameters, Access::ReadOnly, 1)? };
            Ok(found.count() == 1)
        })
    })
}

/// Whether a codec is in the table by the newest snapshot, once this transaction keeps others from dropping it: they wait until what names
/// it can be seen, or this waits until they are done.
pub(crate) fn keep_named(prefix: CodecPrefix) -> Result<bool, Error> {
    lock(prefix, pg_sys::AccessShareLock)?;
    by_newest_snapshot(|| Ok(table::by_prefix(prefix)?.is_some()))
}

/// Keeps others from dropping a codec until this transaction ends, if it is there; doesn't look.
pub(crate) fn keep_if_there(prefix: CodecPrefix) -> Result<(), Error> {
    match lock(prefix, pg_sys::AccessShareLock) {
        Err(Error::Registry(RegistryError::NoRegistry)) => Ok(()),
        locked => locked,
    }
}

/// Waits for the transactions that have named a codec, and keeps others from it until this one ends.
pub(super) fn wait_for_namers(prefix: CodecPrefix) -> Result<(), Error> {
    lock(prefix, pg_sys::AccessExclusiveLock)
}

/// Locks what a type modifier says of a codec, as an object of the table's.
fn lock(prefix: CodecPrefix, mode: u32) -> Result<(), Error> {
    let table = table::location()?.oid;
    // SAFETY: any two numbers can be locked, within a transaction, which releases them.
    unsafe {
        pg_sys::LockDatabaseObject(table, pg_sys::Oid::from(prefix.number()), 0, mode as pg_sys::LOCKMODE)
    };
    Ok(())
}

/// Lets queries see what is committed now, and what this transaction has changed, whatever the statement sees. Also in parallel workers,
/// which may not take what core calls the latest snapshot; the catalogs' is as new, for a table that has no cache.
pub(super) fn by_newest_snapshot<R>(work: impl FnOnce() -> Result<R, Error>) -> Result<R, Error> {
    let table = table::location()?.oid;
    // SAFETY: within a transaction. The snapshot is copied when it is pushed, and popped below or, after an error of the server's, with the
    // transaction.
    unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetCatalogSnapshot(table)) };
    let result = work();
    // SAFETY: the one that was pushed; what runs in between leaves none.
    unsafe { pg_sys::PopActiveSnapshot() };
    result
}
