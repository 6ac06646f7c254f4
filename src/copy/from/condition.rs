//! The WHERE clause of a COPY FROM, as in `DoCopy`.

#![allow(unsafe_code)]

use std::ffi::c_char;
use std::ptr;

use pgrx::{PgRelation, pg_sys};

use crate::error::{CopyError, Error};
use crate::server::kept_error::keeping;
use crate::server::names::catalog_name;

// Called without pgrx's guard, so that their errors stay as they are.
unsafe extern "C-unwind" {
    fn transformExpr(
        parse: *mut pg_sys::ParseState,
        expression: *mut pg_sys::Node,
        kind: pg_sys::ParseExprKind::Type,
    ) -> *mut pg_sys::Node;
    fn coerce_to_boolean(
        parse: *mut pg_sys::ParseState,
        node: *mut pg_sys::Node,
        construct: *const c_char,
    ) -> *mut pg_sys::Node;
}

/// The WHERE clause as core's CopyFrom wants it; null if there is none. As in `DoCopy`.
///
/// # Safety
/// As for [`run`](super::run); `item` must belong to `parse` and `relation`.
#[allow(ffi_unwind_calls)] // in `keeping`, which ends the jump
pub(super) unsafe fn transform_where(
    parse: *mut pg_sys::ParseState,
    item: *mut pg_sys::ParseNamespaceItem,
    relation: pg_sys::Relation,
    clause: *mut pg_sys::Node,
) -> Result<*mut pg_sys::Node, Error> {
    if clause.is_null() {
        return Ok(ptr::null_mut());
    }
    // SAFETY: the clause is the parser's raw expression; a copy is transformed, because the tree may be a cached
    // plan's.
    unsafe {
        pg_sys::addNSItemToQuery(parse, item, false, true, true);
        let clause = pg_sys::copyObjectImpl(clause.cast()).cast();
        let clause = keeping(|| {
            let clause = transformExpr(parse, clause, pg_sys::ParseExprKind::EXPR_KIND_COPY_WHERE);
            coerce_to_boolean(parse, clause, c"WHERE".as_ptr())
        })?;
        pg_sys::assign_expr_collations(parse, clause);
        refuse_generated(relation, clause)?;
        let clause = pg_sys::eval_const_expressions(ptr::null_mut(), clause);
        let clause = pg_sys::canonicalize_qual(clause.cast(), false);
        Ok(pg_sys::make_ands_implicit(clause.cast()).cast())
    }
}

/// Generated columns have no value yet when the condition is evaluated.
///
/// # Safety
/// `clause` must be a transformed expression over `relation` alone.
unsafe fn refuse_generated(relation: pg_sys::Relation, clause: *mut pg_sys::Node) -> Result<(), Error> {
    // SAFETY: pull_varattnos fills the set with attribute numbers of the only relation, offset as usual.
    unsafe {
        let mut used: *mut pg_sys::Bitmapset = ptr::null_mut();
        pg_sys::pull_varattnos(clause, 1, &mut used);
        let is_used =
            |column: i32| pg_sys::bms_is_member(column - pg_sys::FirstLowInvalidHeapAttributeNumber, used);
        // Number 0 is the whole row.
        let whole = is_used(0);
        let columns = PgRelation::from_pg(relation);
        for attribute in columns.tuple_desc().iter() {
            if attribute.attgenerated != 0 && (whole || is_used(i32::from(attribute.attnum))) {
                return Err(Error::Copy(CopyError::WhereGenerated(catalog_name(&attribute.attname)?)));
            }
        }
    }
    Ok(())
}
