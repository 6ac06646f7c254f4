//! The access method `tinyquant`: an index over a `tqvec` column, or over one of pgvector's types, that gives rows in the order of their
//! distance.
//!
//! What an index is and does is `tq_index`'s; here stands what PostgreSQL asks of an access method, one file a callback: [`build`],
//! [`insert`], [`scan`], [`vacuum`], [`cost`], [`options`], [`validate`]. [`column`] reads the values that they are handed, [`buffers`] is the only one that touches buffers and WAL, [`table`] reads rows of the table, [`recent`] knows where pages were, and
//! [`functions`] and [`recall`] are what can be called by SQL.

#![allow(unsafe_code)]

mod buffers;
mod build;
mod column;
mod cost;
mod functions;
mod insert;
mod opclass;
mod options;
mod other_rows;
mod page;
mod recall;
mod recent;
mod rows;
mod scan;
mod table;
mod vacuum;
mod validate;

use pgrx::prelude::*;
use pgrx::{PgBox, pg_sys};

pgrx::extension_sql_file!("am.sql", name = "am", requires = ["distances"]);

/// Registers the index's options, and makes what sessions keep; called from `_PG_init`.
pub(crate) fn init() {
    options::init();
    insert::init();
    recent::init();
}

/// What the server asks for when it meets the access method.
#[allow(unreachable_pub)] // reached by its symbol
#[doc(hidden)]
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn tq_index_handler(_fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: a node of that type, zeroed but for its tag.
    let mut routine =
        unsafe { PgBox::<pg_sys::IndexAmRoutine>::alloc_node(pg_sys::NodeTag::T_IndexAmRoutine) };
    routine.amstrategies = opclass::STRATEGIES;
    routine.amcanorderbyop = true;
    routine.amoptionalkey = true;
    routine.amparallelvacuumoptions =
        (pg_sys::VACUUM_OPTION_PARALLEL_BULKDEL | pg_sys::VACUUM_OPTION_PARALLEL_COND_CLEANUP) as u8;
    routine.amkeytype = pg_sys::InvalidOid;
    routine.ambuild = Some(build::build);
    routine.ambuildempty = Some(build::build_empty);
    routine.aminsert = Some(insert::insert);
    routine.ambulkdelete = Some(vacuum::bulk_delete);
    routine.amvacuumcleanup = Some(vacuum::cleanup);
    routine.amcostestimate = Some(cost::estimate);
    routine.amoptions = Some(options::parse);
    routine.ambuildphasename = Some(build::phase_name);
    routine.amvalidate = Some(validate::validate);
    routine.ambeginscan = Some(scan::begin);
    routine.amrescan = Some(scan::rescan);
    routine.amgettuple = Some(scan::next);
    routine.amendscan = Some(scan::end);
    pg_sys::Datum::from(routine.into_pg())
}

/// The record by which the server knows the calling convention of [`tq_index_handler`].
#[allow(unreachable_pub)] // reached by its symbol
#[doc(hidden)]
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_tq_index_handler() -> &'static pg_sys::Pg_finfo_record {
    static INFO: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &INFO
}
