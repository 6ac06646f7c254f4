//! The columns that a COPY fills: one for the vectors and, if the rows are to have ids, one for them.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};

use pgrx::{PgList, PgRelation, pg_sys};
use tq_files::Format;

use super::ids::{IdColumn, IdTarget};

use crate::datum::vector_type::VectorType;
use crate::error::{CopyError, Error};
use crate::server::encoding::EncodingError;
use crate::server::names::catalog_name;

/// The column that takes the vectors.
pub(crate) struct VectorColumn {
    pub(crate) name: String,
    pub(crate) kind: VectorType,
}

/// What a COPY FROM fills.
pub(crate) struct TargetColumns {
    pub(crate) vector: VectorColumn,
    pub(crate) id: Option<IdTarget>,
}

impl TargetColumns {
    /// The list of them for core, which gets the id before the vector.
    ///
    /// # Errors
    /// A name that is none, which no column has.
    pub(crate) fn list(&self) -> Result<*mut pg_sys::List, Error> {
        let id = self.id.as_ref().map(|id| id.name.as_str());
        let mut list = PgList::<pg_sys::Node>::new();
        for name in id.into_iter().chain([self.vector.name.as_str()]) {
            let name = CString::new(name).map_err(|_| EncodingError::NotUtf8)?;
            // SAFETY: the node is made in the current memory context, and so is its copy of the name.
            list.push(unsafe { pg_sys::makeString(pg_sys::pstrdup(name.as_ptr())).cast() });
        }
        Ok(list.into_pg())
    }

    /// Sorts out the columns of these numbers.
    ///
    /// # Errors
    /// None or several that take the format's vectors, more than one other, or one whose type can't take ids.
    ///
    /// # Safety
    /// The relation must be open, and the numbers those of columns that it has.
    pub(crate) unsafe fn find(
        format: Format,
        relation: pg_sys::Relation,
        numbers: &[i32],
    ) -> Result<TargetColumns, Error> {
        let wanted = wanted_types(format);
        let wrong = |got: String| Error::Copy(CopyError::Columns { format: format.name(), wanted, got });
        // SAFETY: by the contract.
        let columns = unsafe { PgRelation::from_pg(relation) };
        let descriptor = columns.tuple_desc();
        let (mut vectors, mut others) = (Vec::new(), Vec::new());
        for number in numbers {
            let attribute = usize::try_from(*number - 1).ok().and_then(|index| descriptor.get(index));
            let attribute = attribute.ok_or_else(|| wrong(format!("column {number} is missing")))?;
            let name = catalog_name(&attribute.attname)?;
            match VectorType::of(attribute.atttypid, attribute.atttypmod) {
                Some(kind) if holds(format, kind) => vectors.push(VectorColumn { name, kind }),
                _ => others.push((name, attribute.atttypid)),
            }
        }
        if numbers.len() > 2 {
            return Err(wrong(format!("{} columns are to be filled", numbers.len())));
        }
        if vectors.len() > 1 {
            return Err(wrong(format!("{} are to be filled", vectors.len())));
        }
        let Some(vector) = vectors.pop() else {
            return Err(match others.pop() {
                Some((column, oid)) => {
                    Error::Copy(CopyError::ColumnType { column, got: type_name(oid), wanted })
                }
                None => wrong("no column is to be filled".into()),
            });
        };
        let id = others.pop().map(|(name, type_oid)| {
            if IdColumn::takes(type_oid) {
                Ok(IdTarget { name, type_oid })
            } else {
                Err(Error::Copy(CopyError::IdType { column: name, got: type_name(type_oid) }))
            }
        });
        Ok(TargetColumns { vector, id: id.transpose()? })
    }
}

/// Whether a column of that type takes what files of the format hold.
pub(crate) fn holds(format: Format, kind: VectorType) -> bool {
    // Records of a corpus go in as they are; other files hold floats, or what becomes floats.
    !format.holds_records() || matches!(kind, VectorType::Tqvec(_))
}

/// The types of [`holds`], for messages.
pub(crate) fn wanted_types(format: Format) -> &'static str {
    match format.holds_records() {
        true => "tqvec",
        false => "tqvec, real[], double precision[], vector or halfvec",
    }
}

/// A type's name as messages have it.
pub(crate) fn type_name(oid: pg_sys::Oid) -> String {
    // SAFETY: the name of whatever type has that OID, as a NUL-terminated copy.
    unsafe { CStr::from_ptr(pg_sys::format_type_be(oid)) }.to_string_lossy().into_owned()
}

/// The names of the relation's columns that the format can fill.
pub(crate) fn vector_columns(relation: &PgRelation, format: Format) -> Result<Vec<String>, Error> {
    let descriptor = relation.tuple_desc();
    descriptor
        .iter()
        .filter(|attribute| {
            !attribute.attisdropped
                && attribute.attgenerated == 0
                && VectorType::of(attribute.atttypid, attribute.atttypmod)
                    .is_some_and(|kind| holds(format, kind))
        })
        .map(|attribute| Ok(catalog_name(&attribute.attname)?))
        .collect()
}
