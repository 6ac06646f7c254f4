//! Ids on their way into a column: from a corpus's metadata, or the records' ordinals, as binary COPY data.

#![allow(unsafe_code)]

pub(crate) mod builder;
use std::ffi::{CStr, c_int};

use pgrx::{FromDatum, pg_sys};
use tq_files::pgcopy::{self, field};
use tq_files::{Format, Id, Ids};

use self::builder::to_utf8;

use crate::datum::record::Varlena;
use crate::error::{Error, FormatError};
use crate::formats::IdSource;

/// The column that takes the ids.
pub(crate) struct IdTarget {
    pub(crate) name: String,
    pub(crate) type_oid: pg_sys::Oid,
}

/// A type that ids have in a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum IdType {
    Smallint,
    Integer,
    Bigint,
    Numeric,
    Double,
    Uuid,
    Text,
}

/// Where ids come from.
pub(crate) enum Origin {
    /// The row's number in the file, from 1.
    Ordinal,
    /// The metadata of a corpus, with one for each record.
    Metadata(Ids),
    /// The ids of an index, in the order of its slots.
    Index(Box<dyn IdSource>),
}

/// `numeric_out`, whose OID never changes.
const F_NUMERIC_OUT: u32 = 1702;

/// A column that takes ids.
pub(crate) struct IdColumn {
    name: String,
    id_type: IdType,
    origin: Origin,
}

/// An id that the column's type can't hold.
#[derive(Debug)]
struct UnfitId {
    id: String,
}

impl IdColumn {
    /// Whether a column of this type can take ids.
    pub(crate) fn takes(type_oid: pg_sys::Oid) -> bool {
        IdType::of(type_oid).is_some()
    }

    /// The column that takes ids from there; `None` if its type takes none.
    pub(crate) fn new(target: IdTarget, origin: Origin) -> Option<IdColumn> {
        let id_type = IdType::of(target.type_oid)?;
        Some(IdColumn { name: target.name, id_type, origin })
    }

    /// Bytes of the fields of so many ids from a file of `file` bytes, at most.
    pub(crate) fn data_len(&self, rows: u64, file: u64) -> u64 {
        /// More than any whole number of 64 bits takes, as text or as `numeric`.
        const WHOLE: u64 = 24;
        let (id, texts) = match self.id_type {
            IdType::Smallint => (2, 0),
            IdType::Integer => (4, 0),
            IdType::Bigint | IdType::Double => (8, 0),
            IdType::Uuid => (16, 0),
            // Those that the file has as texts are shorter than it, all together.
            IdType::Numeric | IdType::Text => (WHOLE, file),
        };
        rows.saturating_mul(size_of::<i32>() as u64 + id).saturating_add(texts)
    }

    /// Whether its type is text, which has an encoding.
    pub(crate) fn is_text(&self) -> bool {
        self.id_type == IdType::Text
    }

    /// Passes over the id of a row that isn't written.
    ///
    /// # Errors
    /// Those of the file.
    pub(crate) fn pass(&mut self) -> Result<(), Error> {
        match &mut self.origin {
            Origin::Ordinal | Origin::Metadata(_) => Ok(()),
            Origin::Index(ids) => ids.next().map(drop),
        }
    }

    /// Appends the id of a row, counted from 0, with its length in front. Rows must come in their order.
    ///
    /// # Errors
    /// One that the column's type can't hold.
    pub(crate) fn write(&mut self, row: u64, out: &mut Vec<u8>) -> Result<(), Error> {
        let index = usize::try_from(row).unwrap_or(usize::MAX);
        let id_type = self.id_type;
        let written = match &mut self.origin {
            Origin::Ordinal => id_type.write_whole(row as i64 + 1, out),
            Origin::Metadata(ids) => id_type.write_metadata(ids, index, out),
            Origin::Index(ids) => id_type.write_id(&ids.next()?, out),
        };
        written.map_err(|UnfitId { id }| {
            Error::Format(FormatError::CorpusId { record: row + 1, id, column: self.name.clone() })
        })
    }
}

impl IdType {
    /// That type, or the one behind a domain; `None` if ids don't come as it.
    pub(crate) fn of(type_oid: pg_sys::Oid) -> Option<IdType> {
        // SAFETY: a catalog look-up by OID.
        match unsafe { pg_sys::getBaseType(type_oid) } {
            pg_sys::INT2OID => Some(IdType::Smallint),
            pg_sys::INT4OID => Some(IdType::Integer),
            pg_sys::INT8OID => Some(IdType::Bigint),
            pg_sys::NUMERICOID => Some(IdType::Numeric),
            pg_sys::FLOAT8OID => Some(IdType::Double),
            pg_sys::UUIDOID => Some(IdType::Uuid),
            pg_sys::TEXTOID | pg_sys::VARCHAROID | pg_sys::BPCHAROID => Some(IdType::Text),
            _ => None,
        }
    }

    /// [`of`](Self::of), for ids that a file of the format can hold.
    pub(crate) fn exported(format: Format, type_oid: pg_sys::Oid) -> Option<IdType> {
        let any = format == Format::Qvec;
        IdType::of(type_oid).filter(|id_type| any || !matches!(id_type, IdType::Numeric | IdType::Double))
    }

    /// The id in a file that a datum becomes: a number where a number holds it exactly, else a whole number or a text.
    ///
    /// # Errors
    /// A number with a fraction that no double has, or a text that UTF-8 doesn't.
    ///
    /// # Safety
    /// `datum` must be a non-null datum of this type.
    pub(crate) unsafe fn id(self, datum: pg_sys::Datum) -> Result<Id, Error> {
        // SAFETY: the datum is of this type, by the contract; output functions give a NUL-terminated copy.
        unsafe {
            Ok(match self {
                IdType::Smallint => Id::of_whole(i16::from_datum(datum, false).unwrap_or_default().into()),
                IdType::Integer => Id::of_whole(i32::from_datum(datum, false).unwrap_or_default().into()),
                IdType::Bigint => Id::of_whole(i64::from_datum(datum, false).unwrap_or_default()),
                IdType::Double => Id::Number(f64::from_datum(datum, false).unwrap_or_default()),
                IdType::Numeric => {
                    let text = pg_sys::OidOutputFunctionCall(pg_sys::Oid::from(F_NUMERIC_OUT), datum);
                    {
                        let text = CStr::from_ptr(text).to_string_lossy();
                        Id::of_decimal(&text)
                            .ok_or_else(|| Error::Format(FormatError::KeyNumber(text.into())))?
                    }
                }
                IdType::Uuid => Id::Text(tq_files::uuid_text(&datum.cast_mut_ptr::<[u8; 16]>().read())),
                IdType::Text => {
                    let text = Varlena::packed(datum);
                    let id = Id::Text(to_utf8(text.bytes())?);
                    text.release();
                    id
                }
            })
        }
    }

    fn write_metadata(self, ids: &Ids, index: usize, out: &mut Vec<u8>) -> Result<(), UnfitId> {
        let missing = || UnfitId { id: String::new() };
        match ids {
            Ids::Bigint(ids) => self.write_whole(*ids.get(index).ok_or_else(missing)?, out),
            Ids::Uuid(ids) => {
                let id = ids.get(index).ok_or_else(missing)?;
                match self {
                    IdType::Uuid => field(id, out),
                    IdType::Text => text_field(&tq_files::uuid_text(id), out),
                    _ => return Err(UnfitId { id: tq_files::uuid_text(id) }),
                }
                Ok(())
            }
            Ids::Text(ids) => self.write_text(ids.get(index).ok_or_else(missing)?, out),
        }
    }

    fn write_id(self, id: &Id, out: &mut Vec<u8>) -> Result<(), UnfitId> {
        match id {
            Id::Number(number) if self == IdType::Double => field(&number.to_be_bytes(), out),
            // The shortest digits that give the same number again.
            Id::Number(number) => return self.write_text(&number.to_string(), out),
            Id::Integer(digits) | Id::Text(digits) => return self.write_text(digits, out),
        }
        Ok(())
    }

    /// An id that is text in the file, in whatever type it can be read as.
    fn write_text(self, id: &str, out: &mut Vec<u8>) -> Result<(), UnfitId> {
        let misfit = || UnfitId { id: id.to_string() };
        match self {
            // PostgreSQL's text has no NUL.
            IdType::Text if id.contains('\0') => return Err(misfit()),
            IdType::Text => text_field(id, out),
            IdType::Uuid => field(&tq_files::parse_uuid(id).ok_or_else(misfit)?, out),
            IdType::Numeric => pgcopy::numeric(id, out).ok_or_else(misfit)?,
            IdType::Double => {
                let number = id.parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(misfit)?;
                field(&number.to_be_bytes(), out);
            }
            IdType::Smallint | IdType::Integer | IdType::Bigint => {
                return self.write_whole(id.parse().map_err(|_| misfit())?, out);
            }
        }
        Ok(())
    }

    fn write_whole(self, id: i64, out: &mut Vec<u8>) -> Result<(), UnfitId> {
        let misfit = || UnfitId { id: id.to_string() };
        match self {
            IdType::Smallint => field(&i16::try_from(id).map_err(|_| misfit())?.to_be_bytes(), out),
            IdType::Integer => field(&i32::try_from(id).map_err(|_| misfit())?.to_be_bytes(), out),
            IdType::Bigint => field(&id.to_be_bytes(), out),
            IdType::Numeric | IdType::Text => return self.write_text(&id.to_string(), out),
            // Only what comes back as the same number.
            IdType::Double if id as f64 as i128 == i128::from(id) => field(&(id as f64).to_be_bytes(), out),
            IdType::Double | IdType::Uuid => return Err(misfit()),
        }
        Ok(())
    }
}

/// Text in the database's encoding, as which the receive function of text is made to take it (see `own_encoding`).
fn text_field(text: &str, out: &mut Vec<u8>) {
    // SAFETY: the conversion takes a length, and returns its argument or a NUL-terminated copy; it raises an error for what
    // the encoding doesn't have.
    unsafe {
        let given = text.as_ptr().cast::<std::ffi::c_char>();
        let server = pg_sys::pg_any_to_server(given, text.len() as c_int, pg_sys::pg_enc::PG_UTF8 as c_int);
        match server.cast_const() == given {
            true => field(text.as_bytes(), out),
            false => field(CStr::from_ptr(server).to_bytes(), out),
        }
    }
}
