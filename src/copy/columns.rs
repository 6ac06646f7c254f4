//! The columns that a COPY fills: one of type `tqvec` and, if the rows are to have ids, one for them.

#![allow(unsafe_code)]

use std::ffi::CStr;

use pgrx::{PgRelation, pg_sys};

use super::ids::IdColumn;
use super::statement::Format;
use crate::error::Error;
use crate::vector::Typmod;

/// The column that takes the records.
pub(super) struct VectorColumn {
    pub(super) name: String,
    pub(super) typmod: Typmod,
}

/// The column that takes the ids.
pub(super) struct IdTarget {
    pub(super) name: String,
    pub(super) type_oid: pg_sys::Oid,
    /// Whether it stands before the records' column in the list.
    pub(super) first: bool,
}

/// What a COPY FROM fills.
pub(super) struct Columns {
    pub(super) vector: VectorColumn,
    pub(super) id: Option<IdTarget>,
}

impl Columns {
    /// Sorts out the columns of these numbers.
    ///
    /// # Errors
    /// None or several of type `tqvec`, more than one other, or one whose type can't take ids.
    ///
    /// # Safety
    /// The relation must be open, and the numbers those of columns that it has.
    pub(super) unsafe fn find(
        format: Format,
        relation: pg_sys::Relation,
        numbers: &[i32],
    ) -> Result<Columns, Error> {
        let wrong = |got: String| Error::CopyColumns { format: format.name(), got };
        // SAFETY: by the contract.
        let columns = unsafe { PgRelation::from_pg(relation) };
        let descriptor = columns.tuple_desc();
        let (mut vectors, mut others) = (Vec::new(), Vec::new());
        for (position, number) in numbers.iter().enumerate() {
            let attribute = usize::try_from(*number - 1).ok().and_then(|index| descriptor.get(index));
            let attribute = attribute.ok_or_else(|| wrong(format!("column {number} is missing")))?;
            let name = attribute.name().to_string();
            match Typmod::of_type(attribute.atttypid, attribute.atttypmod) {
                Some((_, typmod)) => vectors.push((position, VectorColumn { name, typmod })),
                None => others.push((position, name, attribute.atttypid)),
            }
        }
        if numbers.len() > 2 {
            return Err(wrong(format!("{} columns are to be filled", numbers.len())));
        }
        if vectors.len() > 1 {
            return Err(wrong(format!("{} are to be filled", vectors.len())));
        }
        let Some((place, vector)) = vectors.pop() else {
            return Err(match others.pop() {
                Some((_, column, oid)) => Error::CopyColumnType { column, got: type_name(oid) },
                None => wrong("no column is to be filled".into()),
            });
        };
        let id = others.pop().map(|(position, name, type_oid)| {
            if IdColumn::takes(type_oid) {
                Ok(IdTarget { name, type_oid, first: position < place })
            } else {
                Err(Error::CopyIdType { column: name, got: type_name(type_oid) })
            }
        });
        Ok(Columns { vector, id: id.transpose()? })
    }
}

/// A type's name as messages have it.
pub(super) fn type_name(oid: pg_sys::Oid) -> String {
    // SAFETY: the name of whatever type has that OID, as a NUL-terminated copy.
    unsafe { CStr::from_ptr(pg_sys::format_type_be(oid)) }.to_string_lossy().into_owned()
}

/// The names of the relation's columns of type `tqvec` that can be filled.
pub(super) fn tqvec_columns(relation: &PgRelation) -> Vec<String> {
    let descriptor = relation.tuple_desc();
    descriptor
        .iter()
        .filter(|attribute| {
            !attribute.attisdropped
                && attribute.attgenerated == 0
                && Typmod::of_type(attribute.atttypid, attribute.atttypmod).is_some()
        })
        .map(|attribute| attribute.name().to_string())
        .collect()
}
