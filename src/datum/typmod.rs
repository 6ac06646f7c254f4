//! Type modifiers of `tqvec`, as PostgreSQL hands them over; what they say is [`tq_codec::declaration`]'s.

#![allow(unsafe_code)]

use std::ffi::CStr;

use pgrx::pg_sys;

pub(crate) use tq_codec::declaration::{FLOATS, Typmod};

/// The modifier of a column whose type is `tqvec` or a domain over it, and `tqvec`'s own OID; `None` for other types.
pub(crate) fn tqvec_typmod(oid: pg_sys::Oid, mut raw: i32) -> Option<(pg_sys::Oid, Typmod)> {
    // SAFETY: a catalog look-up by OID, which writes to `raw`.
    let base = unsafe { pg_sys::getBaseTypeAndTypmod(oid, &mut raw) };
    is_type_of(base, c"tinyquant", c"tqvec").then(|| (base, Typmod::from_raw(raw)))
}

/// Whether a type is the base type of that name that belongs to an extension, in whatever schema. Its arrays, the row types of its
/// tables and namesakes in other schemas are not.
pub(crate) fn is_type_of(oid: pg_sys::Oid, extension: &CStr, name: &CStr) -> bool {
    // SAFETY: catalog look-ups by OID and by name; what doesn't exist has no extension and no tuple. The tuple of a type is a
    // FormData_pg_type, whose name is NUL-terminated, until it is released.
    unsafe {
        let extension = pg_sys::get_extension_oid(extension.as_ptr(), true);
        if extension == pg_sys::InvalidOid
            || pg_sys::getExtensionOfObject(pg_sys::TypeRelationId, oid) != extension
        {
            return false;
        }
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::TYPEOID as i32, oid.into());
        if tuple.is_null() {
            return false;
        }
        let form = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_type>();
        let is_it =
            form.typtype as u8 == pg_sys::TYPTYPE_BASE && CStr::from_ptr(form.typname.data.as_ptr()) == name;
        pg_sys::ReleaseSysCache(tuple);
        is_it
    }
}
