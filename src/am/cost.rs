//! `amcostestimate`.
//!
//! A search reads every slot, or those of the nearest lists, before it gives its first row, and measures some hundred rows by their codes; each further row takes about
//! one more. The planner scales what lies between the first row and all by the LIMIT, and a filter makes it ask for more.

use pgrx::prelude::*;
use tq_index::Refine;

use super::column::FloatColumn;
use super::options::{lists_of, refine_of};
use crate::server::pg_compat::disable_path;
use crate::server::settings;

/// The part of an index's pages that hold slots: at 4 bits a quarter, at 8 an eighth, at 2 a third; all if the codes are in the table.
const SLOT_SHARE: f64 = 0.2;

/// What looking at a slot costs, of what an operator costs: some nanoseconds.
const SLOT_COST: f64 = 0.2;

/// What measuring a row by its codes costs, in the same unit, its page aside.
const ROW_COST: f64 = 40.0;

/// Rows measured before the first is given, if there are so many.
const FIRST_MEASURED: f64 = 100.0;

/// Bytes of `work_mem` that a row takes that waits to be measured.
const BYTES_A_CANDIDATE: f64 = 48.0;

/// What a pass over slots costs at most, of what the planner takes a pass over the table's floats for. It knows nothing of those that are
/// kept beside the table (TOAST), nor that a distance of a thousand numbers takes longer than a sum of two.
const MOST_OF_FLOATS: f64 = 0.2;

/// The cost of a path that must not be taken.
const NEVER: f64 = 1e300;

/// What the distance of a list's centroid costs.
const LIST_COST: f64 = 1.5;

/// The share of its slots that a search of an index with lists looks at before its first row: what it is on real embeddings.
const FIRST_SHARE: f64 = 0.2;

/// The share of the slots that a search looks at first, and how many lists it chooses from; all of none if the index is flat. By what
/// the index was made to be, without a look at its pages: an index that is damaged is no error of planning.
///
/// # Safety
/// That of [`refine_of_path`].
unsafe fn first_lists(index: &pg_sys::IndexOptInfo, rows: f64) -> (f64, f64) {
    if index.hypothetical {
        return (1.0, 0.0);
    }
    // SAFETY: by the contract.
    let lists = unsafe {
        let lock = pg_sys::NoLock as pg_sys::LOCKMODE;
        let relation = pg_sys::index_open(index.indexoid, lock);
        let lists = lists_of(relation, rows);
        pg_sys::index_close(relation, lock);
        f64::from(lists)
    };
    if lists == 0.0 {
        return (1.0, 0.0);
    }
    let share = match settings::probes() {
        0 => FIRST_SHARE,
        probes => (f64::from(probes) / lists).min(1.0),
    };
    (share, lists)
}

/// Where an index has its codes, or will have; one that is only thought of has them itself.
///
/// # Safety
/// `index` must be the planner's, which has it locked.
unsafe fn refine_of_path(index: &pg_sys::IndexOptInfo) -> Refine {
    if index.hypothetical {
        return Refine::Index;
    }
    // SAFETY: by the contract.
    unsafe {
        let lock = pg_sys::NoLock as pg_sys::LOCKMODE;
        let relation = pg_sys::index_open(index.indexoid, lock);
        let refine = match FloatColumn::of(relation) {
            Ok(Some(_)) => Refine::Floats,
            _ => refine_of(relation),
        };
        pg_sys::index_close(relation, lock);
        refine
    }
}

/// Estimates what a path costs.
#[pg_guard]
#[allow(clippy::too_many_arguments)] // the server's signature
pub(super) unsafe extern "C-unwind" fn estimate(
    _root: *mut pg_sys::PlannerInfo,
    path: *mut pg_sys::IndexPath,
    _loops: f64,
    startup: *mut pg_sys::Cost,
    total: *mut pg_sys::Cost,
    selectivity: *mut pg_sys::Selectivity,
    correlation: *mut f64,
    pages: *mut f64,
) {
    // SAFETY: the planner passes its own path and places for the results.
    unsafe {
        *selectivity = 1.0;
        *correlation = 0.0;
        let index = &*(*path).indexinfo;
        *pages = index.pages.into();
        if (*path).indexorderbys.is_null() {
            *startup = NEVER;
            *total = NEVER;
            disable_path(path);
            return;
        }
        let (mut random, mut sequential) = (0.0, 0.0);
        pg_sys::get_tablespace_page_costs(index.reltablespace, &mut random, &mut sequential);
        let (rows, blocks) = (index.tuples.max(1.0), f64::from(index.pages));
        let operator = pg_sys::cpu_operator_cost;
        let refine = refine_of_path(index);
        let (slots, measured) = match refine {
            Refine::Index | Refine::Floats => (SLOT_SHARE * blocks, (1.0 - SLOT_SHARE) * blocks / rows),
            Refine::Table => (blocks, f64::from((*index.rel).pages) / (*index.rel).tuples.max(1.0)),
        };
        let a_row = ROW_COST * operator + random * measured.min(1.0);
        let a_pass = rows * SLOT_COST * operator;
        let (share, ranking) = first_lists(index, rows);
        let mut first = share * (slots * sequential + a_pass) + ranking * LIST_COST * operator;
        if refine == Refine::Floats {
            let table = &*index.rel;
            let a_scan = f64::from(table.pages) * sequential
                + table.tuples.max(0.0) * (pg_sys::cpu_tuple_cost + operator);
            first = first.min(MOST_OF_FLOATS * a_scan);
        }
        *startup = first + FIRST_MEASURED.min(rows) * a_row;
        // Whoever asks for all rows has the slots passed over as often as their candidates don't fit the memory.
        let passes = rows * BYTES_A_CANDIDATE / settings::work_memory() as f64;
        *total = *startup + rows * a_row + (passes + 1.0 - share) * a_pass;
    }
}
