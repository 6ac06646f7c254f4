//! The tables that `tq_compress_column` works on: a relation, or the partitions or children behind it.
//!
//! A partition is worked on by its own name, for then its rows are found by position at once; where the caller has rights
//! to the parent alone, or row-level security guards the parent, the statements name the parent and say which partition
//! is meant.

#![allow(unsafe_code)]

use std::ffi::CString;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use pgrx::prelude::Spi;
use pgrx::spi::quote_identifier;

use crate::datum::typmod::{Typmod, tqvec_typmod};
use crate::error::{ColumnError, Error};
use crate::server::memory::cushion;
use crate::server::names::{self, type_name};

/// A relation with its two columns.
pub(super) struct Target {
    /// The relation, for messages.
    pub(super) shown: String,
    pub(super) relation: pg_sys::Oid,
    /// The columns' numbers in it, the source's first.
    pub(super) numbers: (pg_sys::AttrNumber, pg_sys::AttrNumber),
    /// The column to read, and the one to fill.
    pub(super) source_name: String,
    pub(super) column: String,
    pub(super) typmod: Typmod,
    pub(super) parts: Vec<TablePart>,
    /// The columns, quoted.
    pub(super) source: String,
    /// The source's array of numbers, as an expression over `t`.
    pub(super) vector: String,
    pub(super) target: String,
    /// `tqvec`, with its schema.
    pub(super) type_name: String,
}

/// A table that holds rows: the relation, or a partition or child of it.
#[derive(Clone)]
pub(super) struct TablePart {
    /// For messages.
    pub(super) shown: String,
    pub(super) oid: pg_sys::Oid,
    /// What statements name, quoted.
    pub(super) name: String,
    /// Whether that is the parent, and the part has to be told from others.
    pub(super) by_parent: bool,
}

impl Target {
    /// Looks the relation and the columns up, and all tables behind it.
    ///
    /// # Errors
    /// No such relation or column, a relation that isn't a table, a target that isn't a `tqvec`.
    pub(super) fn find(relation: pg_sys::Oid, source: &str, target: &str) -> Result<Target, Error> {
        let shown = shown_name(relation)?;
        let column = |name: &str| -> Result<pg_sys::AttrNumber, Error> {
            let missing =
                || Error::Column(ColumnError::NoSuchColumn { table: shown.clone(), column: name.into() });
            let c_name = CString::new(name).map_err(|_| missing())?;
            // SAFETY: a look-up by OID and a NUL-terminated name.
            match unsafe { pg_sys::get_attnum(relation, c_name.as_ptr()) } {
                number if number > 0 => Ok(number),
                _ => Err(missing()),
            }
        };
        let source_number = column(source)?;
        let number = column(target)?;
        let (mut oid, mut typmod, mut collation) = (pg_sys::InvalidOid, -1, pg_sys::InvalidOid);
        // SAFETY: the column exists, and the results are written to variables of those types.
        unsafe { pg_sys::get_atttypetypmodcoll(relation, number, &mut oid, &mut typmod, &mut collation) };
        let Some((tqvec, typmod)) = tqvec_typmod(oid, typmod) else {
            return Err(Error::Column(ColumnError::NotTqvec { column: target.into(), got: type_name(oid) }));
        };
        Ok(Target {
            parts: parts(relation, &relation_name(relation)?, number)?,
            shown,
            relation,
            numbers: (source_number, number),
            source_name: source.into(),
            column: target.into(),
            typmod,
            type_name: type_name(tqvec),
            vector: vector_expression(relation, source_number, source),
            source: quote_identifier(source),
            target: quote_identifier(target),
        })
    }
}

/// Whether values of a type are arrays of numbers.
pub(super) fn holds_numbers(is_of: pg_sys::Oid) -> bool {
    const NUMBERS: [pg_sys::Oid; 6] = [
        pg_sys::FLOAT4ARRAYOID,
        pg_sys::FLOAT8ARRAYOID,
        pg_sys::INT2ARRAYOID,
        pg_sys::INT4ARRAYOID,
        pg_sys::INT8ARRAYOID,
        pg_sys::NUMERICARRAYOID,
    ];
    // SAFETY: a look-up by OID.
    NUMBERS.contains(&unsafe { pg_sys::getBaseType(is_of) })
}

/// Arrays of numbers are read as they are: a cast of core's would end the whole statement at a number that `real` can't hold.
fn vector_expression(relation: pg_sys::Oid, number: pg_sys::AttrNumber, name: &str) -> String {
    // SAFETY: a look-up by OID and number.
    let is_of = unsafe { pg_sys::get_atttype(relation, number) };
    let column = quote_identifier(name);
    match holds_numbers(is_of) {
        true => format!("t.{column}"),
        false => format!("(t.{column})::pg_catalog.float4[]"),
    }
}

/// The relation's name with its schema, quoted.
fn relation_name(relation: pg_sys::Oid) -> Result<String, Error> {
    names::qualified_name(relation)?.ok_or(Error::Column(ColumnError::NoSuchRelation(relation.to_u32())))
}

/// The relation's name with its schema, for messages.
fn shown_name(relation: pg_sys::Oid) -> Result<String, Error> {
    names::shown_name(relation)?.ok_or(Error::Column(ColumnError::NoSuchRelation(relation.to_u32())))
}

/// The tables with rows behind a relation: itself, its partitions, or its children.
fn parts(relation: pg_sys::Oid, name: &str, target: pg_sys::AttrNumber) -> Result<Vec<TablePart>, Error> {
    cushion()?;
    const MEMBERS: &str = "WITH RECURSIVE member(oid) AS ( \
             SELECT $1 UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i \
             JOIN member m ON i.inhparent OPERATOR(pg_catalog.=) m.oid WHERE NOT i.inhdetachpending) \
         SELECT oid FROM member ORDER BY oid";
    let members = Spi::connect(|client| -> Result<Vec<pg_sys::Oid>, Error> {
        let mut members = Vec::new();
        for row in client.select(MEMBERS, None, &[DatumWithOid::from(relation)])? {
            members.extend(row.get::<pg_sys::Oid>(1)?);
        }
        Ok(members)
    })?;
    // SAFETY: a look-up by OID, which reports nothing.
    let guarded = unsafe { pg_sys::check_enable_rls(relation, pg_sys::InvalidOid, true) }
        == pg_sys::CheckEnableRlsResult::RLS_ENABLED as i32;
    let mut parts = Vec::new();
    for member in members {
        // SAFETY: a look-up by OID.
        match unsafe { pg_sys::get_rel_relkind(member) } as u8 {
            pg_sys::RELKIND_RELATION => {}
            pg_sys::RELKIND_PARTITIONED_TABLE => continue,
            _ => return Err(Error::Column(ColumnError::NotTable(shown_name(member)?))),
        }
        let own = relation_name(member)?;
        let by_parent = member != relation && (guarded || !may_update(member, target, relation));
        let statement_name = if by_parent { name.to_string() } else { format!("ONLY {own}") };
        parts.push(TablePart { shown: shown_name(member)?, oid: member, name: statement_name, by_parent });
    }
    Ok(parts)
}

/// Whether the current user may read the table and update the column that is number `target` of `relation`.
fn may_update(table: pg_sys::Oid, target: pg_sys::AttrNumber, relation: pg_sys::Oid) -> bool {
    // SAFETY: look-ups by OID and number; the column's name is that of an existing column.
    unsafe {
        let user = pg_sys::GetUserId();
        let table_may = |right: u32| {
            pg_sys::pg_class_aclcheck(table, user, right as pg_sys::AclMode) == pg_sys::AclResult::ACLCHECK_OK
        };
        let number = pg_sys::get_attnum(table, pg_sys::get_attname(relation, target, false));
        let column_may = || {
            let right = pg_sys::ACL_UPDATE as pg_sys::AclMode;
            pg_sys::pg_attribute_aclcheck(table, number, user, right) == pg_sys::AclResult::ACLCHECK_OK
        };
        table_may(pg_sys::ACL_SELECT) && (table_may(pg_sys::ACL_UPDATE) || column_may())
    }
}
