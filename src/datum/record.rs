//! `tqvec` datums in Rust: a record borrowed from an argument, and a record on its way out.
//!
//! The datum is a varlena whose payload is one Level-1 record, the same shape as a `bytea`. Values below 127 bytes
//! carry a one-byte header on disk, so the payload has no alignment and is only ever treated as bytes.

#![allow(unsafe_code)]

use std::borrow::Cow;

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::{FromDatum, IntoDatum, impl_sql_translatable, pg_sys};
use tq_format::{RECORD_HEADER_LEN, RecordError, RecordHeader, RecordView};

use crate::error::Error;

/// A `tqvec` argument: detoasted, possibly with a one-byte header, never copied otherwise.
pub(crate) struct Record<'fcx> {
    bytes: &'fcx [u8],
}

impl<'fcx> Record<'fcx> {
    /// The record. It was validated in full on its way into the database; here only its geometry is checked, so
    /// that a damaged page gives an error rather than a wild read.
    pub(crate) fn view(&self) -> Result<RecordView<'fcx>, RecordError> {
        RecordView::parse_stored(self.bytes)
    }
}

impl_sql_translatable!(Record<'_>, "tqvec");

// SAFETY: the SQL declarations name `tqvec` for these arguments, whose datums are varlenas; `&[u8]`'s FromDatum
// detoasts exactly those.
unsafe impl<'fcx> ArgAbi<'fcx> for Record<'fcx> {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the argument is a varlena (see the impl) and the caller checked that it isn't null.
        let bytes: Option<&'fcx [u8]> = unsafe { arg.unbox_arg_using_from_datum() };
        Record { bytes: bytes.unwrap_or_default() }
    }
}

/// A finished record to return as a `tqvec`: made by the function, or one that its argument holds.
pub(crate) struct RecordOut<'a>(Cow<'a, [u8]>);

impl From<Vec<u8>> for RecordOut<'_> {
    fn from(record: Vec<u8>) -> Self {
        RecordOut(Cow::Owned(record))
    }
}

impl<'a> From<&'a [u8]> for RecordOut<'a> {
    fn from(record: &'a [u8]) -> Self {
        RecordOut(Cow::Borrowed(record))
    }
}

impl_sql_translatable!(RecordOut<'_>, "tqvec");

// SAFETY: the datum is a fresh varlena in the current memory context that holds the record's bytes.
unsafe impl BoxRet for RecordOut<'_> {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        // SAFETY: a slice of bytes becomes a varlena, which is what the SQL declaration promises.
        unsafe { (*self.0).box_into(fcinfo) }
    }
}

impl IntoDatum for RecordOut<'_> {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        (*self.0).into_datum()
    }

    /// Only arrays and polymorphic results ask for it, which a record is never part of.
    fn type_oid() -> pg_sys::Oid {
        pg_sys::InvalidOid
    }
}

/// A varlena datum as it lies in a tuple, examined without calling into the server where that is possible.
///
/// The per-row paths use this: a call to `pg_detoast_datum_packed` costs pgrx a `sigsetjmp`, which an inline datum
/// does not need.
pub(crate) struct Varlena<'a> {
    bytes: &'a [u8],
    owned: *mut pg_sys::varlena,
}

impl<'a> Varlena<'a> {
    /// The payload of `datum`, detoasted if it is external or compressed.
    ///
    /// # Safety
    /// `datum` must be a valid, non-null varlena datum that outlives `'a`.
    #[inline]
    pub(crate) unsafe fn packed(datum: pg_sys::Datum) -> Varlena<'a> {
        let pointer = datum.cast_mut_ptr::<pg_sys::varlena>();
        // SAFETY: by the contract the datum is a varlena; the macros read its header, which decides how many bytes
        // follow. A detoasted copy is a plain varlena too and lives until this value is dropped.
        unsafe {
            let (plain, owned) = if pgrx::varatt_is_4b_u(pointer) || is_short(pointer) {
                (pointer, std::ptr::null_mut())
            } else {
                let copy = pg_sys::pg_detoast_datum_packed(pointer);
                (copy, if copy == pointer { std::ptr::null_mut() } else { copy })
            };
            let bytes = std::slice::from_raw_parts(
                pgrx::vardata_any(plain).cast::<u8>(),
                pgrx::varsize_any_exhdr(plain),
            );
            Varlena { bytes, owned }
        }
    }

    /// The payload without the varlena header.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// Frees the copy, if detoasting made one. Left undone, as when an error passes, its memory context frees it.
    #[inline]
    pub(crate) fn release(self) {
        if !self.owned.is_null() {
            // SAFETY: `owned` is the copy that pg_detoast_datum_packed allocated for this value alone, which is
            // consumed here.
            unsafe { pg_sys::pfree(self.owned.cast()) }
        }
    }
}

/// A one-byte header that is a length, not the mark of a TOAST pointer.
#[inline]
unsafe fn is_short(pointer: *const pg_sys::varlena) -> bool {
    // SAFETY: the caller passes a valid varlena; both macros read its first byte only.
    unsafe { pgrx::varatt_is_1b(pointer) && !pgrx::varatt_is_1b_e(pointer) }
}

/// The header of a `tqvec` argument, and the record's length, without fetching the rest from TOAST.
pub(crate) struct StoredHeader {
    bytes: Vec<u8>,
    record_len: usize,
}

impl StoredHeader {
    /// The header's fields.
    pub(crate) fn parse(&self) -> Result<RecordHeader, Error> {
        Ok(RecordHeader::parse(&self.bytes)?)
    }

    /// Length of the whole record, in bytes.
    pub(crate) fn record_len(&self) -> usize {
        self.record_len
    }
}

impl_sql_translatable!(StoredHeader, arg_only = "tqvec");

// SAFETY: the SQL declarations name `tqvec` for these arguments, whose datums are varlenas.
unsafe impl<'fcx> ArgAbi<'fcx> for StoredHeader {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the argument is a varlena (see the impl) and not null; `toast_raw_datum_size` counts a four-byte
        // header, and the slice is a fresh plain varlena.
        unsafe {
            let datum = arg.unbox_arg_using_from_datum::<AnyDatum>().map_or(pg_sys::Datum::null(), |d| d.0);
            let record_len = pg_sys::toast_raw_datum_size(datum) - pg_sys::VARHDRSZ;
            let slice = pg_sys::pg_detoast_datum_slice(datum.cast_mut_ptr(), 0, RECORD_HEADER_LEN as i32);
            let bytes = <&[u8]>::from_datum(pg_sys::Datum::from(slice), false).unwrap_or_default();
            StoredHeader { bytes: bytes.to_vec(), record_len }
        }
    }
}

/// A datum passed through as it is, for arguments that are unpacked by hand.
pub(crate) struct AnyDatum(pub(crate) pg_sys::Datum);

impl FromDatum for AnyDatum {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Self> {
        (!is_null).then_some(AnyDatum(datum))
    }
}
