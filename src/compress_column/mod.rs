//! `tq_compress_column`: fills a `tqvec` column from a column of floats, in batches that are committed one by one.
//!
//! A single UPDATE over millions of rows holds them all in one transaction, and loses everything to a cancel. The procedure
//! goes over the table by physical position instead, compresses some thousand rows at a time on several threads, and
//! commits after each batch. What is left to do is what the table says (source there, target NULL), so calling again goes
//! on where an earlier call stopped. Rows are read under a row lock, so that nobody changes a vector between its
//! reading and its record's writing.
//!
//! The first time over a table, rows that others have locked are left out: most of them are being compressed by another
//! call, or will be there again later. Then what is left is counted, and gone over again, waiting for locks, until none is
//! left or those that are can't be filled. Rows that can't be compressed end the call, or are among these: with `on_error => 'ignore'`
//! they keep NULL, and each pass meets them again. When what is left is what the last pass has rejected, row by row, it is the last.

#![allow(unsafe_code)]

mod batch;
mod progress;
mod rejects;
mod remaining;
mod run;
mod statement;
mod target;

use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::spi::SpiErrorCodes;

use self::rejects::NAMES;
use self::run::Run;
use self::target::Target;
use crate::datum::arguments::{Text, required};
use crate::datum::rejects::{OnError, Rejects};
use crate::error::{ColumnError, Error, SqlResult};
use crate::server::memory::cushion;
use crate::server::recovery::refuse_if_read_only;
use crate::server::spi;

/// [`tq_compress_column_on_error`] as version 0.1.0 declares it.
#[pg_extern(sql = false)]
fn tq_compress_column(
    relation: Option<pg_sys::Oid>,
    source: Option<Text<'_>>,
    target: Option<Text<'_>>,
    batch: Option<i32>,
    codec: Option<Text<'_>>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> SqlResult<()> {
    compress_column((relation, source, target), batch, codec, (OnError::Stop, None), fcinfo)
}

/// Fills the column `target` from the column `source`; `on_error` says what becomes of rows that can't be.
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)] // as SQL has them
fn tq_compress_column_on_error(
    relation: Option<pg_sys::Oid>,
    source: Option<Text<'_>>,
    target: Option<Text<'_>>,
    batch: Option<i32>,
    codec: Option<Text<'_>>,
    on_error: Option<Text<'_>>,
    reject_limit: Option<i64>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> SqlResult<()> {
    let on_error = match OnError::parse(NAMES, &required(on_error, "on_error")?)? {
        // What is left out is NULL already.
        OnError::Null => OnError::Ignore,
        on_error => on_error,
    };
    compress_column((relation, source, target), batch, codec, (on_error, reject_limit), fcinfo)
}

fn compress_column(
    (relation, source, target): (Option<pg_sys::Oid>, Option<Text<'_>>, Option<Text<'_>>),
    batch: Option<i32>,
    codec: Option<Text<'_>>,
    (on_error, reject_limit): (OnError, Option<i64>),
    fcinfo: pg_sys::FunctionCallInfo,
) -> SqlResult<()> {
    let relation = required(relation, "relation")?;
    let source = required(source, "source")?;
    let target = required(target, "target")?;
    let batch = required(batch, "batch")?;
    let batch = usize::try_from(batch)
        .ok()
        .filter(|rows| *rows > 0)
        .ok_or(Error::Column(ColumnError::BatchSize(batch)))?;
    // SAFETY: fcinfo is the running call's.
    if unsafe { is_atomic(fcinfo) } {
        Err(Error::Column(ColumnError::CallInTransaction))?;
    }
    refuse_if_read_only(c"tq_compress_column()");
    let rejects = Rejects::new(NAMES, on_error, reject_limit, &target)?;
    let target = Target::find(relation, &source, &target)?;
    let mut run = Run::new(target, codec.map(|name| name.to_owned()), batch, rejects)?;
    cushion().map_err(Error::from)?;
    // SAFETY: all statements run on this connection. An error closes it with the transaction.
    let connected = unsafe { pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC as i32) };
    if connected != pg_sys::SPI_OK_CONNECT as i32 {
        Err(Error::Spi(spi::failed(SpiErrorCodes::Connect)))?;
    }
    // SAFETY: the connection is open, of a call that may commit.
    let left = unsafe { run.fill_all() }?;
    // SAFETY: closes what was opened above.
    unsafe { pg_sys::SPI_finish() };
    run.tell(left);
    Ok(())
}

/// Whether the call may not commit, because it is a part of a transaction that someone else will.
///
/// # Safety
/// `fcinfo` must be a running call's.
unsafe fn is_atomic(fcinfo: pg_sys::FunctionCallInfo) -> bool {
    // SAFETY: by the contract; CALL puts a CallContext there, whose tag is checked.
    unsafe {
        let context = (*fcinfo).context;
        context.is_null()
            || !pgrx::is_a(context, pg_sys::NodeTag::T_CallContext)
            || (*context.cast::<pg_sys::CallContext>()).atomic
    }
}
