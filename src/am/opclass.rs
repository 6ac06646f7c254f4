//! Operator classes: the strategy number of an ordering operator says what an index orders by.

use pgrx::pg_sys;
use tq_codec::Metric;

/// How many strategies there are, from 1.
pub(super) const STRATEGIES: u16 = 3;

/// The metric of a strategy.
pub(super) fn metric_of(strategy: u16) -> Option<Metric> {
    match strategy {
        1 => Some(Metric::Cosine),
        2 => Some(Metric::L2),
        3 => Some(Metric::InnerProduct),
        _ => None,
    }
}

/// What an index orders by: the metric of the one strategy that its operator family has for the column's type.
///
/// # Safety
/// `index` must be an open index.
pub(super) unsafe fn metric_of_index(index: pg_sys::Relation) -> Option<Metric> {
    // SAFETY: an index has a family and a type for each column, and there is one.
    let (family, column) = unsafe { (*(*index).rd_opfamily, *(*index).rd_opcintype) };
    (1..=STRATEGIES).find(|strategy| has(family, column, *strategy)).and_then(metric_of)
}

/// Whether an operator family has an operator of that strategy between two values of a type.
fn has(family: pg_sys::Oid, column: pg_sys::Oid, strategy: u16) -> bool {
    // SAFETY: a look-up in the catalogs.
    let operator = unsafe { pg_sys::get_opfamily_member(family, column, column, strategy as i16) };
    operator != pg_sys::InvalidOid
}
