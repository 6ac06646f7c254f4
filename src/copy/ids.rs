//! Ids on their way into a column: from a corpus's metadata, or the records' ordinals, as binary COPY data.

#![allow(unsafe_code)]

use std::ffi::c_int;

use pgrx::pg_sys;
use tq_corpus::Ids;

/// A type that ids have in a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum IdType {
    Smallint,
    Integer,
    Bigint,
    Uuid,
    Text,
}

/// Where ids come from.
#[derive(Debug)]
pub(super) enum Origin {
    /// The record's number in the file, from 1.
    Ordinal,
    /// The file's metadata, with one for each record.
    Metadata(Ids),
}

/// A column that takes ids.
#[derive(Debug)]
pub(super) struct IdColumn {
    name: String,
    id_type: IdType,
    origin: Origin,
}

/// An id that the column's type can't hold.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) id: String,
}

impl IdColumn {
    /// Whether a column of this type can take ids.
    pub(super) fn takes(type_oid: pg_sys::Oid) -> bool {
        IdType::of(type_oid).is_some()
    }

    /// A column of this type, or of a domain over it; `None` if the type takes no ids.
    pub(super) fn new(name: String, type_oid: pg_sys::Oid, origin: Origin) -> Option<IdColumn> {
        Some(IdColumn { name, id_type: IdType::of(type_oid)?, origin })
    }

    /// The column's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Appends the id of a record, counted from 0, with its length in front.
    pub(super) fn write(&self, record: u64, out: &mut Vec<u8>) -> Result<(), Misfit> {
        let index = usize::try_from(record).unwrap_or(usize::MAX);
        let missing = || Misfit { id: String::new() };
        match &self.origin {
            Origin::Ordinal => self.write_number(record as i64 + 1, out),
            Origin::Metadata(Ids::Bigint(ids)) => {
                self.write_number(*ids.get(index).ok_or_else(missing)?, out)
            }
            Origin::Metadata(Ids::Uuid(ids)) => {
                let id = ids.get(index).ok_or_else(missing)?;
                match self.id_type {
                    IdType::Uuid => field(id, out),
                    IdType::Text => text_field(&tq_corpus::uuid_text(id), out),
                    _ => return Err(Misfit { id: tq_corpus::uuid_text(id) }),
                }
                Ok(())
            }
            Origin::Metadata(Ids::Text(ids)) => {
                let id = ids.get(index).ok_or_else(missing)?;
                let misfit = || Misfit { id: id.clone() };
                match self.id_type {
                    IdType::Text => text_field(id, out),
                    IdType::Uuid => field(&tq_corpus::parse_uuid(id).ok_or_else(misfit)?, out),
                    _ => return self.write_number(id.parse().map_err(|_| misfit())?, out),
                }
                Ok(())
            }
        }
    }

    fn write_number(&self, id: i64, out: &mut Vec<u8>) -> Result<(), Misfit> {
        let misfit = || Misfit { id: id.to_string() };
        match self.id_type {
            IdType::Smallint => field(&i16::try_from(id).map_err(|_| misfit())?.to_be_bytes(), out),
            IdType::Integer => field(&i32::try_from(id).map_err(|_| misfit())?.to_be_bytes(), out),
            IdType::Bigint => field(&id.to_be_bytes(), out),
            IdType::Text => text_field(&id.to_string(), out),
            IdType::Uuid => return Err(misfit()),
        }
        Ok(())
    }
}

impl IdType {
    /// That type, or the one behind a domain; `None` if ids don't come as it.
    pub(super) fn of(type_oid: pg_sys::Oid) -> Option<IdType> {
        // SAFETY: a catalog look-up by OID.
        match unsafe { pg_sys::getBaseType(type_oid) } {
            pg_sys::INT2OID => Some(IdType::Smallint),
            pg_sys::INT4OID => Some(IdType::Integer),
            pg_sys::INT8OID => Some(IdType::Bigint),
            pg_sys::UUIDOID => Some(IdType::Uuid),
            pg_sys::TEXTOID | pg_sys::VARCHAROID | pg_sys::BPCHAROID => Some(IdType::Text),
            _ => None,
        }
    }
}

fn field(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Text in the client's encoding, which is what the receive function of text takes it for.
fn text_field(text: &str, out: &mut Vec<u8>) {
    // SAFETY: both conversions take a length, and return their argument or a NUL-terminated copy; they raise an error for
    // what the encoding doesn't have.
    unsafe {
        let given = text.as_ptr().cast::<std::ffi::c_char>();
        let server = pg_sys::pg_any_to_server(given, text.len() as c_int, pg_sys::pg_enc::PG_UTF8 as c_int);
        let length = if server.cast_const() == given {
            text.len()
        } else {
            std::ffi::CStr::from_ptr(server).count_bytes()
        };
        let client = pg_sys::pg_server_to_client(server, length as c_int);
        let length = if client == server { length } else { std::ffi::CStr::from_ptr(client).count_bytes() };
        field(std::slice::from_raw_parts(client.cast::<u8>(), length), out);
    }
}
