//! Functions that look into an index.

use std::collections::HashMap;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{PgRelation, pg_sys};
use tq_index::{Checker, IndexError, Kept, Refine, Tid};

use super::buffers::Buffers;
use super::options::lists_of;
use super::rows::named;
use super::table::{Seen, TableRows};
use crate::error::{Error, IndexUseError, RegistryError};
use crate::registry;
use crate::server::names::shown_name;
use crate::server::settings;

/// An index, open with its table.
pub(super) struct OpenIndex {
    table: PgRelation,
    index: PgRelation,
}

impl OpenIndex {
    /// The index.
    pub(super) fn index(&self) -> pg_sys::Relation {
        self.index.as_ptr()
    }

    /// Its pages, with the rows of its table as somebody sees them.
    pub(super) fn pages(&self, seen: Seen) -> Buffers {
        // SAFETY: the relations are open, and the caller's pages don't outlive its hold of them.
        unsafe {
            let table = TableRows::new(self.table.as_ptr(), self.index(), seen);
            Buffers::new(self.index()).with_table(table)
        }
    }
}

/// Opens an index of this access method that the caller may look into: whoever may read the table.
pub(super) fn open(index: pg_sys::Oid) -> Result<OpenIndex, Error> {
    // SAFETY: look-ups in the catalogs; the relations are closed when they are dropped, or by the end of the transaction.
    unsafe {
        let table = pg_sys::IndexGetRelation(index, true);
        if table == pg_sys::InvalidOid {
            return Err(IndexUseError::NotAnIndex(name_of(index)?).into());
        }
        // The table first, as everybody locks them.
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let open = OpenIndex {
            table: PgRelation::with_lock(table, lock),
            index: PgRelation::with_lock(index, lock),
        };
        let opened = open.index.as_ptr();
        if !is_ours((*opened).rd_amhandler) {
            return Err(IndexUseError::NotAnIndex(name_of(index)?).into());
        }
        if (*(*opened).rd_rel).relkind as u8 == pg_sys::RELKIND_PARTITIONED_INDEX {
            return Err(IndexUseError::Partitioned(name_of(index)?).into());
        }
        if !(*(*opened).rd_index).indisvalid {
            return Err(IndexUseError::Invalid(name_of(index)?).into());
        }
        let granted =
            pg_sys::pg_class_aclcheck(table, pg_sys::GetUserId(), pg_sys::ACL_SELECT as pg_sys::AclMode);
        if granted != pg_sys::AclResult::ACLCHECK_OK {
            pg_sys::aclcheck_error(granted, pg_sys::ObjectType::OBJECT_TABLE, pg_sys::get_rel_name(table));
        }
        Ok(open)
    }
}

/// The name of a relation for messages, or its number if there is none.
fn name_of(relation: pg_sys::Oid) -> Result<String, Error> {
    Ok(shown_name(relation)?.unwrap_or_else(|| relation.to_u32().to_string()))
}

/// Whether that is the handler of this access method: the function of this library.
fn is_ours(handler: pg_sys::Oid) -> bool {
    // SAFETY: a look-up by OID; the result is null or a NUL-terminated copy.
    unsafe {
        let name = pg_sys::get_func_name(handler);
        !name.is_null() && std::ffi::CStr::from_ptr(name) == c"tq_index_handler"
    }
}

type InfoRow = (
    Option<String>,
    i32,
    Option<i32>,
    Option<i32>,
    Option<bool>,
    Option<String>,
    Option<String>,
    i64,
    i64,
    i64,
    i64,
    i64,
    i32,
    i64,
    Option<i32>,
    Option<f64>,
    Option<String>,
);

/// What an index holds.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn tq_index_info(
    index: pg_sys::Oid,
) -> Result<
    TableIterator<
        'static,
        (
            name!(metric, Option<String>),
            name!(lists, i32),
            name!(dimension, Option<i32>),
            name!(bit_width, Option<i32>),
            name!(residual, Option<bool>),
            name!(codec, Option<String>),
            name!(refine, Option<String>),
            name!(rows, i64),
            name!(others, i64),
            name!(nulls, i64),
            name!(free_slots, i64),
            name!(old_slot_pages, i64),
            name!(centre, i32),
            name!(bytes, i64),
            name!(probes, Option<i32>),
            name!(imbalance, Option<f64>),
            name!(advice, Option<String>),
        ),
    >,
    ErrorReport,
> {
    Ok(TableIterator::once(info(index)?))
}

fn info(index: pg_sys::Oid) -> Result<InfoRow, Error> {
    let relation = open(index)?;
    let pages = relation.pages(Seen::ByAnybody);
    // SAFETY: the index is open.
    let name = |error: IndexError| unsafe { named(relation.index(), error) };
    let meta = tq_index::Meta::read(&pages).map_err(name)?;
    let contents = tq_index::contents(&pages).map_err(name)?;
    let shape = meta.shape;
    let metric = match meta.definition.metric {
        tq_codec::Metric::Cosine => "cosine",
        tq_codec::Metric::L2 => "l2",
        _ => "inner_product",
    };
    let refine = match meta.definition.refine {
        Refine::Index => "index",
        Refine::Table => "table",
        Refine::Floats => "floats",
    };
    let codec = match &shape {
        Some(shape) => registry::codec_name(
            &String::from_utf8_lossy(&shape.hash_field),
            shape.dimension,
            shape.bit_width,
            shape.residual,
        )?,
        None => None,
    };
    let blocks = tq_index::Pages::blocks(&pages);
    Ok((
        Some(metric.to_owned()),
        meta.lists() as i32,
        shape.map(|shape| shape.dimension as i32),
        shape.map(|shape| shape.bit_width.bits().into()),
        shape.map(|shape| shape.residual),
        codec,
        Some(refine.to_owned()),
        contents.rows as i64,
        contents.others as i64,
        contents.nulls as i64,
        contents.free_slots as i64,
        contents.old_slot_pages.into(),
        meta.centre() as i32,
        i64::from(blocks) * i64::from(pg_sys::BLCKSZ),
        meta.probes(settings::target_recall()).map(|probes| probes as i32),
        contents.imbalance,
        // SAFETY: the index is open.
        advice(&meta, contents.rows, unsafe { lists_of(relation.index(), contents.rows as f64) }),
    ))
}

/// An index with so many times as many rows as its lists were made of has other lists when it is made anew.
const MUCH_GROWN: u64 = 2;

/// What `REINDEX` would do about lists, if it is worth it: `lists` is how many it would make.
fn advice(meta: &tq_index::Meta, rows: u64, lists: u32) -> Option<String> {
    let lists = u64::from(lists).min(rows);
    match meta.built_of() {
        None if lists > 0 => Some(format!("REINDEX would divide the {rows} rows into {lists} lists")),
        Some(_) if lists == 0 && rows > 0 => Some("REINDEX would make a flat index".to_owned()),
        Some(built_of) if rows > MUCH_GROWN * built_of.max(1) => Some(format!(
            "REINDEX would make {lists} lists of the {rows} rows; these were made of {built_of}"
        )),
        _ => None,
    }
}

/// Faults that are listed: an index with so many is made anew in any case.
const MOST_FAULTS: usize = 1000;

/// Collects faults, and rows to compare with the table.
struct Collector {
    faults: Vec<(Option<i64>, String)>,
    /// By the hash of what was there; `None` if it couldn't be read.
    seen: HashMap<Tid, Option<u64>>,
}

impl Collector {
    fn fault_at(&mut self, block: Option<u32>, problem: String) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push((block.map(i64::from), problem));
        }
    }
}

impl Checker for Collector {
    type Error = IndexError;

    fn row(&mut self, tid: Tid, kept: Kept<'_>) -> Result<(), IndexError> {
        let hash = match kept {
            Kept::Null => Some(0),
            Kept::Unread => None,
            Kept::Record(record) => Some(hash_of(record)),
            Kept::Payload { codes, residual, fit } => Some(payload_hash(codes, residual, fit)),
        };
        tq_memory::check()?;
        if self.seen.insert(tid, hash).is_some() {
            self.fault_at(None, format!("row ({},{}) is there twice", tid.block, tid.offset));
        }
        Ok(())
    }

    fn fault(&mut self, block: u32, problem: &'static str) -> Result<(), IndexError> {
        self.fault_at(Some(block), problem.to_owned());
        Ok(())
    }
}

fn hash_of(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

fn payload_hash(codes: &[u8], residual: Option<&[u8]>, fit: &[u8]) -> u64 {
    hash_of(codes) ^ residual.map_or(0, hash_of).rotate_left(1) ^ hash_of(fit).rotate_left(2)
}

/// Checks an index, and lists its faults.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn tq_index_check(
    index: pg_sys::Oid,
    heapallindexed: bool,
) -> Result<TableIterator<'static, (name!(block, Option<i64>), name!(fault, String))>, ErrorReport> {
    Ok(TableIterator::new(check(index, heapallindexed)?))
}

fn check(index: pg_sys::Oid, heapallindexed: bool) -> Result<Vec<(Option<i64>, String)>, Error> {
    let relation = open(index)?;
    let pages = relation.pages(Seen::ByAnybody);
    let mut collector = Collector { faults: Vec::new(), seen: HashMap::new() };
    // SAFETY: the index is open.
    let name = |error: IndexError| unsafe { named(relation.index(), error) };
    let mut shape = None;
    let checked = tq_index::Meta::read(&pages).map_err(Error::index).and_then(|meta| {
        shape = meta.shape;
        let codec = match meta.shape.map(|shape| registry::of_shape(&shape)).transpose() {
            // One that was dropped: then slots can't be made anew.
            Err(Error::Registry(RegistryError::UnknownCodec(_))) => None,
            codec => codec?,
        };
        tq_index::check(&pages, codec.as_deref(), &mut collector).map_err(Error::index)
    });
    pages.close_table();
    match checked {
        Err(Error::Index { source: IndexError::Damaged { block, problem }, .. }) => {
            collector.fault_at(Some(block), problem.to_owned());
        }
        Err(Error::Index { source, .. }) => return Err(name(source)),
        Err(error) => return Err(error),
        Ok(()) => (),
    }
    if heapallindexed {
        // SAFETY: the relation is an open index of ours.
        unsafe {
            super::build::compare_with_table(relation.index(), shape, &mut |tid, value| {
                let hash = value.map_or((0, 0), |value| {
                    let of_parts = value.with_parts(payload_hash);
                    (hash_of(value.as_whole()), of_parts.unwrap_or_default())
                });
                let problem = match collector.seen.get(&tid) {
                    Some(None) => return,
                    Some(Some(found)) if *found == hash.0 || *found == hash.1 => return,
                    Some(_) => "has another value",
                    None => "isn't there",
                };
                collector
                    .fault_at(None, format!("row ({},{}) of the table {problem}", tid.block, tid.offset));
            })?
        };
    }
    Ok(collector.faults)
}
